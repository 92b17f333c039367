use super::*;
use crate::lab::FailureDetectorLab;

#[test]
fn a_sweep_that_is_cut_short_shows_what_was_done() {
    let settings = Settings { interval: Duration::from_millis(100), threshold: 3, rounds: 10 };
    let folder = tempfile::tempdir().unwrap();
    let plot = folder.path().join("plot.svg");
    let tried = Sweep {
        thresholds: vec![2, 3],
        losses: vec![Chance::NEVER],
        delays: vec![Duration::from_millis(5)],
        runs: 3,
        plot: plot.clone(),
    };
    let rows_after = |runs: u32| {
        let (network, mut left) = (Network::default(), runs);
        let mut is_over = move || {
            let is_over = left == 0;
            left = left.saturating_sub(1);
            is_over
        };
        let mut series = Series::new(1, &network, &mut is_over);
        let lab = |settings| FailureDetectorLab::new(4, settings);
        let study = sweep(&tried, settings, lab, &mut series).unwrap();
        let rows = study.result["rows"].as_array().unwrap().clone();
        let runs: Vec<_> = rows.iter().map(|row| row["runs"].as_u64().unwrap()).collect();
        (runs, study.lines)
    };
    assert!(rows_after(0).0.is_empty());
    assert!(!plot.metadata().is_ok_and(|plot| plot.len() > 0), "there is nothing to draw");
    let (runs, lines) = rows_after(4);
    assert_eq!(runs, [3, 1]);
    assert!(lines.contains(&"the last row is of 1 run".to_owned()), "{lines:?}");
}

/// With this network the first run would fail.
#[test]
fn a_plot_that_cannot_be_written_is_said_before_the_runs() {
    let settings = Settings { interval: Duration::from_millis(100), threshold: 3, rounds: 10 };
    let lab = |settings| FailureDetectorLab::new(4, settings);
    let mut tried = Sweep {
        thresholds: vec![3],
        losses: vec![Chance::NEVER],
        delays: vec![Duration::from_millis(5)],
        runs: 1,
        plot: "/dev/null".into(),
    };
    let none = Network { reordering: Chance::percent(10), ..Network::default() };
    let why = |tried: &Sweep| {
        let mut never = || false;
        let mut series = Series::new(1, &none, &mut never);
        sweep(tried, settings, lab, &mut series).unwrap_err().to_string()
    };
    assert!(why(&tried).contains("cannot write the plot to /dev/null"), "{}", why(&tried));
    let folder = tempfile::tempdir().unwrap();
    tried.plot = folder.path().join("plot.svg");
    assert!(!why(&tried).contains("cannot write the plot"), "{}", why(&tried));
}
