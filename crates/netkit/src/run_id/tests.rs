use super::*;

#[test]
fn a_new_name_has_the_form_and_differs_from_the_next() {
    let runs: Vec<RunId> = (0..8).map(|_| RunId::new()).collect();
    for run in &runs {
        assert_eq!(run.to_string().parse::<RunId>().as_ref(), Ok(run));
    }
    assert!(runs.iter().any(|run| *run != runs[0]));
}

#[test]
fn nothing_else_is_a_name() {
    assert!("20261122-071500-3f9a".parse::<RunId>().is_ok());
    let wrong = [
        "",
        "..",
        "20261122-071500-3f9",
        "20261122-071500-3f9a/",
        "20261122-071500-3F9A",
        "20261122_071500-3f9a",
        "2026112x-071500-3f9a",
        "../../../../etc/pass",
        "20261122-071500-3f9é",
    ];
    for text in wrong {
        assert_eq!(text.parse::<RunId>(), Err(RunIdError), "{text:?}");
    }
}
