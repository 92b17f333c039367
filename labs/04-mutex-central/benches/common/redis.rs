//! Locks in Redis: the usual one, for which clients ask again and again, and one for which they wait.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::{Client, START_MAX, free_port, measure};

/// Deletes the key if it still holds our value: between looking and deleting, nobody else acts.
const RELEASE: &str = "if redis.call('get', KEYS[1]) == ARGV[1] then \
                       return redis.call('del', KEYS[1]) else return 0 end";

/// How long the lock lives, in milliseconds: as long as a lease of ours.
const LEASE: &str = "2000";

/// The first argument of the program that is a client of a lock in Redis.
const CLIENT: &str = "redis-client";

/// How clients come to have the lock.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    /// They ask again when they do not get it, after a random pause of up to so many microseconds.
    Polling(u64),
    /// They wait in line, as ours do: the lock is an element of a list (BLPOP, LPUSH). It does not survive
    /// a client that dies inside.
    Waiting,
}

pub(crate) struct Server {
    child: Child,
    address: String,
}

impl Server {
    /// Starts one that stores nothing; or one that stores each change in this folder, and waits for the
    /// disk before it answers.
    ///
    /// # Errors
    ///
    /// If it does not start.
    #[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
    pub(crate) fn start(stores_in: Option<&Path>) -> Result<Self, String> {
        let port = free_port().to_string();
        let mut command = Command::new("redis-server");
        command.args(["--port", &port, "--bind", "127.0.0.1", "--save", ""]);
        match stores_in {
            None => command.args(["--appendonly", "no"]),
            Some(folder) => command
                .args(["--appendonly", "yes", "--appendfsync", "always", "--dir"])
                .arg(folder),
        };
        let child = command.stdout(Stdio::null()).spawn().map_err(|error| error.to_string())?;
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

    pub(crate) fn round(&self, way: Way, clients: usize, time: Duration) -> (f64, f64) {
        let way = match way {
            Way::Polling(pause_us) => pause_us.to_string(),
            Way::Waiting => {
                let mut lock = Lock::connect(&self.address);
                lock.ask(&["DEL", "line"]);
                lock.ask(&["LPUSH", "line", "lock"]);
                "waits".to_owned()
            }
        };
        let program = env::current_exe().expect("this program");
        let client = || {
            let mut command = Command::new(&program);
            command.args([CLIENT, &self.address, &way]);
            Client::start(&mut command)
        };
        measure((0..clients).map(|_| client()).collect(), time)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

static STOP: AtomicBool = AtomicBool::new(false);

/// Is a client, if this program was started as one.
pub(crate) fn is_client() -> bool {
    let arguments: Vec<String> = env::args().collect();
    let [_, word, address, way] = &arguments[..] else { return false };
    if word == CLIENT {
        let way = way.parse().map_or(Way::Waiting, Way::Polling);
        client(address, way);
        return true;
    }
    false
}

fn client(address: &str, way: Way) {
    stop_at_sigterm();
    let mut lock = Lock::connect(address);
    let mut random = u64::from(std::process::id());
    println!("begins");
    let mut entries: u64 = 0;
    while !STOP.load(Ordering::Relaxed) {
        entries += u64::from(lock.enter(way, entries, &mut random));
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
    fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("the server");
        stream.set_nodelay(true).expect("an option");
        Self { from: BufReader::new(stream.try_clone().expect("a copy")), to: stream }
    }

    /// Enters and leaves. Returns whether it was let in.
    fn enter(&mut self, way: Way, entry: u64, random: &mut u64) -> bool {
        let Way::Polling(pause_us) = way else {
            assert_eq!(self.ask(&["BLPOP", "line", "0"]), "*2");
            ["$4", "line", "$4", "lock"].iter().for_each(|word| assert_eq!(self.line(), *word));
            self.ask(&["LPUSH", "line", "lock"]);
            return true;
        };
        let value = format!("{}-{entry}", std::process::id());
        if self.ask(&["SET", "lock", &value, "NX", "PX", LEASE]) == "+OK" {
            self.ask(&["EVAL", RELEASE, "1", "lock", &value]);
            return true;
        }
        if pause_us > 0 {
            let us = labs::process::split_mix(random) % pause_us;
            thread::park_timeout(Duration::from_micros(us));
        }
        false
    }

    /// One command, in the protocol of Redis: a list of strings, each with its length before it. Returns the
    /// first line of the answer.
    fn ask(&mut self, words: &[&str]) -> String {
        let mut command = format!("*{}\r\n", words.len());
        for word in words {
            command.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        self.to.write_all(command.as_bytes()).expect("the server takes it");
        let answer = self.line();
        assert!(!answer.starts_with('-'), "{answer}");
        answer
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.from.read_line(&mut line).expect("the server answers");
        line.trim_end().to_owned()
    }
}
