//! On one machine, without SSH.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use labs::testing::{assert_nothing_left, wait_until};
use netkit::{Signal, census};

use crate::{Said, Staying, command, greet, labs};

#[test]
fn a_run_is_seen_and_ended() {
    let staying = Staying::start(&["--processes", "3"]);
    let rows = staying.rows(&[]);
    let ranks: Vec<_> = rows.iter().map(|row| row["rank"].as_u64()).collect();
    assert_eq!(ranks, [None, Some(0), Some(1), Some(2)], "{rows:?}");
    assert_eq!(rows[0]["pid"], staying.launcher.id());
    assert!(rows.iter().all(|row| row["lab"] == "greet" && row["stopped"] == false), "{rows:?}");
    let table = labs(&["ps"]).out;
    assert!(table.starts_with("RUN") && table.contains(&staying.run), "{table}");

    let run = staying.run.clone();
    let said = labs(&["stop", &run]);
    assert_eq!(said.status, 0, "{said:?}");
    assert!(said.out.contains("has ended and cleaned up"), "{said:?}");
    let report = staying.report();
    assert_eq!(report.status, 0, "a run that stayed is judged when it ends: {report:?}");
    assert!(report.json()["properties"].as_array().unwrap().iter().all(|p| p["holds"] == true));
    assert_nothing_left(&run);

    let said = labs(&["stop", &run]);
    assert_eq!((said.status, said.out.trim()), (0, &*format!("{run}: nothing of it is alive")));
    let ps = labs(&["ps", "--json"]);
    assert!(!ps.out.contains(&run), "{ps:?}");
}

#[test]
fn stop_ends_what_a_killed_launcher_left_even_if_stopped() {
    let mut staying = Staying::start(&["--processes", "3"]);
    let rows = staying.rows(&[]);
    let pid = rows[2]["pid"].as_u64().unwrap() as u32;
    assert!(census::signal(pid, census::started(pid).unwrap(), Signal::SIGSTOP));
    staying.launcher.kill().unwrap();
    staying.launcher.wait().unwrap();
    // The others end by themselves, and kill the stopped one: unless we do before.
    let said = labs(&["stop", "--json", &staying.run]);
    assert_eq!(said.status, 0, "{said:?}");
    assert_eq!(said.json()["launcher"], serde_json::Value::Null);
    assert_nothing_left(&staying.run);
}

#[test]
fn a_stopped_participant_is_shown_as_stopped() {
    let staying =
        Staying::start(&["--processes", "2", "--faults", "stop 1 at 60m; continue 1 at 61m"]);
    let pid = staying.rows(&[])[2]["pid"].as_u64().unwrap() as u32;
    assert!(census::signal(pid, census::started(pid).unwrap(), Signal::SIGSTOP));
    wait_until("it is shown", || staying.rows(&[]).iter().any(|row| row["stopped"] == true));
    let run = staying.run.clone();
    assert_eq!(labs(&["stop", &run]).status, 0);
    staying.report();
    assert_nothing_left(&run);
}

#[test]
fn a_run_that_there_never_was_is_an_error() {
    for verb in ["stop", "logs"] {
        let said = labs(&[verb, "19990101-000000-0000"]);
        assert_eq!((said.status, said.err.lines().count()), (2, 1), "{said:?}");
        assert!(said.err.contains("19990101-000000-0000"), "{said:?}");
        assert_eq!(labs(&[verb, "../../etc"]).status, 2);
    }
}

/// There is no machine to reach, so nobody else would say it.
#[test]
fn a_key_that_cannot_be_read_is_refused_by_every_verb() {
    let folder = tempfile::tempdir().unwrap();
    let (hosts, gone) = (folder.path().join("hosts.txt"), folder.path().join("nofile"));
    fs::write(&hosts, "localhost\n").unwrap();
    let (hosts, gone) = (hosts.to_str().unwrap(), gone.to_str().unwrap());
    let run = "19990101-000000-0000";
    for (key, why) in [(gone, "No such file"), (env!("CARGO_MANIFEST_DIR"), "not an ordinary file")]
    {
        let words = [&["ps"][..], &["logs", run], &["stop", run], &["hosts", hosts]];
        let mut said: Vec<_> =
            words.iter().map(|words| labs(&[words, &["-i", key][..]].concat())).collect();
        said.push(Said::of(&Command::new(greet()).args(["run", "-i", key]).output().unwrap()));
        for said in said {
            assert_eq!((said.status, said.err.lines().count()), (2, 1), "{said:?}");
            assert!(said.err.contains(&format!("-i: cannot read the key {key}: ")), "{said:?}");
            assert!(said.err.contains(why) && said.out.is_empty(), "{said:?}");
        }
    }
}

