//! Bringing the program to a machine, and fetching files from it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::Ordering;

use netkit::hosts::Hosts;
use netkit::launch::{LaunchOptions, Program, Stage};
use netkit::ssh::Remote;
use test_sshd::{Behaviour, Bench, Sshd};

use crate::{DAEMON, Launcher, job, launch, name, refusal};

fn connect(bench: &Bench, server: &Sshd) -> Remote {
    Remote::connect(&Hosts::parse(&server.host()).unwrap()[0], &bench.options()).unwrap()
}

fn pushing(bench: &Bench) -> LaunchOptions {
    LaunchOptions { push: true, program: DAEMON.into(), ..bench.options() }
}

/// The names in the folder of copies.
fn copies(server: &Sshd) -> Vec<String> {
    let entries = fs::read_dir(server.home.join(".cache/netkit")).unwrap();
    let mut names: Vec<String> = entries.map(|e| name(&e.unwrap().path()).to_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_program_is_copied_once_and_started_from_its_copy() {
    let bench = Bench::new();
    let server = bench.server();
    for _ in 0..2 {
        let launcher = Launcher::new();
        let hosts = format!("{} slots=3", server.host());
        let report = launch(&hosts, 3, &pushing(&bench), &|rank, _| netkit::launch::Job {
            program: Program::Pushed,
            ..launcher.job(rank)
        });
        assert!(report.failed.is_empty(), "{}", report.failed[0].2);
        launcher.hear(3);
    }
    assert_eq!(server.seen.written.load(Ordering::SeqCst), 1);
    let copies = copies(&server);
    assert_eq!(copies.len(), 1, "{copies:?}");
    assert!(copies[0].starts_with("test-daemon-") && copies[0].len() == 12 + 16, "{copies:?}");
    let copy = server.home.join(".cache/netkit").join(&copies[0]);
    assert!(fs::read(&copy).unwrap() == fs::read(DAEMON).unwrap());
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o700);
    let folder = fs::metadata(server.home.join(".cache/netkit")).unwrap();
    assert_eq!(folder.permissions().mode() & 0o777, 0o700);
    assert!(server.commands().iter().all(|command| command.contains(copy.to_str().unwrap())));
}

#[test]
fn the_option_to_push_holds_for_every_job() {
    let bench = Bench::new();
    let server = bench.server();
    let launcher = Launcher::new();
    let report = launch(&server.host(), 1, &pushing(&bench), &|rank, _| netkit::launch::Job {
        program: Program::Here("/no/such".into()),
        ..launcher.job(rank)
    });
    assert!(report.failed.is_empty(), "{}", report.failed[0].2);
    launcher.hear(1);
}

#[test]
fn another_version_has_another_name_and_an_incomplete_copy_is_replaced() {
    let bench = Bench::new();
    let server = bench.server();
    let program = bench.path("ring");
    let mut remote = connect(&bench, &server);
    fs::write(&program, "version 1").unwrap();
    let one = remote.push(&program).unwrap();
    fs::write(&program, "version 2").unwrap();
    let two = remote.push(&program).unwrap();
    assert_ne!(one, two);
    fs::write(&two, "vers").unwrap();
    assert_eq!(remote.push(&program).unwrap(), two);
    assert_eq!(fs::read_to_string(&two).unwrap(), "version 2");
    assert_eq!(copies(&server).len(), 2, "no temporary file is left");
}

#[test]
fn several_sessions_may_push_at_once() {
    let bench = Bench::new();
    let server = bench.server();
    let paths: Vec<String> = std::thread::scope(|scope| {
        let push = || connect(&bench, &server).push(Path::new(DAEMON)).unwrap();
        let all: Vec<_> = (0..4).map(|_| scope.spawn(push)).collect();
        all.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(paths.iter().all(|path| *path == paths[0]));
    assert!(fs::read(&paths[0]).unwrap() == fs::read(DAEMON).unwrap());
    assert_eq!(copies(&server).len(), 1);
}

#[test]
fn a_server_without_sftp_is_said_to_be() {
    let bench = Bench::new();
    let server = bench.server_that(&Behaviour { sftp: false, ..Behaviour::default() });
    let error = refusal(&server.host(), &pushing(&bench));
    assert_eq!(error.stage, Stage::Copy);
    assert!(error.what.contains("no SFTP") && error.hint.contains("without --push"), "{error}");
}

#[test]
fn a_login_that_prints_is_not_called_a_missing_sftp() {
    let bench = Bench::new();
    let noise = "Welcome to the room on the ground floor\n";
    let server = bench.server_that(&Behaviour { noise, ..Behaviour::default() });
    let error = refusal(&server.host(), &pushing(&bench));
    assert_eq!(error.stage, Stage::Copy);
    assert!(error.what.contains("what it says is no SFTP"), "{error}");
    assert!(error.hint.contains(".bashrc"), "{error}");
}

#[test]
fn a_program_that_is_not_here_is_named() {
    let bench = Bench::new();
    let server = bench.server();
    let options = LaunchOptions { program: "/no/such/ring".into(), ..pushing(&bench) };
    let error = refusal(&server.host(), &options);
    assert_eq!(error.stage, Stage::Copy);
    assert!(error.what.contains("cannot read /no/such/ring"), "{error}");
}

#[test]
fn a_home_that_cannot_be_written_is_said() {
    let bench = Bench::new();
    let server = bench.server();
    fs::write(server.home.join(".cache"), "in the way").unwrap();
    let error = refusal(&server.host(), &pushing(&bench));
    assert_eq!(error.stage, Stage::Copy);
    assert!(error.what.contains(".cache/netkit"), "{error}");
}

#[test]
fn part_of_a_file_is_fetched() {
    let bench = Bench::new();
    let server = bench.server();
    let content: Vec<u8> = (0..1_000_000u32).map(|n| (n % 251) as u8).collect();
    fs::write(server.home.join("trace"), &content).unwrap();
    let mut remote = connect(&bench, &server);
    assert!(remote.read_file("trace", 0, u64::MAX).unwrap() == content);
    assert_eq!(remote.read_file("trace", 10, 5).unwrap(), &content[10..15]);
    assert_eq!(remote.read_file("trace", 999_990, 100).unwrap(), &content[999_990..]);
    assert_eq!(remote.read_file("trace", 2_000_000, 100).unwrap(), []);
    assert_eq!(remote.read_file("trace", 0, 0).unwrap(), []);
    let error = remote.read_file("none", 0, 1).unwrap_err();
    assert_eq!(error.stage, Stage::Copy);
    assert!(error.what.starts_with("none: cannot open it there"), "{error}");
    // A file that is not there breaks nothing.
    assert_eq!(remote.read_file("trace", 0, 1).unwrap(), [0]);
    remote.start(&job(&["fail", "still usable"])).unwrap_err();
}
