//! What the system says of the processes of a run: Linux, as far as tests go.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long something that is about to happen may take.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// How often it is looked whether it has happened.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Waits for something that is about to happen, of which there is no event.
///
/// # Panics
///
/// If it does not happen in half a minute.
#[expect(clippy::disallowed_methods, reason = "real processes take real time")]
pub fn wait_until(what: &str, mut happened: impl FnMut() -> bool) {
    let started = Instant::now();
    while !happened() {
        assert!(started.elapsed() < WAIT_MAX, "waited in vain until {what}");
        std::thread::park_timeout(LOOK_EVERY);
    }
}

/// The command on a machine that knows these names: it sees the file `hosts` as `/etc/hosts`. Arguments may be added.
/// Nothing where users may not make such a world of their own.
pub fn with_hosts(command: &Command, hosts: &Path) -> Option<Command> {
    let seen = |program: &Command| {
        let mut other = Command::new("unshare");
        other.args(["--user", "--map-root-user", "--mount", "sh", "-c"]);
        other.arg("mount --bind \"$0\" /etc/hosts && exec \"$@\"").arg(hosts);
        other.arg(program.get_program()).args(program.get_args());
        if let Some(folder) = program.get_current_dir() {
            other.current_dir(folder);
        }
        other
    };
    let tried = seen(&Command::new("true")).stderr(Stdio::null()).status();
    tried.is_ok_and(|status| status.success()).then(|| seen(command))
}

/// Makes sure that no process of the run lives, or soon none does.
///
/// # Panics
///
/// If one still lives after half a minute.
pub fn assert_nothing_left(run: &str) {
    wait_until(&format!("nothing is left of {run}"), || left_of(run).is_empty());
}

/// Every process of the run that still lives; a zombie is not one, only the note of its end.
///
/// # Panics
///
/// If the system does not tell which processes there are.
pub fn left_of(run: &str) -> Vec<u32> {
    let is_of_run =
        |pid: &u32| command_line(*pid).is_some_and(|words| words.iter().any(|word| word == run));
    running_processes().into_iter().filter(is_of_run).collect()
}

/// The words of a process's command line; nothing if there is no such process.
pub fn command_line(pid: u32) -> Option<Vec<String>> {
    let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    Some(bytes.split(|&b| b == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect())
}

/// The local ports of the TCP sockets of a process.
pub fn sockets(pid: u32) -> Vec<u16> {
    connections(pid).into_iter().map(|(local, _)| local).collect()
}

/// The TCP sockets of a process: their local ports, and those at the other end (0 if it listens).
pub fn connections(pid: u32) -> Vec<(u16, u16)> {
    let Ok(fds) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { return Vec::new() };
    let inodes: Vec<String> = fds
        .filter_map(|fd| std::fs::read_link(fd.ok()?.path()).ok())
        .filter_map(|link| {
            let inode = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
            Some(inode.to_owned())
        })
        .collect();
    let port = |address: &str| u16::from_str_radix(address.split(':').nth(1)?, 16).ok();
    ["tcp", "tcp6"]
        .iter()
        .filter_map(|table| std::fs::read_to_string(format!("/proc/{pid}/net/{table}")).ok())
        .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
        .filter_map(|line| {
            let words: Vec<_> = line.split_whitespace().collect();
            let inode = words.get(9)?;
            let mine = inodes.iter().any(|other| other == inode);
            if mine { Some((port(words[1])?, port(words[2])?)) } else { None }
        })
        .collect()
}

/// The process ids of all processes of this machine.
pub(super) fn running_processes() -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").expect("there is /proc");
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}
