//! Running commands to their end, as at the end of a run.

use std::time::{Duration, Instant};

use netkit::hosts::Hosts;
use netkit::launch::Stage;
use netkit::ssh::{MAX_RUN_OUTPUT, Output, Remote};
use test_sshd::{Bench, Sshd};

/// Enough for any command here, on any machine.
const LONG: Duration = Duration::from_secs(60);

fn remote() -> (Bench, Sshd, Remote) {
    let bench = Bench::new();
    let server = bench.server();
    let hosts = Hosts::parse(&server.host()).unwrap();
    let remote = Remote::connect(&hosts[0], &bench.options()).unwrap();
    (bench, server, remote)
}

fn sh(remote: &mut Remote, script: &str, stdin: &[u8]) -> Output {
    remote.run(&["sh", "-c", script], stdin, LONG).unwrap()
}

#[test]
fn outputs_and_status_come_back() {
    let (_bench, _server, mut remote) = remote();
    let output = sh(&mut remote, "echo out; echo err >&2; exit 3", b"");
    assert_eq!((output.status, output.signal), (Some(3), None));
    assert_eq!(
        (output.stdout.as_slice(), output.stderr.as_slice()),
        (&b"out\n"[..], &b"err\n"[..])
    );
    let output = sh(&mut remote, "kill -9 $$", b"");
    assert_eq!((output.status, output.signal.as_deref()), (None, Some("KILL")));
}

#[test]
fn input_larger_than_any_buffer_comes_back_while_it_is_written() {
    let (_bench, _server, mut remote) = remote();
    let input: Vec<u8> = (0..5_000_000u32).map(|n| (n % 253) as u8).collect();
    let output = remote.run(&["cat"], &input, LONG).unwrap();
    assert!(output.stdout == input && output.status == Some(0));
}

#[test]
fn much_on_one_output_does_not_stall_the_other() {
    let (_bench, _server, mut remote) = remote();
    let output = sh(&mut remote, "head -c 6000000 /dev/zero >&2; head -c 6000000 /dev/zero", b"");
    assert_eq!((output.stdout.len(), output.stderr.len()), (6_000_000, 6_000_000));
}

#[test]
fn output_without_end_is_cut_off() {
    let (_bench, _server, mut remote) = remote();
    let output = remote.run(&["yes"], b"", LONG).unwrap();
    assert!(output.cut_off);
    assert_eq!((output.stdout.len(), output.status), (MAX_RUN_OUTPUT, None));
}

#[test]
fn words_reach_the_command_as_they_are() {
    let (_bench, _server, mut remote) = remote();
    let words = ["printf", "%s|", "it's", "$HOME", "a b", "", "*", "\\", "\"", "!x", "é"];
    let output = remote.run(&words, b"", LONG).unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "it's|$HOME|a b||*|\\|\"|!x|é|");
}

#[test]
fn a_command_that_takes_too_long_is_given_up() {
    let (_bench, _server, mut remote) = remote();
    let begun = Instant::now();
    let error = remote.run(&["sleep", "60"], b"", Duration::from_millis(200)).unwrap_err();
    assert_eq!(error.stage, Stage::Start);
    assert!(error.what.contains("`sleep 60` took longer than 0.2 s"), "{error}");
    // The session is still good.
    assert_eq!(sh(&mut remote, "echo next", b"").stdout, b"next\n");
    drop(remote);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[test]
fn a_server_that_goes_away_is_noticed() {
    let (_bench, server, mut remote) = remote();
    drop(server);
    let begun = Instant::now();
    let error = remote.run(&["true"], b"", LONG).unwrap_err();
    assert!(error.what.contains("lost the connection"), "{error}");
    drop(remote);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}
