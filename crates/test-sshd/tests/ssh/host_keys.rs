//! Which machines are believed to be the right ones.

use netkit::launch::{LaunchOptions, Stage};
use russh::keys::Algorithm;
use test_sshd::{Behaviour, Bench, ECDSA, Sshd, known_line, new_key};

use crate::{Launcher, launch, refusal, succeed};

/// A server that takes the key of the bench, and is not known to it.
fn stranger(bench: &Bench) -> Sshd {
    Sshd::start(std::slice::from_ref(&bench.key), &Behaviour::default())
}

fn accepting_new(bench: &Bench) -> LaunchOptions {
    LaunchOptions { accept_new: true, ..bench.options() }
}

#[test]
fn a_known_host_is_believed() {
    let bench = Bench::new();
    let server = bench.server();
    succeed(&server.host(), &bench.options());
}

#[test]
fn an_unknown_host_is_refused_and_nothing_runs_there() {
    let bench = Bench::new();
    let server = stranger(&bench);
    let error = refusal(&server.host(), &bench.options());
    assert_eq!(error.stage, Stage::HostKey);
    let fingerprint = server.host_keys[0].fingerprint(Default::default()).to_string();
    assert!(error.what.contains(&fingerprint), "{error}");
    assert!(error.hint.contains("--accept-new") && error.hint.contains("ssh-keyscan"), "{error}");
    assert_eq!(server.commands(), [""; 0]);
    assert_eq!(bench.read("known_hosts"), "");
}

#[test]
fn an_unknown_host_is_accepted_when_asked_to_and_remembered() {
    let bench = Bench::new();
    let server = stranger(&bench);
    bench.write("known_hosts", "# no line end at the end");
    succeed(&server.host(), &accepting_new(&bench));
    let expected = format!("# no line end at the end\n{}", server.known_as(0));
    assert_eq!(bench.read("known_hosts"), expected);
    succeed(&server.host(), &bench.options());
    succeed(&server.host(), &accepting_new(&bench));
    assert_eq!(bench.read("known_hosts"), expected);
}

#[test]
fn a_host_that_many_lines_name_is_remembered_once() {
    let bench = Bench::new();
    let (one, two) = (stranger(&bench), stranger(&bench));
    let hosts = [one.host(), two.host()].join("\n") + "\n";
    let launcher = Launcher::new();
    let report =
        launch(&hosts.repeat(6), 12, &accepting_new(&bench), &|rank, _| launcher.job(rank));
    assert_eq!(report.started.len(), 12, "{report:?}");
    launcher.hear(12);
    let mut lines: Vec<String> = bench.read("known_hosts").lines().map(str::to_owned).collect();
    lines.sort();
    let mut expected = [one.known_as(0), two.known_as(0)].map(|line| line.trim_end().to_owned());
    expected.sort();
    assert_eq!(lines, expected);
}

#[test]
fn a_changed_host_key_is_always_refused() {
    let bench = Bench::new();
    let server = stranger(&bench);
    let other = known_line(server.address, new_key(Algorithm::Ed25519).public_key());
    bench.write("known_hosts", &format!("# first\n{other}"));
    for options in [bench.options(), accepting_new(&bench)] {
        let error = refusal(&server.host(), &options);
        assert_eq!(error.stage, Stage::HostKey);
        assert!(error.what.contains("CHANGED") && error.what.contains("known_hosts:2"), "{error}");
        assert!(error.hint.contains("ssh-keygen -R"), "{error}");
    }
    assert_eq!(server.commands(), [""; 0]);
    assert_eq!(bench.read("known_hosts"), format!("# first\n{other}"));
}

#[test]
fn a_revoked_host_key_is_always_refused() {
    let bench = Bench::new();
    let server = bench.server();
    let revoked = format!("{}@revoked {}", server.known_as(0), server.known_as(0));
    bench.write("known_hosts", &revoked);
    for options in [bench.options(), accepting_new(&bench)] {
        let error = refusal(&server.host(), &options);
        assert_eq!(error.stage, Stage::HostKey);
        assert!(error.what.contains("revoked") && error.what.contains("known_hosts:2"), "{error}");
    }
}

#[test]
fn the_server_is_asked_for_the_kind_of_key_that_is_on_file() {
    let bench = Bench::new();
    let behaviour =
        Behaviour { host_keys: vec![Algorithm::Ed25519, ECDSA], ..Behaviour::default() };
    for index in [0, 1] {
        let server = Sshd::start(std::slice::from_ref(&bench.key), &behaviour);
        bench.write("known_hosts", &server.known_as(index));
        succeed(&server.host(), &bench.options());
    }
}

#[test]
fn another_kind_of_key_than_the_one_on_file_is_a_changed_key() {
    let bench = Bench::new();
    let server = stranger(&bench);
    bench.write("known_hosts", &known_line(server.address, new_key(ECDSA).public_key()));
    let error = refusal(&server.host(), &accepting_new(&bench));
    assert!(error.what.contains("CHANGED"), "{error}");
}

#[test]
fn a_folder_that_does_not_exist_yet_is_made_to_remember_a_host() {
    let bench = Bench::new();
    let server = stranger(&bench);
    let mut options = accepting_new(&bench);
    options.known_hosts = Some(bench.path("new/known_hosts"));
    succeed(&server.host(), &options);
    assert_eq!(bench.read("new/known_hosts"), server.known_as(0));
}
