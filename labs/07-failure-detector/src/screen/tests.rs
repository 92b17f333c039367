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

fn says(table: &mut Table, detector: u32, at_us: u64, indication: &Indication) -> Option<String> {
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
    table.on_event(&event(1, 2, What::Crash(None)));
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
    assert_eq!(table.on_event(&event(9, 9, What::Crash(None))), None);
    assert!(table.rows().iter().all(Row::is_well));
}
