//! Lines of the logs of a run, and to which events they belong.
//!
//! A line that is logged in a step of a process carries the Lamport time of the event that the step handles ([`netkit::logs::set_lamport`]). Within a process Lamport times rise from event to event, so that
//! rank and Lamport time name the event: nothing else is needed to show a line where it was written.

use clap::ValueEnum;

/// How bad it is, the worst first.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd, ValueEnum)]
pub enum Level {
    /// It cannot go on.
    Error,
    /// Something is not as it should be.
    Warn,
    /// What happens, in large steps.
    Info,
    /// What happens, in small steps.
    Debug,
    /// Everything.
    #[default]
    Trace,
}

impl Level {
    /// The level of this name. Asked of every line of every log, so that it must not cost anything.
    fn of(name: &str) -> Option<Self> {
        let all = [Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];
        let names = ["error", "warn", "info", "debug", "trace"];
        names.iter().position(|known| known.eq_ignore_ascii_case(name)).map(|place| all[place])
    }
}

/// What a line says beside its text. Any of it may be missing: logs are files, and files may hold anything.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct LogLine<'a> {
    /// By the clock of its machine, in UTC.
    pub time: Option<&'a str>,
    /// How bad it is.
    pub level: Option<Level>,
    /// The process that wrote it.
    pub rank: Option<u32>,
    /// The Lamport time of the event that was handled when it was written.
    pub lamport: Option<u64>,
    /// What follows: the message itself.
    pub said: &'a str,
}

impl<'a> LogLine<'a> {
    /// Takes a line apart: `2026-11-22T07:15:00.123456Z INFO  p3 @31 entered the critical section`.
    pub fn read(text: &'a str) -> Self {
        let mut rest = text;
        let time =
            take(&mut rest, |word| (word.ends_with('Z') && word.contains('T')).then_some(word));
        let level = take(&mut rest, Level::of);
        let rank = take(&mut rest, |word| word.strip_prefix('p')?.parse().ok());
        let lamport = take(&mut rest, |word| word.strip_prefix('@')?.parse().ok());
        Self { time, level, rank, lamport, said: rest }
    }
}

/// Takes the first word off, if it can be read.
fn take<'a, T>(rest: &mut &'a str, read: impl Fn(&'a str) -> Option<T>) -> Option<T> {
    let (word, after) = rest.split_once(' ').unwrap_or((rest, ""));
    let value = read(word)?;
    *rest = after.trim_start();
    Some(value)
}

/// The lines of one log, of which each gets the Lamport time of the event that it is shown with. What was
/// written before the first event, such as that a connection is open, is shown with that.
#[derive(Debug, Default)]
pub struct Placing {
    waiting: Vec<String>,
    last: u64,
}

impl Placing {
    /// The next line. Returns those whose place is known by now.
    pub fn take(&mut self, text: &str) -> Vec<(u64, String)> {
        let line = LogLine::read(text);
        self.waiting.push(shown(&line));
        self.last = line.lamport.unwrap_or(self.last);
        if self.last == 0 { Vec::new() } else { self.finish() }
    }

    /// No more will come, or nobody waits for more: those that are left.
    pub fn finish(&mut self) -> Vec<(u64, String)> {
        self.waiting.drain(..).map(|text| (self.last, text)).collect()
    }
}

/// What is left to say where process and Lamport time are known: `07:15:00.123456 INFO entered ...`.
fn shown(line: &LogLine<'_>) -> String {
    let time = line.time.and_then(|time| time.split_once('T'));
    let time = time.map_or("", |(_, time)| time.trim_end_matches('Z'));
    let level = line.level.and_then(|level| level.to_possible_value());
    let level = level.map_or_else(String::new, |level| level.get_name().to_uppercase());
    format!("{time} {level} {}", line.said).trim_start().to_owned()
}

#[cfg(test)]
mod tests;
