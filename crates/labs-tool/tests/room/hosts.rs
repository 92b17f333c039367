//! `labs hosts`: machines that are ready, and each way in which one may not be.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use test_sshd::{Behaviour, Bench, ECDSA, new_key};

use crate::{Said, labs, text};

/// Tries the machines of these lines, with a program that need not be that of the tests.
fn try_with(program: &Path, bench: &Bench, lines: &[String], more: &[&str]) -> (i32, Vec<Value>) {
    bench.write("hosts.txt", &lines.join("\n"));
    let output = Command::new(program)
        .args(["hosts", "--json", text(&bench.path("hosts.txt"))])
        .args(["-i", text(&bench.path("id_ed25519"))])
        .args(["--known-hosts", text(&bench.path("known_hosts"))])
        .args(more)
        .env_remove("SSH_AUTH_SOCK")
        .env("HOME", bench.path("home"))
        .output()
        .unwrap();
    let said = Said::of(&output);
    (said.status, said.json().as_array().unwrap().clone())
}

fn tried(bench: &Bench, lines: &[String]) -> (i32, Vec<Value>) {
    try_with(Path::new(env!("CARGO_BIN_EXE_labs")), bench, lines, &[])
}

fn mend(checked: &Value) -> String {
    checked["mend"].to_string()
}

#[test]
fn machines_that_are_ready_are_ready() {
    let bench = Bench::new();
    let servers = [bench.server(), bench.server()];
    let lines = ["localhost".to_owned(), servers[0].host(), servers[1].host()];
    let (status, all) = tried(&bench, &lines);
    assert_eq!(status, 0, "{all:?}");
    for checked in &all {
        assert_eq!((&checked["ready"], mend(checked).as_str()), (&Value::Bool(true), "[]"));
        for what in ["ports", "tmp"] {
            assert_eq!(checked[what], "ok", "{checked}");
        }
        let offset = checked["clock_offset_s"].as_f64().unwrap();
        assert!(offset.abs() < 1.0, "it is the same clock: {offset}");
    }
    assert_eq!((&all[0]["ssh"], &all[1]["ssh"]), (&"unneeded".into(), &"ok".into()));
    assert!(all[2]["notes"].to_string().contains("is the same machine as localhost"), "{all:?}");

    let (hosts, key) = (bench.path("hosts.txt"), bench.path("id_ed25519"));
    let known = bench.path("known_hosts");
    let table = labs(&["hosts", text(&hosts), "-i", text(&key), "--known-hosts", text(&known)]).out;
    assert_eq!(table.matches("ready\n").count(), 3, "{table}");
}

#[test]
fn what_is_in_the_way_is_named_with_what_to_do() {
    let bench = Bench::new();
    let good = bench.server();
    let noisy =
        bench.server_that(&Behaviour { noise: "welcome\nto lab07\n", ..Default::default() });
    let stranger = test_sshd::Sshd::start(std::slice::from_ref(&bench.key), &Behaviour::default());
    let refuses =
        test_sshd::Sshd::start(&[new_key(ECDSA).public_key().clone()], &Behaviour::default());
    let known = bench.read("known_hosts") + &refuses.known_as(0);
    bench.write("known_hosts", &known);
    let lines = [
        good.host(),
        "nosuchhost.invalid".to_owned(),
        "127.0.0.1:1".to_owned(),
        stranger.host(),
        refuses.host(),
        noisy.host(),
    ];
    let (status, all) = tried(&bench, &lines);
    assert_eq!(status, 2, "{all:?}");
    let ready: Vec<_> = all.iter().map(|checked| checked["ready"] == true).collect();
    assert_eq!(ready, [true, false, false, false, false, true], "{all:?}");
    for (checked, stage) in all[1..5].iter().zip(["resolve", "connect", "host key", "authenticate"])
    {
        assert_eq!((&checked["ssh"], &checked["tmp"]), (&"failed".into(), &"untried".into()));
        assert!(mend(checked).contains(&format!(": {stage}: ")), "{stage}: {checked}");
    }
}

#[test]
fn with_push_the_program_is_copied_where_that_can_be_done() {
    let bench = Bench::new();
    let no_sftp = Behaviour { sftp: false, ..Default::default() };
    let (good, no_sftp) = (bench.server(), bench.server_that(&no_sftp));
    let program = Path::new(env!("CARGO_BIN_EXE_labs"));
    let (status, all) = try_with(program, &bench, &[good.host(), no_sftp.host()], &["--push"]);
    assert_eq!(status, 2, "{all:?}");
    assert_eq!((&all[0]["program"], &all[1]["program"]), (&"ok".into(), &"failed".into()));
    assert!(mend(&all[1]).contains("SFTP"), "{all:?}");
    assert!(good.commands().iter().any(|command| command.contains(".cache/netkit/labs-")));
}
