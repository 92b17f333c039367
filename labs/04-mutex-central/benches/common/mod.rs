//! What the benches of this lab share: clients that enter as often as they can, and what they are told.
#![allow(dead_code, reason = "each bench uses a part of it")]

pub(crate) mod redis;

use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long a server may take to be there.
const START_MAX: Duration = Duration::from_secs(10);

/// Whether the compiler did its best: it leaves the assertions out then.
pub(crate) const IS_OPTIMISED: bool = !cfg!(debug_assertions);

/// What is demanded, of a build that it is demanded of.
pub(crate) fn goal(least: &str) -> String {
    if IS_OPTIMISED { format!(" (goal: at least {least})") } else { String::new() }
}

/// How busy the machine is, as the system says it.
pub(crate) fn load() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split_whitespace().next().unwrap_or("unknown").to_owned()
}

/// What one side did in each round: entries a second, and fairness.
pub(crate) struct Side {
    pub(crate) name: &'static str,
    pub(crate) rounds: Vec<(f64, f64)>,
}

impl Side {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, rounds: Vec::new() }
    }

    pub(crate) fn entries(&self) -> f64 {
        median(self.rounds.iter().map(|round| round.0).collect())
    }

    pub(crate) fn fairness(&self) -> f64 {
        median(self.rounds.iter().map(|round| round.1).collect())
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (entries, fairness) = (self.entries(), self.fairness());
        write!(
            f,
            "{:<22} {entries:>9.0} entries/s   least served {fairness:.3} of the mean",
            self.name
        )
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Lets clients enter for a while, and counts.
fn measure(mut clients: Vec<Client>, time: Duration) -> (f64, f64) {
    clients.iter_mut().for_each(|client| drop(client.line()));
    thread::park_timeout(time);
    for client in &clients {
        kill(Pid::from_raw(client.child.id() as i32), Signal::SIGTERM).expect("it runs");
    }
    let mean_of = clients.len() as f64;
    let counts: Vec<f64> = clients.iter_mut().map(Client::count).collect();
    let (sum, least) =
        counts.iter().fold((0.0, f64::MAX), |(sum, least), &count| (sum + count, count.min(least)));
    (sum / time.as_secs_f64(), least / (sum / mean_of))
}

/// A client process: it says one line when it begins, and at SIGTERM one with the number of its entries.
struct Client {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Client {
    fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("a client");
        let out = BufReader::new(child.stdout.take().expect("its output"));
        Self { child, out }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).expect("what it says");
        line
    }

    fn count(&mut self) -> f64 {
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).expect("what it says");
        self.child.wait().expect("its end");
        let number = rest.split_whitespace().find_map(|word| word.parse().ok());
        number.unwrap_or_else(|| panic!("no number in {rest:?}"))
    }
}

/// Our side, with so many clients; if there is a state, everything is stored in it before anybody hears of it.
pub(crate) fn ours(
    folder: &Path,
    state: Option<&Path>,
    clients: usize,
    time: Duration,
) -> (f64, f64) {
    let program = env!("CARGO_BIN_EXE_mutex-central");
    let secret = folder.join("secret");
    let mut command = Command::new(program);
    command.args(["coordinator", "--listen", "127.0.0.1:0", "--secret"]).arg(&secret);
    if let Some(state) = state {
        command.arg("--state").arg(state);
    }
    let mut coordinator = Client::start(&mut command);
    let line = coordinator.line();
    let address = line.split([' ', ';']).nth(2).expect("its address").to_owned();
    let client = || {
        let mut command = Command::new(program);
        command.args(["client", &address, "--entries", "0", "--secret"]).arg(&secret);
        Client::start(&mut command)
    };
    let result = measure((0..clients).map(|_| client()).collect(), time);
    coordinator.child.kill().expect("it runs");
    coordinator.child.wait().expect("its end");
    result
}

/// A port that is free now.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address").port()
}
