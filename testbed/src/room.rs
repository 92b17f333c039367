//! A room: the machines of `testbed.sh`, for as long as the handle lives.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use nix::sched::{CloneFlags, setns};
use tempfile::TempDir;

use crate::launcher::Launcher;
use crate::program;

/// Where all machines see the folder that they share.
const SHARED: &str = "/mnt/lab";

/// Lab machines `lab01` and so on, and a hub to launch from. Dropping it ends all of them.
#[derive(Debug)]
pub struct Room {
    hold: Child,
    /// The folder of the script.
    path: PathBuf,
    /// The folder around it, with what launchers say.
    folder: TempDir,
    launchers: AtomicU32,
}

/// A process of some run on some machine.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Found {
    /// Its number, as this process sees it; on its own machine it has another.
    pub pid: i32,
    /// `hub`, `lab01`, ...
    pub machine: String,
    /// Its command line, in words.
    pub words: Vec<String>,
}

impl Found {
    /// The word behind another one, such as the run behind `--run`.
    pub fn word_after(&self, word: &str) -> Option<&str> {
        let at = self.words.iter().position(|found| found == word)?;
        self.words.get(at + 1).map(String::as_str)
    }

    /// Its rank, if it is a participant.
    pub fn rank(&self) -> Option<u32> {
        self.word_after("--rank")?.parse().ok()
    }
}

impl Room {
    /// A room with this many machines beside the hub.
    ///
    /// # Panics
    ///
    /// If it cannot be made, for one because this is not root.
    pub fn up(machines: u32) -> Room {
        Room::up_with(machines, "")
    }

    /// The same with something added to the configuration of all SSH servers.
    ///
    /// # Panics
    ///
    /// As [`Room::up`].
    pub fn up_with(machines: u32, sshd: &str) -> Room {
        let folder =
            TempDir::with_prefix("testbed-").expect("there is a folder for temporary files");
        let path = folder.path().join("room");
        let mut hold = script(&path)
            .args(["hold", &machines.to_string()])
            .env("TESTBED_SSHD", sshd)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("bash is there");
        let mut line = String::new();
        let stdout = hold.stdout.as_mut().expect("it is a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("its output can be read");
        assert_eq!(line, "up\n", "the room was not made; why, was said on standard error");
        Room { hold, path, folder, launchers: AtomicU32::new(0) }
    }

    /// The folder that all machines share, as seen from here.
    pub fn shared(&self) -> PathBuf {
        self.path.join("shared")
    }

    /// A path of a machine as seen from here. Its `/root`, `/home` and `/tmp` are its own.
    ///
    /// # Panics
    ///
    /// If the path is elsewhere.
    pub fn on_disk(&self, machine: &str, path: &str) -> PathBuf {
        let inner = path.strip_prefix('/').expect("an absolute path");
        let own = ["root", "home", "tmp"].iter().any(|top| inner.starts_with(top));
        assert!(own, "{path} is not on a disk of {machine}'s own");
        self.path.join(machine).join(inner)
    }

    /// Does something to the room: `["cut", "2"]`, see `testbed.sh`.
    ///
    /// # Panics
    ///
    /// If it fails.
    pub fn act(&self, words: &[&str]) {
        let status = script(&self.path).args(words).status().expect("bash is there");
        assert!(status.success(), "testbed.sh {words:?}: {status}");
    }

    /// A command to be run on the hub.
    pub fn hub(&self, words: &[&str]) -> Command {
        let mut command = script(&self.path);
        command.arg("run").args(words);
        command
    }

    /// Brings the program to where all machines see it; returns its path there.
    ///
    /// # Panics
    ///
    /// If it cannot be copied.
    pub fn share_program(&self) -> String {
        self.share(program::NAME)
    }

    /// The same for the program of any lab.
    ///
    /// # Panics
    ///
    /// If it cannot be built or copied.
    pub fn share(&self, name: &str) -> String {
        let to = self.shared().join(name);
        fs::copy(program::path(name), to).expect("the program can be copied");
        format!("{SHARED}/{name}")
    }

    /// Brings the program to the hub alone; returns its path there.
    ///
    /// # Panics
    ///
    /// If it cannot be copied.
    pub fn keep_program_on_hub(&self) -> String {
        let path = format!("/root/{}", program::NAME);
        fs::copy(program::path(program::NAME), self.on_disk("hub", &path))
            .expect("the program can be copied");
        path
    }

    /// Starts `PROGRAM run --json` with these hosts, one a line, and arguments.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    pub fn launch(&self, program: &str, hosts: &str, arguments: &[&str]) -> Launcher {
        self.launch_verb(program, "run", hosts, arguments)
    }

