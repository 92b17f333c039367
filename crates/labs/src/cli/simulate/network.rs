//! The options of the simulated network.

use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use crate::faults::Assumption;
use crate::files;
use crate::process::ProcessId;
use crate::simulate::{self, Chance, FILE_MAX, Mishaps, Network, Regions, Slow};

#[derive(Args, Debug)]
pub(super) struct NetworkArguments {
    /// How long a message is under way, in milliseconds: `2`, or a range `1..5` [default: 1..5]
    #[arg(long, value_name = "MS", value_parser = latency)]
    pub(super) latency: Option<Latency>,
    /// The regions in which the processes are, and how long messages are under way between them: see
    /// networks/cloud.json
    #[arg(long, value_name = "FILE", value_parser = regions, conflicts_with = "latency")]
    pub(super) network: Option<Arc<Regions>>,
    /// How many of all messages are lost: `10%` [default: 0%]
    #[arg(long, value_name = "PERCENT")]
    pub(super) loss: Option<Chance>,
    /// How many of all messages arrive twice: `10%`
    #[arg(long, value_name = "PERCENT", default_value = "0%")]
    pub(super) duplication: Chance,
    /// How many of all messages are held back and overtaken: `10%` (implies --unordered)
    #[arg(long, value_name = "PERCENT", default_value = "0%")]
    pub(super) reordering: Chance,
    /// Let messages overtake each other on their channel
    #[arg(long)]
    pub(super) unordered: bool,
    /// Which channels are slower, and by how many milliseconds: `0->1 90`, `2<->* 20..40`; may be repeated
    #[arg(long, value_name = "CHANNELS MS", value_parser = slow)]
    pub(super) slow: Vec<Slow>,
    /// Let applications ask at random times within so many milliseconds, instead of right at the start
    #[arg(long, value_name = "MS", value_parser = within)]
    pub(super) requests_within: Option<Duration>,
    /// Let a process crash: `3` at once, `3@250` after 250 ms of virtual time; may be repeated
    #[arg(long, value_name = "PROCESS[@MS]", value_parser = crash)]
    pub(super) crash: Vec<(u32, Duration)>,
}

#[derive(Clone, Debug)]
pub(super) struct Latency(pub(super) RangeInclusive<Duration>);

impl NetworkArguments {
    pub(super) fn to_network(&self) -> Network {
        let usual = Network::default();
        Network {
            latency: self.latency.clone().map_or(usual.latency, |latency| latency.0),
            loss: self.loss.unwrap_or(usual.loss),
            duplication: self.duplication,
            reordering: self.reordering,
            fifo: !self.unordered && self.reordering == Chance::NEVER,
            slow: self.slow.clone(),
            regions: self.network.clone(),
        }
    }

    /// A line of the report: how many processes are in which region, if there are any.
    pub(super) fn place(&self, processes: u32) -> Vec<String> {
        self.network.iter().map(|regions| regions.sentence(processes)).collect()
    }

    /// What of `assumed` was taken away, each with the options that did it. What could have gone wrong and
    /// did not takes nothing away.
    pub(super) fn broken(
        &self,
        assumed: &[Assumption],
        mishaps: Mishaps,
        crashes: &[(ProcessId, u64)],
        processes: u32,
    ) -> Vec<String> {
        let unordered = match (self.unordered, self.reordering != Chance::NEVER) {
            (true, true) => "--unordered --reordering",
            (false, true) => "--reordering",
            _ => "--unordered",
        };
        let in_regions = self.network.as_ref().is_some_and(|regions| regions.lose());
        let losses = match (in_regions, self.loss.is_some()) {
            (true, true) => "--network --loss",
            (true, false) => "--network",
            _ => "--loss",
        };
        let has_crashed = |&&(process, at): &&(u32, Duration)| {
            crashes.iter().any(|&(who, at_us)| {
                who == ProcessId(process) && u128::from(at_us) == at.as_micros()
            })
        };
        let dead = self.crash.iter().filter(has_crashed).count();
        [
            (Assumption::Fifo, mishaps.overtaking > 0, unordered),
            (Assumption::Reliable, mishaps.lost > 0, losses),
            (Assumption::NoDuplicates, mishaps.doubled > 0, "--duplication"),
            (Assumption::NoCrash, Assumption::NoCrash.forbids(dead, processes), "--crash"),
            (
                Assumption::MajorityLives,
                Assumption::MajorityLives.forbids(dead, processes),
                "--crash",
            ),
        ]
        .iter()
        .filter(|(assumption, is_broken, _)| *is_broken && assumed.contains(assumption))
        .map(|(assumption, _, option)| format!("{assumption} ({option})"))
        .collect()
    }
}

fn latency(text: &str) -> Result<Latency, String> {
    simulate::latency(text).map(Latency)
}

/// Reads the file of a network of regions.
pub(in crate::cli) fn regions(path: &str) -> Result<Arc<Regions>, String> {
    let text = files::read_text(Path::new(path), FILE_MAX).map_err(|error| {
        let way_out = files::way_out(&error).map(|way_out| format!("; {way_out}"));
        format!("{error}{}", way_out.unwrap_or_default())
    })?;
    Regions::parse(&text).map(Arc::new)
}

fn slow(text: &str) -> Result<Slow, String> {
    let wrong = || format!("{text:?}: write the channels and the milliseconds, such as `0->1 90`");
    let (channels, by) = text.trim().split_once(' ').ok_or_else(wrong)?;
    Ok(Slow { channels: channels.parse()?, by: simulate::latency(by.trim_start())? })
}

fn within(text: &str) -> Result<Duration, String> {
    match simulate::milliseconds(text)? {
        time if time <= CRASH_MAX => Ok(time),
        _ => Err(format!("at most {CRASH_MAX:?}")),
    }
}

/// No run lasts for a day of virtual time.
const CRASH_MAX: Duration = Duration::from_secs(86_400);

fn crash(text: &str) -> Result<(u32, Duration), String> {
    let (process, at) = text.split_once('@').unwrap_or((text, "0"));
    let process = process.strip_prefix('p').unwrap_or(process);
    let process =
        process.parse().map_err(|_| format!("{process:?} is not the number of a process"))?;
    let at = simulate::milliseconds(at)?;
    if at > CRASH_MAX {
        return Err(format!("{at:?} is after the end of every run: at most {CRASH_MAX:?}"));
    }
    Ok((process, at))
}

#[cfg(test)]
mod tests;