#[test]
fn logs_are_merged_in_causal_order_and_filtered() {
    let staying = Staying::start(&["--processes", "4"]);
    let run = staying.run.clone();
    assert_eq!(labs(&["stop", &run]).status, 0);
    staying.report();
    let folder = PathBuf::from(format!("{}/{run}", netkit::logs::user_folder("labs").display()));
    let note = fs::metadata(folder.join("run.json")).unwrap();
    assert_eq!(note.mode() & 0o777, 0o600);

    // Two processes whose clocks are an hour apart: p9 asks, p8 answers.
    let write = |rank: u32, lines: &[(&str, &str, &str)]| {
        let line = |(time, level, text): &(&str, &str, &str)| {
            format!("2030-01-01T{time}:00.000000Z {level:<5} p{rank} {text}\n")
        };
        let text: String = lines.iter().map(line).collect();
        fs::write(folder.join(format!("greet-{rank}-lab-1.log")), text).unwrap();
    };
    write(
        9,
        &[
            ("09:00", "INFO", "starts"),
            ("09:01", "WARN", "@1 asks"),
            ("09:02", "DEBUG", "@6 has it \u{1b}[2J"),
        ],
    );
    write(
        8,
        &[
            ("08:00", "INFO", "starts"),
            ("08:02", "INFO", "@3 answers"),
            ("08:03", "INFO", "is idle"),
        ],
    );
    let said = labs(&["logs", &run, "-p", "8", "-p", "9"]);
    assert_eq!(said.status, 0, "{said:?}");
    let order: Vec<_> = said.out.lines().map(|line| &line[34..]).collect();
    let expected = [
        "p8 starts",
        "p9 starts",
        "p9 @1 asks",
        "p8 @3 answers",
        "p8 is idle",
        "p9 @6 has it \\u{1b}[2J",
    ];
    assert_eq!(order, expected, "as they happened, and nothing commands the terminal");
    let said = labs(&["logs", &run, "-p", "8", "-p", "99"]);
    assert_eq!((said.status, said.out.as_str()), (2, ""), "{said:?}");
    assert!(
        said.err.contains("--process 99: the run has no such process, only p0, p1, p2, p3, p8, p9"),
        "{said:?}"
    );
    let said = labs(&["logs", &run, "-p", "9", "--level", "warn"]);
    assert_eq!(said.out.lines().count(), 1, "{said:?}");
    assert!(said.out.contains("asks"));
    let all = labs(&["logs", &run]);
    for rank in 0..4 {
        assert!(all.out.contains(&format!("p{rank} the algorithm starts")), "{all:?}");
    }
}

/// Follows the logs of a run, until a line says that its algorithm starts.
fn follow(run: &str) -> (Child, impl Iterator<Item = String> + use<>) {
    let mut follow = command(&["logs", run, "--follow"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(follow.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("the algorithm starts")));
    (follow, lines)
}

#[test]
fn logs_are_followed_until_ctrl_c() {
    let staying = Staying::start(&["--processes", "2"]);
    let (mut follow, _lines) = follow(&staying.run);
    assert!(census::signal(follow.id(), census::started(follow.id()).unwrap(), Signal::SIGINT));
    assert_eq!(follow.wait().unwrap().code(), Some(0));
    assert_eq!(labs(&["stop", &staying.run]).status, 0);
    staying.report();
}

#[test]
fn logs_are_followed_until_the_run_has_ended() {
    let staying = Staying::start(&["--processes", "2"]);
    let (mut follow, mut lines) = follow(&staying.run);
    let run = staying.run.clone();
    assert_eq!(labs(&["stop", &run]).status, 0);
    staying.report();
    assert!(
        lines.any(|line| line.contains("stopped by the launcher")),
        "what comes later is shown"
    );
    assert_eq!(lines.filter(|line| line.contains("the algorithm starts")).count(), 0);
    assert_eq!(follow.wait().unwrap().code(), Some(0), "it ends with the run");
}

/// The folder of a run that is said to be of long ago.
fn old_run() -> PathBuf {
    let uid = fs::metadata("/proc/self").unwrap().uid();
    let user = nix::unistd::User::from_uid(uid.into()).unwrap().unwrap();
    let folder = PathBuf::from(format!("/tmp/labs-{}/20000101-000000-01d0", user.name));
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).unwrap();
    fs::write(folder.join("greet-0-here-1.log"), "long ago").unwrap();
    let long_ago = SystemTime::now() - Duration::from_secs(8 * 24 * 3600);
    fs::File::open(&folder).unwrap().set_modified(long_ago).unwrap();
    folder
}

#[test]
fn old_runs_are_removed_unless_they_are_to_be_kept() {
    let run = |options: &[&str]| {
        let arguments = [&["run", "--processes", "2"], options].concat();
        Said::of(&Command::new(greet()).args(arguments).output().unwrap())
    };
    let old = old_run();
    let kept = run(&["--keep"]);
    assert_eq!(kept.status, 0, "{kept:?}");
    assert!(old.exists() && !kept.err.contains("removed"), "{kept:?}");
    // Runs beside this one may see it first, and then say so.
    let removed = run(&[]);
    assert_eq!(removed.status, 0, "{removed:?}");
    assert!(!old.exists(), "{removed:?}");
}
