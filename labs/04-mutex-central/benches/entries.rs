//! Entries per second, and fairness: four clients of our coordinator against four clients of a lock in Redis.
//!
//! ```text
//! cargo bench -p mutex-central --bench entries [-- SECONDS]
//! ```
//!
//! Both sides do the same: four client processes want to enter again and again, do nothing inside, and count.
//! Ours are the stand-alone programs (`mutex-central coordinator`, `client`). The lock in Redis is the usual
//! one: `SET lock <random> NX PX 2000` until it succeeds, then a script that deletes the key if it still holds that
//! value; blocking clients on one connection each, by the same protocol as `redis-cli`. Who does not get the
//! lock tries again: at once, which is the fastest that such a client can be, or after a random pause of up
//! to 1 ms, which is what its users are told to do. Neither server stores anything. Neither lock survives
//! its server so; ours with `--state` does, at the cost of a flush to the disk for each step.
//!
//! Both sides are pinned to the same one core, for where the scheduler puts six processes is worth more than
//! any difference between programs. Sides alternate; medians are compared.
//!
//! A build that is not optimised, as `cargo test --bench` makes it, shows that the bench works and says nothing of
//! speed: then no goal is named.
//!
//! Fairness is the share of the client that entered least, against the mean: 1 if all enter as often.

use std::env;
use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const CLIENTS: usize = 4;
const ROUNDS: usize = 5;

/// How long each side runs in a round, in seconds, unless told otherwise: clients start and end one after the
/// other, within some hundredths of a second, and that must not look like unfairness.
const SECONDS: f64 = 3.0;

/// How long a server may take to be there.
const START_MAX: Duration = Duration::from_secs(10);

/// Whether the compiler did its best: it leaves the assertions out then.
const IS_OPTIMISED: bool = !cfg!(debug_assertions);

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().collect();
    if arguments.get(1).is_some_and(|word| word == "redis-client") {
        redis::client(&arguments[2], arguments[3].parse().expect("a pause"));
        return ExitCode::SUCCESS;
    }
    let seconds = arguments.iter().skip(1).find_map(|word| word.parse().ok()).unwrap_or(SECONDS);
    let time = Duration::from_secs_f64(seconds);
    pin_to_one_core();
    let folder = tempfile::tempdir().expect("a folder");
    let server = match redis::Server::start() {
        Ok(server) => server,
        Err(why) => {
            println!("redis-server is needed, and does not start ({why}): install it");
            return ExitCode::from(2);
        }
    };
    let mut sides = [Side::new("lab 04"), Side::new("Redis, at once"), Side::new("Redis, pauses")];
    for _ in 0..ROUNDS {
        sides[0].rounds.push(ours(folder.path(), time));
        sides[1].rounds.push(server.round(0, time));
        sides[2].rounds.push(server.round(1_000, time));
    }
    println!("{CLIENTS} clients, {seconds} s a round, medians of {ROUNDS}, all on one core");
    if !IS_OPTIMISED {
        println!("not optimised: these figures say nothing of speed; use `cargo bench`");
    }
    sides.iter().for_each(|side| println!("{side}"));
    let ours = sides[0].entries();
    for other in &sides[1..] {
        let ratio = ours / other.entries();
        println!("lab 04 against {:<15} {ratio:>6.2} x{}", other.name, goal("1"));
    }
    println!("fairness of lab 04: {:.3}{}", sides[0].fairness(), goal("0.95"));
    ExitCode::SUCCESS
}

/// What is demanded, of a build that it is demanded of.
fn goal(least: &str) -> String {
    if IS_OPTIMISED { format!(" (goal: at least {least})") } else { String::new() }
}

/// What one side did in each round: entries a second, and fairness.
struct Side {
    name: &'static str,
    rounds: Vec<(f64, f64)>,
}

impl Side {
    fn new(name: &'static str) -> Self {
        Self { name, rounds: Vec::new() }
    }

    fn entries(&self) -> f64 {
        median(self.rounds.iter().map(|round| round.0).collect())
    }

