//! What the program does beside the verbs: go on from checkpoints, and show them.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use labs::cli::{RunArguments, print};
use labs::lab::Tool;
use labs::process::ProcessId;
use serde_json::json;

use crate::checkpoint::{Checkpoint, CheckpointError, Folder};
use crate::claim::{Claim, Owner};
use crate::lab::{Application, ChandyLamportLab, Restored};
use crate::store::absolute;
use crate::wave::Wave;
use crate::work::State;

/// Subcommands beside the verbs.
#[derive(Debug, clap::Subcommand)]
pub enum Tools {
    /// A run that goes on from the last complete wave of an earlier one; what is not complete is discarded
    Restart(Box<Restart>),
    /// Show the checkpoints in a folder: which waves are complete, and the recorded global state
    Inspect(Inspect),
}

/// `restart`.
#[derive(Debug, clap::Args)]
pub struct Restart {
    /// The folder with the checkpoints
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    #[command(flatten)]
    run: RunArguments<ChandyLamportLab>,
}

/// `inspect`.
#[derive(Debug, clap::Args)]
pub struct Inspect {
    /// The folder with the checkpoints
    dir: PathBuf,
    /// Which wave to show, such as 2@p0 [default: the last that is complete]
    #[arg(long, value_name = "WAVE")]
    wave: Option<Wave>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Tool for Tools {
    fn run(self) -> anyhow::Result<u8> {
        match self {
            Self::Restart(restart) => restart.run(),
            Self::Inspect(inspect) => inspect.run(),
        }
    }
}

impl Restart {
    fn run(mut self) -> anyhow::Result<u8> {
        let options = &mut self.run.options;
        let from = absolute(&self.from)?;
        let in_place = options.dir.as_ref().is_none_or(|dir| is_same(dir, &from));
        // First of all, so that nobody changes what is read now.
        Folder::open(&from)?;
        let claim = in_place.then(|| Claim::of_existing(&from)).transpose()?;
        let (restored, application) = restored(from, in_place)?;
        if let Some(given) = options.application
            && given != application
        {
            anyhow::bail!("--application: the checkpoints are of the other one; leave it out");
        }
        anyhow::ensure!(options.money.is_none(), "--money: the money is that of the checkpoints");
        options.application = Some(application);
        labs::cli::run(self.run, |options, world| {
            let (restored, claim) = (Some(restored.clone()), claim.clone());
            let lab = ChandyLamportLab::planned(options, restored, claim, world);
            lab.map_err(anyhow::Error::msg)
        })
    }
}

/// Whether two paths are one folder.
fn is_same(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

/// The last complete wave of a folder, and the application that it is of.
fn restored(from: PathBuf, in_place: bool) -> anyhow::Result<(Restored, Application)> {
    let folder = Folder::open(&from)?;
    let wave = folder.last_complete()?;
    let mut kinds = Vec::new();
    let (mut execution, mut total, mut processes) = (String::new(), 0_u64, 0);
    folder.visit(wave, |checkpoint| {
        let kind = kind(&checkpoint);
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
        total = total.saturating_add(checkpoint.worth());
        (execution, processes) = (checkpoint.execution, checkpoint.processes);
    })?;
    let [application] = kinds[..] else {
        anyhow::bail!("{}: its processes differ in kind", from.display());
    };
    let owner = Owner::of(&from).with_context(|| from.display().to_string())?;
    let used = owner.map_or(0, |owner| owner.last_number).max(folder.last_number());
    let first = used.checked_add(1).context("the numbers of waves are used up")?;
    let discarded = if in_place { folder.incomplete() } else { Vec::new() };
    let restored = Restored { from, in_place, wave, execution, processes, total, first, discarded };
    Ok((restored, application))
}

/// The application that all checkpoints are of.
fn application_of(checkpoints: &[Checkpoint]) -> Option<Application> {
    let first = kind(checkpoints.first()?);
    checkpoints.iter().all(|checkpoint| kind(checkpoint) == first).then_some(first)
}

fn kind(checkpoint: &Checkpoint) -> Application {
    match checkpoint.state {
        State::Bank(_) => Application::Bank,
        State::Counter(_) => Application::Counter,
    }
}

impl Inspect {
    fn run(self) -> anyhow::Result<u8> {
        let folder = Folder::open(&self.dir)?;
        let shown = match self.wave {
            Some(wave) => folder.wave(wave)?,
            None => match folder.last_complete() {
                // Then there is still something to say of those that are not.
                Err(CheckpointError::NoneComplete { .. }) if !folder.is_empty() => Vec::new(),
                complete => folder.wave(complete?)?,
            },
        };
        let text = match self.json {
            true => format!("{}\n", self.report(&folder, &shown)),
            false => self.text(&folder, &shown),
        };
        print(&text)?;
        Ok(0)
    }

    fn report(&self, folder: &Folder, shown: &[Checkpoint]) -> serde_json::Value {
        let wave = |(wave, present, of): (Wave, usize, u32)| {
            let complete = present as u64 == u64::from(of);
            json!({ "wave": wave, "files": present, "processes": of, "complete": complete })
        };
        let (in_states, in_messages) = worth(shown);
        json!({
            "dir": self.dir,
            "waves": folder.waves().map(wave).collect::<Vec<_>>(),
            "shown": shown.first().map(|first| first.wave),
            "cut": shown,
            "total": in_states + in_messages,
            "in_states": in_states,
            "in_messages": in_messages,
        })
    }

    fn text(&self, folder: &Folder, shown: &[Checkpoint]) -> String {
        let mut lines = Vec::new();
        for (wave, present, of) in folder.waves() {
            lines.push(match present as u64 == u64::from(of) {
                true => format!("wave {wave}: complete, {of} files"),
                false => format!("wave {wave}: not complete, {present} of {of} files"),
            });
        }
        if let Some(first) = shown.first() {
            lines.push(String::new());
            lines.push(format!("the global state of wave {}", first.wave));
        }
        if shown.is_empty() {
            lines.push("no wave is complete".to_owned());
        }
        for checkpoint in shown {
            lines.push(format!("{:<6} {:?}", checkpoint.process.to_string(), checkpoint.state));
            let channels = checkpoint.channels.iter().map(|(from, messages)| {
                (*from, checkpoint.process, messages.iter().collect::<Vec<_>>(), "in transit")
            });
            let held = checkpoint
                .held
                .iter()
                .map(|(to, message)| (checkpoint.process, *to, vec![message], "held back"));
            for (from, to, messages, what) in channels.chain(held) {
                if !messages.is_empty() {
                    lines.push(format!("       {} {what}: {messages:?}", Arrow(from, to)));
                }
            }
        }
        let (in_states, in_messages) = worth(shown);
        if application_of(shown) == Some(Application::Bank) {
            lines.push(format!(
                "total {}: {in_states} in the states, {in_messages} in messages",
                in_states + in_messages
            ));
        }
        lines.push(String::new());
        lines.join("\n")
    }
}

/// What is conserved, in states and in messages.
fn worth(shown: &[Checkpoint]) -> (u64, u64) {
    let sum = |of: fn(&Checkpoint) -> u64| shown.iter().map(of).fold(0, u64::saturating_add);
    let in_states = sum(|checkpoint| checkpoint.state.worth());
    let in_messages = sum(Checkpoint::messages_worth);
    (in_states, in_messages.min(u64::MAX - in_states))
}

/// A channel.
struct Arrow(ProcessId, ProcessId);

impl std::fmt::Display for Arrow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} → {}", self.0, self.1)
    }
}
