//! The coordinator is killed with -9 at random moments under load, and started again with the same `--state`: no
//! token is given twice, nobody enters while another is inside, and every section that a client counts is there.
//!
//! 30 times, which takes seconds; as often as `MUTEX_CENTRAL_KILLS` says.

mod common;

use std::fs;
use std::thread;
use std::time::Duration;

use common::role::{Role, assert_file_holds};
use labs::process::split_mix;
use labs::testing::wait_until;
use nix::sys::signal::Signal;

const CLIENTS: usize = 4;

/// The longest time that a coordinator runs before it is killed, and that it is down.
const RUNS_MAX_US: u64 = 150_000;
const DOWN_MAX_US: u64 = 20_000;

/// The least that is a load: so many sections for each kill.
const SECTIONS_A_KILL: usize = 20;

#[expect(clippy::disallowed_methods, reason = "random moments are the test: there is no event")]
fn pause(us: u64) {
    thread::sleep(Duration::from_micros(us));
}

fn kills() -> usize {
    let set = std::env::var("MUTEX_CENTRAL_KILLS").ok();
    set.map_or(30, |kills| kills.parse().expect("MUTEX_CENTRAL_KILLS is a number"))
}

#[test]
fn no_token_is_given_twice_however_often_it_is_killed() {
    let kills = kills();
    let folder = tempfile::tempdir().unwrap();
    let with_state = ["--state", "state"];
    let (mut coordinator, address) = Role::coordinator(folder.path(), "127.0.0.1:0", &with_state);
    let client =
        ["client", &address, "--entries", "0", "--retry", "20", "--file", "file", "--quit"];
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| Role::start(folder.path(), &client)).collect();
    clients.iter_mut().for_each(|client| drop(client.line()));
    let mut random = 0xdead;
    for kill in 1..=kills {
        let sections = || {
            let text = fs::read_to_string(folder.path().join("file")).unwrap_or_default();
            text.lines().filter(|line| line.starts_with("end ")).count()
        };
        wait_until("there is a load", || sections() >= kill * SECTIONS_A_KILL);
        pause(split_mix(&mut random) % RUNS_MAX_US);
        coordinator.signal(Signal::SIGKILL);
        coordinator.child.wait().unwrap();
        pause(split_mix(&mut random) % DOWN_MAX_US);
        (coordinator, _) = Role::coordinator(folder.path(), &address, &with_state);
    }
    clients.iter().for_each(|client| client.signal(Signal::SIGTERM));
    let counted = clients.into_iter().map(|client| {
        let (status, said) = client.end();
        assert_eq!(status, Some(0), "{said}");
        let words = said.lines().last().unwrap().split_whitespace().nth(2);
        words.and_then(|word| word.parse::<usize>().ok()).unwrap_or_else(|| panic!("{said:?}"))
    });
    let counted = counted.sum();
    assert_file_holds(&folder.path().join("file"), counted);
    println!("{kills} kills, {counted} sections");
}
