//! Starting daemons over one session, and what can be wrong with a program.

use std::time::{Duration, Instant};

use netkit::launch::{Job, LaunchOptions, Program, Stage};
use test_sshd::{Behaviour, Bench};

use crate::{Launcher, job, launch, succeed};

/// A job of another program.
fn other(path: &str, arguments: &[&str]) -> Job {
    Job { program: Program::Here(path.into()), ..job(arguments) }
}

/// What a single job fails with on a server of this behaviour.
fn failure(
    behaviour: &Behaviour,
    options: impl Fn(LaunchOptions) -> LaunchOptions,
    job: &Job,
) -> String {
    let bench = Bench::new();
    let server = bench.server_that(behaviour);
    let report = launch(&server.host(), 1, &options(bench.options()), &|_, _| job.clone());
    assert_eq!(report.started, []);
    let error = &report.failed[0].2;
    assert_eq!(error.stage, Stage::Start, "{error}");
    error.to_string()
}

/// As [`failure`], on a server without fault.
fn plain_failure(job: &Job) -> String {
    failure(&Behaviour::default(), |options| options, job)
}

#[test]
fn sixteen_daemons_on_one_machine_take_one_session() {
    let bench = Bench::new();
    let server = bench.server();
    let launcher = Launcher::new();
    let hosts = format!("{} slots=16", server.host());
    let report = launch(&hosts, 16, &bench.options(), &|rank, address| {
        assert_eq!(address.to_string(), "127.0.0.1");
        launcher.job(rank)
    });
    assert!(report.failed.is_empty(), "{}", report.failed[0].2);
    let (lines, _daemons) = launcher.hear(16);
    let mut expected: Vec<String> = report
        .started
        .iter()
        .map(|(rank, _, pid)| format!("{rank} {pid} secret it's green"))
        .collect();
    expected.sort();
    assert_eq!(lines, expected);
    assert_eq!((server.connections(), server.commands().len()), (1, 16));
}

#[test]
fn the_secret_stands_on_no_command_line() {
    let bench = Bench::new();
    let server = bench.server();
    succeed(&server.host(), &bench.options());
    assert!(server.commands().iter().all(|command| !command.contains("secret")));
}

#[test]
fn a_server_that_opens_two_channels_at_once_is_enough() {
    let bench = Bench::new();
    let server = bench.server_that(&Behaviour { max_sessions: 2, ..Behaviour::default() });
    let launcher = Launcher::new();
    let hosts = format!("{} slots=7", server.host());
    let report = launch(&hosts, 7, &bench.options(), &|rank, _| launcher.job(rank));
    assert!(report.failed.is_empty(), "{}", report.failed[0].2);
    assert_eq!(launcher.hear(7).0.len(), 7);
    assert_eq!(server.connections(), 1);
}

#[test]
fn what_a_login_prints_before_is_skipped() {
    let bench = Bench::new();
    let noise = "Welcome!\n@@netkit nonsense\nYou have mail (no line end) ";
    let server = bench.server_that(&Behaviour { noise, ..Behaviour::default() });
    succeed(&server.host(), &bench.options());
}

#[test]
fn a_program_that_is_not_there_is_named_with_what_to_do() {
    let text = plain_failure(&other("/no/such/ring", &[]));
    assert!(text.contains("no program at /no/such/ring there"), "{text}");
    assert!(text.ends_with("give --push, or install it there"), "{text}");
}

#[test]
fn a_program_that_may_not_be_run_is_named() {
    let text = plain_failure(&other("/etc/passwd", &[]));
    assert!(text.contains("/etc/passwd may not be run there"), "{text}");
}

#[test]
fn a_path_that_is_not_absolute_is_refused() {
    let text = plain_failure(&other("ring", &[]));
    assert!(text.contains("`ring` is no absolute path"), "{text}");
}

#[test]
fn a_program_that_says_nothing_is_shown_with_its_last_words() {
    // Both on one stream: what stands on two arrives in no certain order.
    let text =
        plain_failure(&other("/bin/sh", &["-c", "echo first >&2; echo port in use >&2; exit 3"]));
    assert!(text.contains("ended with status 3 before it was ready: port in use"), "{text}");
    let text = plain_failure(&other("/bin/true", &[]));
    assert!(text.ends_with("ended with status 0 before it was ready"), "{text}");
}

#[test]
fn a_program_that_a_signal_ended_is_said_to_be() {
    let text = plain_failure(&other("/bin/sh", &["-c", "kill -9 $$"]));
    assert!(text.contains("ended by SIGKILL before it was ready"), "{text}");
}

#[test]
fn what_the_daemon_says_is_wrong_is_passed_on() {
    let text = plain_failure(&job(&["fail", "cannot listen on port 79\u{1b}[2J"]));
    assert!(text.ends_with("start: cannot listen on port 79\\u{1b}[2J"), "{text}");
    let text = plain_failure(&job(&["give-up"]));
    assert!(text.ends_with("the daemon gave up without saying why"), "{text}");
}

#[test]
fn a_program_that_hangs_is_given_up_in_time() {
    let begun = Instant::now();
    let quick = |options| LaunchOptions { start_timeout: Duration::from_millis(300), ..options };
    let hanging = other("/bin/sh", &["-c", "echo waiting for the disk; exec sleep 60"]);
    let text = failure(&Behaviour::default(), quick, &hanging);
    assert!(text.contains("not ready within 0.3 s: waiting for the disk"), "{text}");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[test]
fn a_program_that_is_ready_but_does_not_detach_is_an_error() {
    let quick = |options| LaunchOptions { start_timeout: Duration::from_millis(500), ..options };
    let text = failure(&Behaviour::default(), quick, &job(&["linger"]));
    assert!(text.contains("did not detach"), "{text}");
}

#[test]
fn a_login_that_prints_without_end_fills_no_memory() {
    let text = plain_failure(&other("/bin/sh", &["-c", "exec yes spam"]));
    assert!(text.contains("prints too much before the program is ready"), "{text}");
}

#[test]
fn one_bad_job_does_not_spoil_the_others() {
    let bench = Bench::new();
    let server = bench.server();
    let launcher = Launcher::new();
    let hosts = format!("{} slots=5", server.host());
    let report = launch(&hosts, 5, &bench.options(), &|rank, _| match rank {
        1 => job(&["fail", "no"]),
        3 => other("/no/such", &[]),
        _ => launcher.job(rank),
    });
    let started: Vec<u32> = report.started.iter().map(|started| started.0).collect();
    let failed: Vec<&[u32]> = report.failed.iter().map(|failed| failed.0.as_slice()).collect();
    assert_eq!((started.as_slice(), failed.as_slice()), (&[0, 2, 4][..], &[&[1][..], &[3]][..]));
    launcher.hear(3);
}
