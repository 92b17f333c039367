use labs::overlay::ring::Closing;

use super::*;
use crate::election::Elect;
use crate::lab::ChangRobertsLab;

/// What a sweep of two sizes says that is cut short after so many runs of three.
fn cut_after(runs: u32) -> (Study, bool) {
    let folder = tempfile::tempdir().unwrap();
    let plot = folder.path().join("plot.svg");
    let sweep = Sweep { sizes: vec![5, 6], runs: 3, plot: plot.clone() };
    let lab = |identities| ChangRobertsLab {
        identities,
        elect: Elect::default(),
        closing: Closing::default(),
        sweep: None,
    };
    let (network, mut left) = (Network::default(), runs);
    let mut is_over = move || {
        let is_over = left == 0;
        left = left.saturating_sub(1);
        is_over
    };
    let mut series = Series::new(1, &network, &mut is_over);
    let study = sweep.run(lab, &mut series).unwrap();
    assert_eq!(series.was_cut(), runs < 6);
    let is_drawn = std::fs::read(&plot).unwrap().starts_with(b"<svg");
    (study, is_drawn)
}

#[test]
fn a_sweep_that_is_cut_short_shows_what_was_done() {
    let (none, is_drawn) = cut_after(0);
    assert_eq!((none.result["sizes"].as_array().unwrap().len(), is_drawn), (0, false));
    let (four, is_drawn) = cut_after(4);
    let runs = four.result["sizes"].as_array().unwrap().iter().map(|row| row["runs"].clone());
    assert_eq!((runs.collect::<Vec<_>>(), is_drawn), (vec![json!(3), json!(1)], true));
    assert!(four.lines.contains(&"the last size, 6, has 1 run".to_owned()), "{:?}", four.lines);
    assert!(four.verdicts.iter().all(|verdict| verdict.detail() == "in all 4 runs"));
    let (all, _) = cut_after(6);
    assert!(!all.lines.iter().any(|line| line.contains("the last size")), "{:?}", all.lines);
}

#[test]
fn a_plot_that_cannot_be_written_is_said_before_the_runs() {
    let lab = |_| -> ChangRobertsLab { panic!("a run began") };
    let sweep = Sweep { sizes: vec![5], runs: 1, plot: "/dev/null".into() };
    let network = Network::default();
    let mut never = || false;
    let error = sweep.run(lab, &mut Series::new(1, &network, &mut never)).unwrap_err();
    assert!(error.to_string().contains("cannot write the plot to /dev/null"), "{error}");
}
