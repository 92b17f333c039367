use std::time::Duration;

use super::*;

/// The longest numbers that a run has: some days in seconds, and a mistake in each round.
#[test]
fn the_measures_fit_into_80_columns() {
    let settings =
        Settings { interval: Duration::from_secs(3_600), threshold: 100, rounds: 1_000_000 };
    let measures = Measures {
        detections_s: vec![360_000.0; 100],
        mistakes_s: vec![360_000.0; 100_000],
        ended_by_death: 10_000,
        watched_s: 3.6e9,
        unresolved: 10_000,
        unresolved_s: 3.6e8,
    };
    for line in quality_lines(settings, &measures) {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn deaths_are_told_with_who_knew_and_when() {
    let settings = Settings { interval: Duration::from_millis(100), threshold: 2, rounds: 50 };
    let mut findings = DetectorFindings::new(settings, 6);
    let listed = |process| Listed {
        process: ProcessId(process),
        by: watcher(ProcessId(process)),
        on: vec![List::Dead],
    };
    findings.on_crash(ProcessId(4), 1_000_000);
    findings.on_indication(DETECTORS[0], &Indication::Suspect(listed(4)), 1_250_000);
    findings.on_indication(DETECTORS[1], &Indication::Suspect(listed(4)), 1_260_000);
    findings.on_crash(ProcessId(3), 2_000_000);
    let summary =
        Summary { messages: BTreeMap::new(), elapsed: Duration::from_secs(5), is_virtual: true };
    let lines = findings.lines(&summary);
    assert_eq!(lines[1], "p3 died at 2.000 s: no detector that lives suspects it");
    assert_eq!(lines[2], "p4 died at 1.000 s: suspected by p0 after 0.250 s, by p1 after 0.260 s");
    assert_eq!(lines[3], "detection time T_D: mean 0.250 s, longest 0.250 s, of 1");
    assert_eq!(lines[4], "  bound: (threshold+1)·interval = 0.300 s, and a round trip");
    let result = findings.json(&summary);
    assert_eq!(result["deaths"][1]["p1_after_s"], json!(0.26));
    assert_eq!(result["quality"]["T_D"]["bound_s"], json!(0.3));
    let round = Indication::Round {
        round: 12,
        alive: 5,
        dead: 1,
        unknown: 0,
        answered: [(ProcessId(4), 9)].into(),
    };
    findings.on_indication(DETECTORS[0], &round, 1_270_000);
    let row = [
        ("sent", json!(12)),
        ("answered", json!(9)),
        ("to p0", json!("dead")),
        ("to p1", json!("dead")),
        ("since_s", json!(1.25)),
    ];
    assert_eq!(findings.of_process(ProcessId(4)), row);
    assert_eq!(findings.of_process(ProcessId(0))[2], ("to p0", Value::Null));
}
