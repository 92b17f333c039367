//! A run while it goes on: a table on a terminal, a line for each change in a pipe. For programs
//! see [`live`].
//!
//! The table has a row for each process. Those that are not well stand first, then those that
//! changed last; what does not fit is counted in the last line. Everything in it comes from what
//! the detectors say.

use labs::lab::{Participant, Screen};
use labs::process::ProcessId;
use labs::trace::TraceEvent;
use serde_json::Value;

use crate::lists::List;
use crate::live;
use crate::quality::seconds;
use crate::table::{News, Table};
use crate::two_levels::{DETECTORS, Indication, Listed, Settings, watcher};

/// One process, as the table shows it.
struct Row {
    process: ProcessId,
    /// `host/pid`.
    place: String,
    /// According to its own detector.
    sent: u32,
    answered: Option<u32>,
    /// On the lists of p0 and p1; a detector is not on its own.
    on: [Option<List>; 2],
    since_us: u64,
    died: bool,
}

impl Table {
    fn row(&self, process: ProcessId) -> Row {
        let own = &self.views[watcher(process).index()];
        let on = DETECTORS.map(|detector| {
            let view = &self.views[detector.index()];
            (detector != process).then(|| view.on[process.index()])
        });
        let since_us = self.views.iter().map(|view| view.since_us[process.index()]).max();
        let place = self.places.get(process.index());
        Row {
            process,
            place: place.cloned().unwrap_or_default(),
            sent: own.round,
            answered: own.answered.get(&process).copied(),
            on,
            since_us: since_us.unwrap_or(0),
            died: self.died[process.index()],
        }
    }

    /// All rows, the most interesting first.
    fn rows(&self) -> Vec<Row> {
        let all = (0..self.died.len() as u32).map(|rank| self.row(ProcessId(rank)));
        let mut rows: Vec<_> = all.collect();
        // What changed last comes first among equals, and then the order of the ranks.
        rows.sort_by_key(|row| (row.is_well(), std::cmp::Reverse(row.since_us), row.process));
        rows
    }

    fn head(&self) -> [String; 3] {
        let Settings { interval, threshold, rounds } = self.settings;
        let detector = |detector: ProcessId| {
            let view = &self.views[detector.index()];
            let count = |list| view.on.iter().filter(|&&on| on == list).count();
            let [alive, dead, unknown] = List::ALL.map(count);
            let died = if self.died.get(detector.index()) == Some(&true) { ", died" } else { "" };
            format!("{detector}{died}: {alive} alive, {dead} dead, {unknown} unknown")
        };
        let round = self.views.iter().map(|view| view.round).max().unwrap_or(0);
        let [first, second] = DETECTORS.map(detector);
        [
            format!(
                "{:.1} s, heartbeat {round} of {rounds}, one every {interval:?}, threshold {threshold}",
                seconds(self.now_us)
            ),
            format!("{first}; {second}"),
            format!(
                "{:<8}{:<4}{:<16}{:>6}{:>9}{:>5}  {:<8}{:<8}{:>8}",
                "process", "by", "host/pid", "sent", "answered", "gap", "to p0", "to p1", "since"
            ),
        ]
    }
}

impl Row {
    fn is_well(&self) -> bool {
        !self.died && self.on.iter().flatten().all(|&on| on == List::Alive)
    }

    fn line(&self) -> String {
        let Self { process, place, sent, answered, on, since_us, died } = self;
        let name = process.to_string();
        let by = watcher(*process).to_string();
        let gap = answered.map(|answered| sent.saturating_sub(answered));
        let [answered, gap] = [*answered, gap].map(|n| n.map_or("-".to_owned(), |n| n.to_string()));
        let [first, second] = on.map(|on| on.map_or("-", List::name));
        let died = if *died { "  died" } else { "" };
        format!(
            "{name:<8}{by:<4}{place:<16}{sent:>6}{answered:>9}{gap:>5}  {first:<8}{second:<8}{:>6.1} s{died}",
            seconds(*since_us)
        )
    }
}

impl Screen for Table {
    fn on_start(&mut self, participants: &[Participant]) {
        self.places = participants.iter().map(|p| place_of(&p.host, p.pid)).collect();
    }

    fn on_event(&mut self, event: &TraceEvent) -> Option<String> {
        let line = match self.heed(event)? {
            News::Died(process) => format!("{process} died"),
            News::Said(detector, said) => line_of(detector, &said)?,
        };
        Some(format!("{:8.3} s  {line}", seconds(event.at_us)))
    }

    fn on_event_json(&mut self, event: &TraceEvent) -> Option<Value> {
        let news = self.heed(event)?;
        live::to_json(self, &news, seconds(event.at_us))
    }

    fn lines(&self, width: usize, height: usize) -> Vec<String> {
        let mut lines: Vec<_> = self.head().into();
        let rows = self.rows();
        let room = height.saturating_sub(lines.len());
        // If not all fit, the last line says how many do not.
        let shown = if rows.len() <= room { rows.len() } else { room.saturating_sub(1) };
        lines.extend(rows[..shown].iter().map(Row::line));
        let rest = &rows[shown..];
        if !rest.is_empty() {
            let unwell = rest.iter().filter(|row| !row.is_well()).count();
            let how =
                if unwell == 0 { "all alive".to_owned() } else { format!("{unwell} not alive") };
            lines.push(format!("… and {} more, {how}", rest.len()));
        }
        lines.truncate(height);
        lines.iter().map(|line| line.chars().take(width).collect()).collect()
    }
}

/// What is said of a change in a pipe; nothing of a round that only goes on.
fn line_of(detector: ProcessId, said: &Indication) -> Option<String> {
    // Watched processes are finished as soon as they begin: only the detectors' end is news.
    if *said == Indication::Finished && DETECTORS.contains(&detector) {
        return Some(format!("{detector}: finished"));
    }
    let (list, Listed { process, by, .. }) = said.change()?;
    let told = if *by == detector { String::new() } else { format!(", says {by}") };
    let what = match list {
        List::Alive => "lives",
        List::Dead => "is suspected",
        List::Unknown => "is unknown: its detector is suspected",
    };
    Some(format!("{detector}: {process} {what}{told}"))
}

/// `host/pid` in fifteen letters. The pid is what one needs; of a long host, its beginning.
fn place_of(host: &str, pid: u32) -> String {
    let pid = pid.to_string();
    let room = PLACE_MAX.saturating_sub(pid.len() + 1);
    let host: String = host.chars().take(room).collect();
    format!("{host}/{pid}")
}

/// The longest name of a place in the table: `localhost/12345` fits.
const PLACE_MAX: usize = 15;

#[cfg(test)]
mod tests;
