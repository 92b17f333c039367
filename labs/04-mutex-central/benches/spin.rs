//! `check` against SPIN, on the same model: states, states a second, and what two cores give.
//!
//! ```text
//! cargo bench -p mutex-central --bench spin
//! ```
//!
//! Needs `spin` and `gcc` (Debian's packages of these names). `mutex.pml` is the algorithm of this lab in Promela, step
//! for step: without reduction both must find the same states, but for the one before the clients are made. SPIN judges
//! one assertion (one client at most is inside), `check` all properties of the lab. To reach: 0.7 of SPIN's states a
//! second on one core without reduction, no more states than SPIN with it, and 1.7 times as fast on two cores.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// How many processes: the coordinator and six clients, 372,037 states.
const PROCESSES: u32 = 7;

/// Of so many runs of each side the fastest counts: what is slower was disturbed.
const RUNS: usize = 3;

/// States, and how long it took to find them.
type Searched = (u64, Duration);

fn main() {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("load: {}", load.trim());
    let plain = check(&["--no-reduction", "--jobs", "1"]);
    let two = check(&["--no-reduction", "--jobs", "2"]);
    let reduced = check(&["--jobs", "1"]);
    println!("two cores against one: {:.2} (to reach: 1.7)", seconds(plain) / seconds(two));
    if Command::new("spin").arg("-V").output().is_err() {
        println!("spin is not installed: apt-get install spin, and this bench compares with it");
        return;
    }
    let folder = std::env::temp_dir().join(format!("spin-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("the folder for temporary files can be written to");
    let theirs = spin(&folder, &["-DNOREDUCE"]);
    let theirs_reduced = spin(&folder, &[]);
    // It was made here; if it stays, it is in the folder for such things.
    let _ = std::fs::remove_dir_all(&folder);
    assert_eq!(plain.0 + 1, theirs.0, "the two models are not the same any more");
    let ratio = rate(plain) / rate(theirs);
    println!("states a second on one core, all orders: {ratio:.2} (to reach: 0.7)");
    let (ours, theirs) = (reduced.0, theirs_reduced.0);
    println!("states with reduction: check {ours}, SPIN {theirs} (to reach: no more)");
}

fn seconds((_, time): Searched) -> f64 {
    time.as_secs_f64()
}

fn rate(searched: Searched) -> f64 {
    searched.0 as f64 / seconds(searched)
}

fn told(who: &str, how: &str, searched: Searched) -> Searched {
    let (states, time) = searched;
    println!("{who:<6} {how:<28} {states:>9} states, {:.3} s", time.as_secs_f64());
    searched
}

fn check(words: &[&str]) -> Searched {
    let processes = PROCESSES.to_string();
    let words = [&["check", "--json", "-n", &processes], words].concat();
    let ran = |_| {
        timed(Command::new(env!("CARGO_BIN_EXE_mutex-central")).args(&words), |text| {
            let report: serde_json::Value = serde_json::from_str(text).expect("it is JSON");
            report["states"].as_u64().expect("a report counts the states")
        })
    };
    let fastest = (0..RUNS).map(ran).min_by_key(|searched| searched.1).expect("it ran");
    told("check", &words[4..].join(" "), fastest)
}

/// Lets SPIN write its searcher, compiles it with these options, and runs it.
fn spin(folder: &Path, options: &[&str]) -> Searched {
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/mutex.pml");
    let clients = format!("-DCLIENTS={}", PROCESSES - 1);
    let make = |command: &mut Command| {
        let output = command.current_dir(folder).output().expect("spin and gcc are installed");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    make(Command::new("spin").args([&clients, "-DENTRIES=1", "-a", model]));
    let optimised = ["-w", "-O2", "-DSAFETY", "-o", "pan", "pan.c"];
    make(Command::new("gcc").args(optimised).args(options));
    let ran = |_| {
        timed(Command::new(folder.join("pan")).arg("-m100000"), |text| {
            let line = text.lines().find(|line| line.contains("states, stored"));
            let count = line.and_then(|line| line.split_whitespace().next());
            // From a million on SPIN writes 1.5e+06.
            count.and_then(|count| count.parse::<f64>().ok()).expect("SPIN counts them") as u64
        })
    };
    let fastest = (0..RUNS).map(ran).min_by_key(|searched| searched.1).expect("it ran");
    told(
        "SPIN",
        if options.is_empty() { "with its reduction" } else { "without reduction" },
        fastest,
    )
}

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn timed(command: &mut Command, states: impl Fn(&str) -> u64) -> Searched {
    let begin = Instant::now();
    let output = command.output().expect("the program starts");
    let time = begin.elapsed();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (states(&String::from_utf8_lossy(&output.stdout)), time)
}
