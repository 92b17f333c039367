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
mod tests {
    use std::time::Duration;

    use labs::trace::{Note, What};

    use super::*;

    const TERMINAL: (usize, usize) = (80, 24);

    fn table(watched: u32) -> Table {
        let settings = Settings { interval: Duration::from_millis(250), threshold: 3, rounds: 80 };
        Table::new(settings, 2 + 2 * watched)
    }

    fn event(process: u32, at_us: u64, what: What) -> TraceEvent {
        TraceEvent { process: ProcessId(process), n: 1, clock: None, lamport: 1, at_us, what }
    }

    fn says(
        table: &mut Table,
        detector: u32,
        at_us: u64,
        indication: &Indication,
    ) -> Option<String> {
        table.on_event(&event(detector, at_us, What::Indication(Note::of(indication))))
    }

    fn listed(process: u32, on: List) -> Listed {
        Listed { process: ProcessId(process), by: watcher(ProcessId(process)), on: vec![on] }
    }

    fn round(processes: u32, number: u32) -> Indication {
        let watched = (0..processes).map(ProcessId).filter(|&p| watcher(p) == ProcessId(0));
        let answered = watched.map(|process| (process, number)).collect();
        Indication::Round { round: number, alive: processes, dead: 0, unknown: 0, answered }
    }

    #[test]
    fn a_small_system_fits_a_terminal_and_names_all() {
        let mut table = table(4);
        assert_eq!(says(&mut table, 0, 250_000, &round(10, 1)), None);
        let lines = table.lines(TERMINAL.0, TERMINAL.1);
        assert_eq!(lines.len(), 3 + 10);
        assert!(lines.iter().all(|line| line.chars().count() <= TERMINAL.0), "{lines:#?}");
        assert_eq!(
            lines[5],
            "p2      p0                       1        1    0  alive   alive      0.0 s"
        );
        assert!(lines[0].starts_with("0.2 s, heartbeat 1 of 80, one every 250ms"), "{}", lines[0]);
    }

    #[test]
    fn who_is_not_well_stands_first() {
        let mut table = table(50);
        let line = says(&mut table, 0, 3_000_000, &Indication::Suspect(listed(90, List::Dead)));
        assert_eq!(line.unwrap(), "   3.000 s  p0: p90 is suspected");
        let line = says(&mut table, 1, 3_001_000, &Indication::Suspect(listed(90, List::Dead)));
        assert_eq!(line.unwrap(), "   3.001 s  p1: p90 is suspected, says p0");
        says(&mut table, 0, 4_000_000, &Indication::Suspect(listed(60, List::Dead)));
        says(&mut table, 0, 5_000_000, &Indication::Restore(listed(60, List::Alive)));
        let lines = table.lines(TERMINAL.0, TERMINAL.1);
        assert_eq!(lines.len(), TERMINAL.1);
        assert!(lines[3].starts_with("p90 ") && lines[3].contains("dead    dead       3.0 s"));
        assert!(lines[4].starts_with("p60 ") && lines[4].contains("alive   alive      5.0 s"));
        assert_eq!(lines[23], "… and 82 more, all alive");
    }

    #[test]
    fn what_is_hidden_is_counted() {
        let mut table = table(50);
        for process in (3..102).step_by(2) {
            says(&mut table, 0, 1, &Indication::Doubt(listed(process, List::Unknown)));
        }
        table.on_event(&event(1, 2, What::Crash));
        let lines = table.lines(40, 10);
        assert_eq!(lines.len(), 10);
        assert!(lines[1].starts_with("p0: 52 alive, 0 dead, 50 unknown"), "{}", lines[1]);
        assert_eq!(lines[9], "… and 96 more, 45 not alive");
        assert!(lines.iter().all(|line| line.chars().count() <= 40));
    }

    #[test]
    fn a_place_is_told_by_its_pid() {
        assert_eq!(place_of("localhost", 12345), "localhost/12345");
        assert_eq!(place_of("lab-machine-17.example", 4_194_303), "lab-mac/4194303");
        assert!(place_of("ümläüt-ümläüt-ümläüt", 1).ends_with("/1"));
    }

    #[test]
    fn no_terminal_is_too_small() {
        let table = table(4);
        for height in 0..6 {
            assert!(table.lines(1, height).len() <= height);
        }
        assert_eq!(table.lines(0, 24).concat(), "");
    }

    #[test]
    fn a_detector_is_not_on_its_own_list_and_strangers_change_nothing() {
        let mut table = table(1);
        assert!(table.lines(80, 24)[3].contains("-       alive"));
        says(&mut table, 3, 9, &Indication::Suspect(listed(2, List::Dead)));
        says(&mut table, 0, 9, &Indication::Suspect(listed(77, List::Dead)));
        assert_eq!(table.on_event(&event(9, 9, What::Crash)), None);
        assert!(table.rows().iter().all(Row::is_well));
    }
}
