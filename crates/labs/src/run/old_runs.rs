//! The folders of old runs in `/tmp`, which would fill it: each run leaves its logs there.
//!
//! Whoever makes the folder of a run on a machine removes old ones there: the launcher, which says so, and on the other
//! machines of the run its [keeper](super::runner). Old is a run of more than a week ago. So is what is beyond the newest
//! hundred, but for those of the last hour: whoever makes so many is still looking at them. A run that goes on is
//! never old.

use std::collections::BTreeSet;
use std::time::Duration;

use netkit::run_id::RunId;
use netkit::{census, logs};

use super::FOLDER;
use super::note::RunNote;
use crate::text::counted;

/// How long the folder of a run stays.
const OLD: Duration = Duration::from_secs(7 * 24 * 3600);

/// How many of the newest stay.
const KEPT: usize = 100;

/// How many more there may be before they are removed: so that it happens now and then, and not in each run.
const MORE: usize = 20;

/// How long the folder of a run stays in any case.
const FRESH: Duration = Duration::from_secs(3600);

/// How many are removed in one run, which must not wait for it: some milliseconds.
const REMOVED_MAX: usize = 100;

/// Removes the folders of old runs from this machine, as far as that is possible, and says how many.
pub(crate) fn remove() -> Option<String> {
    let runs = logs::runs(FOLDER).into_iter();
    let runs: Vec<_> = runs.filter_map(|run| Some((logs::age(FOLDER, &run)?, run))).collect();
    let old = old(&runs);
    if old.is_empty() {
        return None;
    }
    let alive: BTreeSet<_> = census::of_runs().into_iter().map(|process| process.run).collect();
    let is_over = |run: &&RunId| {
        !alive.contains(*run) && !RunNote::of_run(run).is_some_and(|note| note.is_alive())
    };
    let removed = old.into_iter().filter(is_over).take(REMOVED_MAX);
    let removed = removed.filter(|run| logs::remove(FOLDER, run).is_ok()).count();
    (removed > 0).then(|| {
        let (runs, folder) = (counted(removed as u64, "old run"), logs::user_folder(FOLDER));
        format!("removed the logs of {runs} from {}; --keep leaves them there", folder.display())
    })
}

/// Which of these runs are old, the oldest first. They stand with their ages, the newest first.
fn old(runs: &[(Duration, RunId)]) -> Vec<&RunId> {
    let are_many = runs.len() > KEPT + MORE;
    let is_old =
        |place: usize, age: Duration| age > OLD || are_many && place >= KEPT && age > FRESH;
    let old = runs.iter().enumerate().filter(|(place, (age, _))| is_old(*place, *age));
    old.map(|(_, (_, run))| run).rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    /// So many runs, one an hour, and which of them are old.
    fn of_old(number: u32, each: Duration) -> Vec<u32> {
        let run = |n: u32| format!("20260101-000000-{n:04x}").parse().unwrap();
        let runs: Vec<_> = (0..number).map(|n| (each * n, run(n))).collect();
        let number_of =
            |run: &RunId| runs.iter().position(|(_, known)| known == run).unwrap() as u32;
        old(&runs).into_iter().map(number_of).collect()
    }

    #[test]
    fn a_week_is_old_and_a_hundred_are_enough() {
        assert_eq!(of_old(9, 24 * HOUR), [8], "the eighth is a week old to the second");
        assert_eq!(of_old(120, HOUR), [0; 0]);
        assert_eq!(of_old(121, HOUR), (100..121).rev().collect::<Vec<_>>());
        assert_eq!(of_old(9_000, HOUR / 9_000), [0; 0], "they are of the last hour");
    }
}
