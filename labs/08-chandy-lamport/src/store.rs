//! The folder to which a run writes its checkpoints, and what it leaves there.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::{Path, PathBuf};

use labs::lab::Remains;
use labs::verdict::{Judgement, PropertyKind, Verdict};
use serde::{Deserialize, Serialize};

use crate::checkpoint::{ENTRIES_MAX, Folder};
use crate::claim::{Claim, ClaimError, Owner};
use crate::wave::Wave;

/// Where a run keeps its checkpoints.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Store {
    /// The folder; each file in it is of one process and one wave.
    #[serde(with = "labs::files::exact")]
    pub dir: PathBuf,
    /// Which execution writes there, and up to which number it names its waves.
    pub owner: Owner,
    /// Says that the folder is this run's: the launcher holds it.
    #[serde(skip)]
    _claim: Option<Claim>,
}

/// The files that a run leaves if nothing goes wrong.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    /// Of how many processes.
    pub processes: u32,
    /// How many waves, over all initiators.
    pub waves: u64,
    /// The number of the first.
    pub first: u32,
    /// What the files of each are worth together, if anything is conserved.
    pub total: Option<u64>,
}

impl Expected {
    fn files(&self) -> u64 {
        self.waves.saturating_mul(self.processes.into())
    }
}

impl Store {
    /// Makes the folder this run's, as the last thing that may fail when a lab is planned: one that is
    /// claimed already, or `dir`, or a new one here.
    ///
    /// # Errors
    ///
    /// One line that says why it cannot be.
    pub fn open(
        dir: Option<PathBuf>,
        claim: Option<Claim>,
        last_number: u32,
        expected: &Expected,
    ) -> Result<Self, String> {
        let goes_on = claim.is_some();
        let claimed = match (claim, dir) {
            (Some(claim), _) => Ok(claim),
            (None, Some(dir)) => absolute(&dir).and_then(|dir| Claim::of(&dir)),
            (None, None) => absolute(Path::new(".")).and_then(|here| Claim::of_new(&here)),
        };
        let claim = claimed.map_err(|error| error.to_string())?;
        let dir = claim.folder().to_owned();
        let folder = Folder::open(&dir).map_err(|error| format!("--dir: {error}"))?;
        if !goes_on && !folder.is_empty() {
            return Err(format!(
                "--dir {}: there are checkpoints of an earlier run in it; restart from them, or name \
                 another folder",
                dir.display()
            ));
        }
        let &Expected { processes, waves, .. } = expected;
        let files = expected.files();
        // Beside them each process may have one that is not finished, and the run has two of its own.
        let room = ENTRIES_MAX.saturating_sub(folder.entries() + processes as usize + 2);
        if files > room as u64 {
            return Err(format!(
                "{waves} waves of {processes} processes are {files} files, and there is room for {room} \
                 in {}",
                dir.display()
            ));
        }
        // Nobody has to guess it; it must only be another than that of earlier runs.
        let execution = format!("{:016x}", RandomState::new().build_hasher().finish());
        let owner = Owner { execution, last_number };
        claim.give_to(&owner).map_err(|error| error.to_string())?;
        Ok(Self { dir, owner, _claim: Some(claim) })
    }

    /// Whether a run has left all the files that it should, each whole, and with the right total.
    pub fn judge(&self, expected: &Expected, remains: Remains) -> Verdict {
        let judgement = match self.whole_waves(expected) {
            Ok(whole) => self.judge_waves(whole, expected, remains),
            Err(judgement) => judgement,
        };
        let (name, tested) = ("a file a process and wave, whole".to_owned(), expected.waves > 0);
        Verdict { name, kind: PropertyKind::Safety, tested, judgement }
    }

    fn judge_waves(&self, whole: u64, expected: &Expected, remains: Remains) -> Judgement {
        let (waves, place) = (expected.waves, self.dir.display());
        if whole == waves {
            return Judgement::Holds(format!("{} files in {place}", expected.files()));
        }
        let found = format!("{whole} of {waves} waves are complete in {place}");
        match remains {
            Remains { complete: false, .. } => Judgement::Unknown(format!("not yet: {found}")),
            Remains { one_machine: true, .. } => Judgement::violated(found),
            Remains { .. } => Judgement::Unknown(format!(
                "{found} of this machine: give --dir a path that all machines share"
            )),
        }
    }

    /// How many waves of this run are complete. The error is the judgement, where that says all.
    fn whole_waves(&self, expected: &Expected) -> Result<u64, Judgement> {
        let folder =
            Folder::open(&self.dir).map_err(|error| Judgement::Unknown(error.to_string()))?;
        let numbers = expected.first..=self.owner.last_number;
        let ours = |found: &(Wave, usize, u32)| {
            let is_complete = Folder::is_complete(found);
            is_complete && numbers.contains(&found.0.number) && found.2 == expected.processes
        };
        let mut whole = 0;
        for (wave, ..) in folder.waves().filter(ours) {
            let (mut total, mut is_ours) = (0_u64, true);
            let visited = folder.visit(wave, |checkpoint| {
                total = total.saturating_add(checkpoint.worth());
                is_ours = checkpoint.execution == self.owner.execution;
            });
            visited.map_err(|error| Judgement::violated(error.to_string()))?;
            if is_ours && expected.total.is_some_and(|expected| expected != total) {
                let what = format!("the files of wave {wave} hold {total}");
                return Err(Judgement::violated(what));
            }
            whole += u64::from(is_ours);
        }
        Ok(whole)
    }
}

/// Daemons work in another folder.
pub(crate) fn absolute(path: &Path) -> Result<PathBuf, ClaimError> {
    std::path::absolute(path).map_err(|error| ClaimError::Folder { folder: path.to_owned(), error })
}
