//! Over SSH, on servers that are all this machine under another name.

use std::fs;

use labs::testing::assert_nothing_left;
use test_sshd::{Bench, Sshd};

use crate::{Said, Staying, labs, text};

/// Two servers, a host file that names them, and how to reach them.
struct Room {
    bench: Bench,
    servers: [Sshd; 2],
}

impl Room {
    fn new() -> Self {
        let bench = Bench::new();
        let servers = [bench.server(), bench.server()];
        bench.write("hosts.txt", &format!("{}\n{}\n", servers[0].host(), servers[1].host()));
        Self { bench, servers }
    }

    fn reach(&self) -> [String; 6] {
        let path = |name: &str| text(&self.bench.path(name)).to_owned();
        let options =
            [("--hosts", "hosts.txt"), ("-i", "id_ed25519"), ("--known-hosts", "known_hosts")];
        let words = options.map(|(option, name)| [option.to_owned(), path(name)]);
        let [[a, b], [c, d], [e, f]] = words;
        [a, b, c, d, e, f]
    }

    fn labs(&self, arguments: &[&str]) -> Said {
        let reach = self.reach();
        let reach: Vec<_> = reach.iter().map(String::as_str).collect();
        labs(&[arguments, &reach].concat())
    }

    /// How many commands with these words the servers ran.
    fn asked(&self, words: &str) -> usize {
        let of = |server: &Sshd| {
            server.commands().iter().filter(|command| command.contains(words)).count()
        };
        self.servers.iter().map(of).sum()
    }
}

#[test]
fn a_run_on_other_machines_is_seen_read_and_ended() {
    let room = Room::new();
    let reach = room.reach();
    let reach: Vec<_> = reach.iter().map(String::as_str).collect();
    let staying = Staying::start(&[&["--processes", "4"], &reach[..]].concat());
    let run = staying.run.clone();

    // Its own note says where it is and how to get there.
    let rows = staying.rows(&[]);
    assert_eq!(rows.len(), 5, "each once, for it is one machine under three names: {rows:?}");
    assert_eq!(room.asked("'here' 'ps'"), 2);
    assert_eq!(staying.rows(&reach).len(), 5);
    assert_eq!(room.asked("'here' 'ps'"), 4);

    let said = labs(&["logs", &run]);
    assert_eq!(said.status, 0, "{said:?}");
    assert_eq!(said.out.matches("the algorithm starts").count(), 4, "{said:?}");
    assert_eq!(room.asked("'here' 'logs'"), 2);

    let note = fs::read_to_string(netkit::logs::user_folder("labs").join(&run).join("run.json"));
    assert!(!note.unwrap().contains("secret"));

    let said = labs(&["stop", &run]);
    assert_eq!(said.status, 0, "{said:?}");
    assert_eq!(staying.report().status, 0);
    assert_nothing_left(&run);
    // With --hosts the machines are asked, whoever the launcher was.
    assert_eq!(room.labs(&["stop", &run]).status, 0);
    assert_eq!(room.asked("'here' 'stop'"), 2);
}

#[test]
fn a_machine_that_is_off_is_named_and_the_others_are_asked() {
    let room = Room::new();
    let hosts = room.bench.read("hosts.txt");
    room.bench.write("hosts.txt", &format!("127.0.0.1:1\n{hosts}"));
    let said = room.labs(&["ps"]);
    assert_eq!(said.status, 2, "{said:?}");
    assert!(
        said.err.contains("127.0.0.1:1: connect: ") && said.err.lines().count() == 1,
        "{said:?}"
    );
    assert_eq!(room.asked("'here' 'ps'"), 2);
    let said = room.labs(&["stop", "19990101-000000-0000"]);
    assert_eq!(said.status, 2, "nobody knows whether it is there: {said:?}");
}

#[test]
fn a_program_that_is_not_there_is_copied_if_asked() {
    let room = Room::new();
    // The same program under a path that is gone by the time it is needed there: the machine does not have it.
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("labs");
    fs::copy(env!("CARGO_BIN_EXE_labs"), &program).unwrap();
    let reach = room.reach();
    let run = |more: &[&str]| {
        let mut command = std::process::Command::new(&program);
        command.arg("ps").args(&reach).args(more).env_remove("SSH_AUTH_SOCK");
        Said::of(&command.output().unwrap())
    };
    let said = run(&["--push"]);
    assert_eq!(said.status, 0, "{said:?}");
    assert_eq!(room.asked(".cache/netkit/labs-"), 2, "the copies were run");
}