    fn fairness(&self) -> f64 {
        median(self.rounds.iter().map(|round| round.1).collect())
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (entries, fairness) = (self.entries(), self.fairness());
        write!(
            f,
            "{:<15} {entries:>9.0} entries/s   least served {fairness:.3} of the mean",
            self.name
        )
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn pin_to_one_core() {
    let mut cores = CpuSet::new();
    cores.set(0).expect("there is a first core");
    sched_setaffinity(Pid::from_raw(0), &cores).expect("a process may choose its core");
}

/// Lets clients enter for a while, and counts.
fn measure(mut clients: Vec<Client>, time: Duration) -> (f64, f64) {
    clients.iter_mut().for_each(|client| drop(client.line()));
    thread::park_timeout(time);
    for client in &clients {
        kill(Pid::from_raw(client.child.id() as i32), Signal::SIGTERM).expect("it runs");
    }
    let counts: Vec<f64> = clients.iter_mut().map(Client::count).collect();
    let (sum, least) =
        counts.iter().fold((0.0, f64::MAX), |(sum, least), &count| (sum + count, count.min(least)));
    (sum / time.as_secs_f64(), least / (sum / CLIENTS as f64))
}

/// A client process: it says one line when it begins, and at SIGTERM one with the number of its entries.
struct Client {
    child: Child,
    out: BufReader<std::process::ChildStdout>,
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

/// Our side.
fn ours(folder: &Path, time: Duration) -> (f64, f64) {
    let program = env!("CARGO_BIN_EXE_mutex-central");
    let secret = folder.join("secret");
    let mut coordinator = Client::start(
        Command::new(program)
            .args(["coordinator", "--listen", "127.0.0.1:0", "--secret"])
            .arg(&secret),
    );
    let line = coordinator.line();
    let address = line.split([' ', ';']).nth(2).expect("its address").to_owned();
    let client = || {
        let mut command = Command::new(program);
        command.args(["client", &address, "--entries", "0", "--secret"]).arg(&secret);
        Client::start(&mut command)
    };
    let result = measure((0..CLIENTS).map(|_| client()).collect(), time);
    coordinator.child.kill().expect("it runs");
    coordinator.child.wait().expect("its end");
    result
}

/// A port that is free now.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address").port()
}

mod redis {
    //! The lock in Redis.

    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    /// Deletes the key if it still holds our value: between looking and deleting, nobody else acts.
    const RELEASE: &str = "if redis.call('get', KEYS[1]) == ARGV[1] then \
                           return redis.call('del', KEYS[1]) else return 0 end";

    /// How long the lock lives, in milliseconds: as long as a lease of ours.
    const LEASE: &str = "2000";

    pub(super) struct Server {
        child: Child,
        address: String,
    }

    impl Server {
        /// Starts one that stores nothing.
        #[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
        pub(super) fn start() -> Result<Self, String> {
            let port = free_port().to_string();
            let child = Command::new("redis-server")
                .args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
                .stdout(Stdio::null())
                .spawn()
                .map_err(|error| error.to_string())?;
            let this = Self { child, address: format!("127.0.0.1:{port}") };
            let started = Instant::now();
            while TcpStream::connect(&this.address).is_err() {
                if started.elapsed() > START_MAX {
                    return Err("it does not listen".to_owned());
                }
                thread::park_timeout(Duration::from_millis(5));
            }
            Ok(this)
        }

        pub(super) fn round(&self, pause_us: u64, time: Duration) -> (f64, f64) {
            let program = env::current_exe().expect("this program");
            let client = || {
                let mut command = Command::new(&program);
                command.args(["redis-client", &self.address, &pause_us.to_string()]);
                Client::start(&mut command)
            };
            measure((0..CLIENTS).map(|_| client()).collect(), time)
        }
    }

    impl Drop for Server {
        fn drop(&mut self) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }

    static STOP: AtomicBool = AtomicBool::new(false);

    /// The client process.
    pub(super) fn client(address: &str, pause_us: u64) {
        stop_at_sigterm();
        let stream = TcpStream::connect(address).expect("the server");
        stream.set_nodelay(true).expect("an option");
        let mut lock =
            Lock { from: BufReader::new(stream.try_clone().expect("a copy")), to: stream };
        let mut random = u64::from(std::process::id());
        println!("begins");
        let mut entries: u64 = 0;
        while !STOP.load(Ordering::Relaxed) {
            let value = format!("{}-{}", std::process::id(), entries);
            if lock.take(&value) {
                lock.give(&value);
                entries += 1;
            } else if pause_us > 0 {
                let us = labs::process::split_mix(&mut random) % pause_us;
                thread::park_timeout(Duration::from_micros(us));
            }
        }
        println!("entered {entries} times");
    }

    fn stop_at_sigterm() {
        let watched = nix::sys::signal::SigSet::from(Signal::SIGTERM);
        watched.thread_block().expect("a signal can be blocked");
        thread::spawn(move || {
            watched.wait().expect("a signal comes");
            STOP.store(true, Ordering::Relaxed);
        });
    }

    struct Lock {
        from: BufReader<TcpStream>,
        to: TcpStream,
    }

    impl Lock {
        fn take(&mut self, value: &str) -> bool {
            self.ask(&["SET", "lock", value, "NX", "PX", LEASE]) == "+OK"
        }

        fn give(&mut self, value: &str) {
            self.ask(&["EVAL", RELEASE, "1", "lock", value]);
        }

        /// One command, in the protocol of Redis: a list of strings, each with its length before it. The answers
        /// here are one line.
        fn ask(&mut self, words: &[&str]) -> String {
            let mut command = format!("*{}\r\n", words.len());
            for word in words {
                command.push_str(&format!("${}\r\n{word}\r\n", word.len()));
            }
            self.to.write_all(command.as_bytes()).expect("the server takes it");
            let mut answer = String::new();
            self.from.read_line(&mut answer).expect("the server answers");
            assert!(!answer.starts_with('-'), "{answer}");
            answer.trim_end().to_owned()
        }
    }
}
