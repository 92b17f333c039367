//! Requests per second: this server, with `finger` as a child and with the built-in answer, against
//! Debian's in.fingerd under an inet daemon.
//!
//! ```text
//! cargo bench -p fingerd --bench requests [-- REQUESTS]
//! ```
//!
//! The same login is asked for, one request after the other from one client, over loopback. For
//! each request inetd forks, looks up the user to become, and starts in.fingerd, which looks up who
//! asks and then starts finger in its place; this server starts finger, and nothing else. What
//! finger itself costs, started and read from by this bench, is measured beside. As root all sides
//! become "nobody", as in Debian's inetd.conf.
//!
//! Everything is pinned to the same one core, for at any time only one of the programs works. Sides
//! alternate; the medians are compared.
//!
//! Needs the packages finger, fingerd and openbsd-inetd; ends with status 2 if one is missing.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio, exit};
use std::thread;
use std::time::{Duration, Instant};

use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::{Pid, User, geteuid};
use tempfile::TempDir;

const ROUNDS: usize = 7;
const REQUESTS: usize = 300;
/// The built-in answer is so much faster that it is asked more often, for the clock's sake.
const BUILT_IN_REQUESTS: usize = 10;

const INETD: &str = "/usr/sbin/inetd";
const IN_FINGERD: &str = "/usr/sbin/in.fingerd";
const FINGER: &str = "/usr/bin/finger";

fn main() {
    let missing: Vec<_> =
        [INETD, IN_FINGERD, FINGER].into_iter().filter(|path| !Path::new(path).exists()).collect();
    if !missing.is_empty() {
        eprintln!("{} missing; apt-get install finger fingerd openbsd-inetd", missing.join(", "));
        exit(2);
    }
    let requests = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(REQUESTS);
    pin_to_one_core();
    let login = User::from_uid(geteuid()).ok().flatten().expect("a name").name;
    let folder = tempfile::tempdir().expect("a folder");
    let user = if geteuid().is_root() { "nobody" } else { &login };
    let debian = Server::inetd(&folder, user);
    let with_finger = Server::ours(&folder, "finger", &["--finger", FINGER]);
    let built_in = Server::ours(&folder, "built-in", &["--built-in"]);
    let answers = [&debian, &with_finger].map(|server| ask(server.address, &login));
    assert_eq!(answers[0], answers[1], "both send what finger prints");

    let mut rates: [Vec<f64>; 4] = Default::default();
    for _ in 0..ROUNDS {
        rates[0].push(rate(requests, || assert_eq!(ask(debian.address, &login), answers[0])));
        rates[1].push(rate(requests, || assert_eq!(ask(with_finger.address, &login), answers[0])));
        rates[2].push(rate(requests * BUILT_IN_REQUESTS, || {
            assert!(ask(built_in.address, &login).starts_with(b"Login: "));
        }));
        rates[3].push(rate(requests, || finger(&login)));
    }
    let [debian, with_finger, built_in, alone] = rates.map(median);
    println!("requests for one login, one after the other, all on one core, medians of {ROUNDS}");
    println!("in.fingerd under inetd {debian:>8.0} requests/s");
    compare("fingerd with finger", with_finger, debian, 1.0);
    compare("fingerd, built in", built_in, debian, 10.0);
    println!(
        "finger by itself       {alone:>8.0} runs/s: {:.2} ms, {:.0} % of a request to fingerd with finger",
        1e3 / alone,
        100.0 * with_finger / alone
    );
}

fn compare(name: &str, ours: f64, theirs: f64, goal: f64) {
    let ratio = ours / theirs;
    println!("{name:<22} {ours:>8.0} requests/s   {ratio:.2} x in.fingerd (goal: at least {goal})");
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

fn rate(times: usize, mut work: impl FnMut()) -> f64 {
    let begin = Instant::now();
    for _ in 0..times {
        work();
    }
    times as f64 / begin.elapsed().as_secs_f64()
}

fn ask(server: SocketAddr, login: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(server).expect("the server listens");
    write!(stream, "{login}\r\n").expect("it takes a query");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("it answers");
    answer
}

fn finger(login: &str) {
    let mut command = Command::new(FINGER);
    command.args(["--", login]).env_clear().stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("it is there");
    let mut answer = Vec::new();
    child.stdout.take().expect("a pipe").read_to_end(&mut answer).expect("it prints");
    child.wait().expect("it ends");
    assert!(answer.starts_with(b"Login: "));
}

/// A server that runs. Dropping it kills it.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    /// An inet daemon with one service.
    fn inetd(folder: &TempDir, user: &str) -> Server {
        // Free now; a listener that has accepted nobody leaves the port free.
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = free.local_addr().expect("an address");
        drop(free);
        let config = folder.path().join("inetd.conf");
        let service = format!("{address} stream tcp nowait {user} {IN_FINGERD} in.fingerd\n");
        fs::write(&config, service).expect("a file");
        // By default it takes a service that is asked for more than 256 times a minute for broken.
        let child = Command::new(INETD).args(["-i", "-R", "100000000"]).arg(config).spawn();
        let server = Server { child: child.expect("it is there"), address };
        let begin = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(begin.elapsed() < Duration::from_secs(20), "inetd does not listen");
            thread::sleep(Duration::from_millis(10));
        }
        server
    }

    fn ours(folder: &TempDir, name: &str, arguments: &[&str]) -> Server {
        let file = |end| folder.path().join(format!("{name}.{end}"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_fingerd"));
        command.args(["serve", "--bind", "127.0.0.1", "--port", "0"]).args(arguments);
        command.arg("--pid-file").arg(file("pid")).arg("--log-file").arg(file("log"));
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it was built");
        let mut line = String::new();
        let stdout = child.stdout.as_mut().expect("it is a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("it says where it listens");
        let address = line.trim_end().strip_prefix("listening on tcp ").expect("it listens");
        Server { child, address: address.parse().expect("an address") }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It was not to end before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