    /// Starts `PROGRAM VERB --json` with these hosts, one a line, and arguments.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    pub fn launch_verb(
        &self,
        program: &str,
        verb: &str,
        hosts: &str,
        arguments: &[&str],
    ) -> Launcher {
        let number = self.launchers.fetch_add(1, Ordering::Relaxed);
        let list = format!("/root/hosts-{number}.txt");
        fs::write(self.on_disk("hub", &list), hosts).expect("the hub's disk can be written to");
        let mut command = self.hub(&[program, verb, "--json", "--hosts", &list]);
        command.args(arguments);
        Launcher::start(command, &self.folder.path().join(format!("launcher-{number}")))
    }

    /// All processes of all runs on all machines; those that have died and wait to be buried do not
    /// count.
    pub fn processes(&self) -> Vec<Found> {
        let networks = self.networks();
        let numbers = fs::read_dir("/proc").expect("/proc is mounted").flatten();
        let numbers = numbers.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        numbers.filter_map(|pid| look_at(pid, &networks)).collect()
    }

    /// Every machine that runs, by its network.
    fn networks(&self) -> BTreeMap<PathBuf, String> {
        let machines = fs::read_dir(&self.path).expect("the room has a folder").flatten();
        let network = |machine: fs::DirEntry| {
            let pid: i32 =
                fs::read_to_string(machine.path().join("pid")).ok()?.trim().parse().ok()?;
            // Not a stranger that was given the number after the machine was switched off.
            let own = words_of(pid)?.iter().any(|word| Path::new(word) == self.path);
            let name = machine.file_name().to_str()?.to_owned();
            own.then(|| Some((network_of(pid)?, name)))?
        };
        machines.filter_map(network).collect()
    }

    /// Does something in the network of the hub, in a thread of its own: sockets belong to the network
    /// that the thread was in when it made them.
    ///
    /// # Panics
    ///
    /// If the network cannot be entered, or `work` panics.
    pub fn in_hub_network<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let pid = fs::read_to_string(self.path.join("hub/pid")).expect("the hub runs");
        let network = fs::File::open(format!("/proc/{}/ns/net", pid.trim())).expect("the hub runs");
        let work = || {
            setns(network, CloneFlags::CLONE_NEWNET).expect("root may enter the network");
            work()
        };
        thread::scope(|scope| scope.spawn(work).join()).unwrap_or_else(|panic| {
            std::panic::resume_unwind(panic);
        })
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        drop(self.hold.stdin.take());
        let status = self.hold.wait();
        if !thread::panicking() {
            assert!(
                status.is_ok_and(|status| status.success()),
                "the room could not be taken down"
            );
        }
    }
}

/// A command of the script for the room in this folder.
fn script(path: &Path) -> Command {
    let mut command = Command::new("bash");
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/testbed.sh"));
    command.env("TESTBED_DIR", path);
    command
}

/// The process, if it belongs to a run and is on one of these machines.
fn look_at(pid: i32, networks: &BTreeMap<PathBuf, String>) -> Option<Found> {
    let machine = networks.get(&network_of(pid)?)?.clone();
    let words = words_of(pid)?;
    let ours = words.iter().any(|word| word == "--run" || word.starts_with("--run="));
    (ours && is_alive(pid)).then_some(Found { pid, machine, words })
}

fn network_of(pid: i32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/ns/net")).ok()
}

fn words_of(pid: i32) -> Option<Vec<String>> {
    let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let words =
        line.split(|&byte| byte == 0).map(|word| String::from_utf8_lossy(word).into_owned());
    Some(words.collect())
}

/// Neither a zombie nor about to vanish.
fn is_alive(pid: i32) -> bool {
    let Ok(about) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    // The name, in parentheses, may hold anything.
    let state = about.rsplit(')').next().and_then(|rest| rest.trim_start().chars().next());
    !matches!(state, None | Some('Z' | 'X'))
}
