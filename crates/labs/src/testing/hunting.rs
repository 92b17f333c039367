//! Hunts, and mistakes that must show without options.

use clap::ValueEnum;
use serde_json::Value;

use super::program::{Program, Ran};

/// With how many seeds a mistake must show in the simulator.
const SEEDS: &str = "1..50";

/// How many runs of a hunt are made where nothing is to be found; `HUNT_RUNS` says otherwise.
const RUNS: &str = "150";

/// Makes sure that each mistake of a lab is noticed by `simulate` with one of some seeds, and by `hunt` within
/// its usual time, without any other option; and that the command line which the hunt prints shows it again.
///
/// # Panics
///
/// If a mistake is not noticed.
pub fn every_mistake_shows<M: ValueEnum>(program: Program) {
    let names = M::value_variants().iter().filter_map(M::to_possible_value);
    let names: Vec<_> = names.map(|name| name.get_name().to_owned()).collect();
    assert!(!names.is_empty(), "there is no mistake");
    let unseen = |name: &&String| {
        let words = ["simulate", "--broken", name, "--seeds", SEEDS, "--json"];
        Ran::of(&program.output(&words)).status != 1
    };
    let unseen: Vec<_> = names.iter().filter(unseen).collect();
    assert!(unseen.is_empty(), "no seed of {SEEDS} shows {unseen:?}");
    let unseen: Vec<_> = names.iter().filter_map(|name| finds(program, name).err()).collect();
    assert!(unseen.is_empty(), "{}", unseen.join("\n"));
}

/// What a hunt reports, but for the time that it took: the same hunt reports the same.
pub fn hunted(program: Program, words: &[&str]) -> Value {
    let words = [&["hunt", "--json"], words].concat();
    let mut report = Ran::of(&program.output(&words)).report;
    report["elapsed_s"] = Value::Null;
    report
}

/// Hunts a mistake, and runs the smallest command line that shows it.
fn finds(program: Program, name: &str) -> Result<(), String> {
    let ran = Ran::of(&program.output(&["hunt", "--broken", name, "--json"]));
    let violation = &ran.report["violation"];
    let (Some(command), 1) = (violation["command"].as_str(), ran.status) else {
        return Err(format!("a hunt does not find {name}: {}", ran.report));
    };
    let words = shell_words(command);
    let mut words: Vec<_> = words.iter().skip(1).map(String::as_str).collect();
    words.push("--json");
    let again = Ran::of(&program.output(&words));
    let property = violation["property"].as_str().unwrap_or_default();
    match again.status == 1 && again.verdict(property) == false {
        true => Ok(()),
        false => Err(format!("{command} does not show {property}: {}", again.report)),
    }
}

/// Makes sure that in a lab without a mistake neither the simulator, nor the checker, nor a hunt finds anything, all
/// without options; and that the hunt puts all properties to the test.
///
/// # Panics
///
/// If one finds something, or the hunt leaves a property out.
pub fn nothing_is_found(program: Program) {
    for words in [&["simulate", "--seeds", SEEDS, "--json"][..], &["check", "--json"]] {
        let ran = Ran::of(&program.output(words));
        assert_eq!(ran.status, 0, "{words:?}: {}", ran.report);
    }
    let runs = std::env::var("HUNT_RUNS").unwrap_or(RUNS.to_owned());
    let ran = Ran::of(&program.output(&["hunt", "--runs", &runs, "--json"]));
    assert_eq!(ran.status, 0, "{}", ran.report["violation"]);
    let properties = ran.report["properties"].as_array().expect("a report lists the properties");
    let untested = properties.iter().filter(|property| property["tested"] == 0);
    assert_eq!(untested.count(), 0, "{}", ran.report["properties"]);
}

/// The words of a command line as a shell reads them, where a hunt wrote it.
fn shell_words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut is_quoted = false;
    for letter in line.chars() {
        match letter {
            '\'' => is_quoted = !is_quoted,
            ' ' if !is_quoted => words.push(String::new()),
            other => words.last_mut().expect("there is a word").push(other),
        }
    }
    words
}
