//! Student code that misbehaves: the same verdict in `simulate`, in `run`, and of the trace of either.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// The example program, which `cargo test` builds beside the tests.
fn rogue(arguments: &[&str]) -> Output {
    let test = std::env::current_exe().unwrap();
    let target = test.parent().unwrap().parent().unwrap();
    let program = target.join("examples/rogue");
    assert!(program.exists(), "run `cargo build -p labs --example rogue` first");
    Command::new(program).args(arguments).output().unwrap()
}

/// The status and the report.
fn report(arguments: &[&str]) -> (Option<i32>, Value) {
    let output = rogue(arguments);
    let report = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error} in {output:?}"));
    (output.status.code(), report)
}

/// What became of a property, and how that is told.
fn verdict<'a>(report: &'a Value, name: &str) -> Option<(&'a Value, &'a str)> {
    let verdicts = report["properties"].as_array().unwrap();
    let verdict = verdicts.iter().find(|verdict| verdict["name"] == name)?;
    Some((&verdict["holds"], verdict["detail"].as_str().unwrap()))
}

/// A run that goes wrong so breaks this property, and its trace says the same.
#[track_caller]
fn breaks(verb: &str, wrong: &str, property: &str, said: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("t.jsonl");
    let trace = trace.to_str().unwrap();
    let run = [verb, "-n", "3", "--json", "--timeout", "30", "--wrong", wrong, "--trace", trace];
    let (status, report) = report(&run);
    assert_eq!(status, Some(1), "{report}");
    let (holds, detail) = verdict(&report, property).expect("it is told");
    assert_eq!(*holds, Value::Bool(false));
    said.iter().for_each(|said| assert!(detail.contains(said), "{detail:?} lacks {said:?}"));
    let (others, why) = verdict(&report, "everyone meets all others").unwrap();
    assert!(others.is_null() && why.contains(property), "{report}");
    let is_cut = verb == "simulate" && wrong == "spins";
    if !is_cut {
        its_trace_says_the_same(trace, &report);
    }
    a_replay_says_the_same(trace, property, said);
    a_mended_program_is_told_apart(trace, wrong, is_cut);
}

/// What happens again breaks the same property, with the same words.
#[track_caller]
fn a_replay_says_the_same(trace: &str, property: &str, said: &[&str]) {
    let (status, replayed) = report(&["replay", "--json", trace]);
    assert_eq!((status, &replayed["same"]), (Some(0), &Value::Bool(true)), "{replayed}");
    assert_eq!(replayed["misstep"]["property"], property);
    let detail = replayed["misstep"]["detail"].as_str().unwrap();
    said.iter().for_each(|said| assert!(detail.contains(said), "{detail:?} lacks {said:?}"));
}

/// The same trace, as if of a program whose p1 does nothing wrong any more.
#[track_caller]
fn a_mended_program_is_told_apart(trace: &str, wrong: &str, is_cut: bool) {
    let text = std::fs::read_to_string(trace).unwrap();
    // In the arguments, and in the options of a real run.
    let header = text.lines().next().unwrap();
    let options = ["Panics", "Strays", "Spins", "ReadsClock", "Counts"];
    let mended = header.replace(&format!("{wrong:?}"), "\"nothing\"");
    let mended = options.iter().fold(mended, |mended, option| {
        mended.replace(&format!("\"wrong\":\"{option}\""), "\"wrong\":\"Nothing\"")
    });
    std::fs::write(trace, text.replacen(header, &mended, 1)).unwrap();
    let (status, replayed) = report(&["replay", "--json", trace]);
    assert_eq!(status, Some(1), "{replayed}");
    let differences = replayed["differences"].as_array().unwrap();
    let [difference] = &differences[..] else { panic!("{differences:?}") };
    let said = ["in the trace p1 ", "here it does not: the program was mended, or is another"];
    let is_said = |said: &&str| difference.as_str().unwrap().contains(*said);
    assert!(is_cut || said.iter().all(is_said), "{difference}");
}

/// The same where all orders are tried.
#[test]
fn the_trace_of_a_counterexample_names_the_misstep() {
    let cases = [
        ("panics", "no panic", "was one greeting too many"),
        ("strays", "no panic", "it sends to p99"),
        ("reads-clock", "deterministic", "p1 is not deterministic when HELLO came from p"),
    ];
    for (wrong, property, said) in cases {
        let folder = tempfile::tempdir().unwrap();
        let trace = folder.path().join("t.jsonl");
        let trace = trace.to_str().unwrap();
        let (status, found) =
            report(&["check", "-n", "3", "--json", "--wrong", wrong, "--trace", trace]);
        assert_eq!(status, Some(1), "{found}");
        assert!(verdict(&found, property).unwrap().1.contains(said), "{found}");
        let (status, judged) = report(&["verify", "--json", trace]);
        assert_eq!(status, Some(1), "{judged}");
        assert!(verdict(&judged, property).unwrap().1.contains(said), "{judged}");
        a_replay_says_the_same(trace, property, &[said]);
        a_mended_program_is_told_apart(trace, wrong, false);
    }
}

fn its_trace_says_the_same(trace: &str, report: &Value) {
    let (status, judged) = self::report(&["verify", "--json", trace]);
    assert_eq!(status, Some(1), "{judged}");
    assert_eq!(judged["properties"], report["properties"]);
}

const WHO: &str = "p1 panicked when HELLO came from p";

#[test]
fn a_panic_is_named_with_its_place() {
    let said = [WHO, "rogue.rs:", "was one greeting too many"];
    breaks("simulate", "panics", "no panic", &said);
    breaks("run", "panics", "no panic", &said);
}

#[test]
fn a_message_to_nobody_is_a_panic() {
    let said = ["p1", "it sends to p99, which is not one of the 3 processes"];
    breaks("simulate", "strays", "no panic", &said);
    breaks("run", "strays", "no panic", &said);
}

#[test]
fn a_handler_that_does_not_return_is_named() {
    let said = ["p1 did not return when HELLO came from p"];
    breaks("simulate", "spins", "every handler returns", &said);
    breaks("run", "spins", "every handler returns", &said);
}

#[test]
fn a_handler_that_is_not_deterministic_is_named() {
    let said = ["p1 is not deterministic when HELLO came from p"];
    breaks("simulate", "reads-clock", "deterministic", &said);
    breaks("simulate", "counts", "deterministic", &said);
}

#[test]
fn who_does_nothing_wrong_is_not_judged_by_it() {
    for verb in ["simulate", "run"] {
        let (status, report) = report(&[verb, "-n", "3", "--json"]);
        assert_eq!(status, Some(0), "{report}");
        assert_eq!(report["properties"].as_array().unwrap().len(), 2);
    }
}

/// A daemon has no standard error: what a handler says as it panics stands in the log of its process.
#[test]
fn a_panic_stands_in_the_log() {
    let (_, report) = report(&["run", "-n", "3", "--json", "--wrong", "panics"]);
    let logs = report["logs"].as_array().unwrap();
    let path = logs[1].as_str().unwrap().split_once(':').unwrap().1;
    let log = std::fs::read_to_string(Path::new(path)).unwrap();
    assert!(log.contains(WHO) && log.contains("was one greeting too many"), "{log}");
}
