//! Hops per second: lab 05 with 8 real processes, against the same ring hand-written on blocking
//! `std::net`, and against the same ring on Open MPI over TCP (where `mpicc` and `mpirun` are installed).
//!
//! ```text
//! cargo bench -p token-ring --bench hops [-- LAPS]
//! ```
//!
//! All sides pass one token round 8 processes over loopback TCP, one message a hop, and nobody enters a
//! critical section. The token of `std::net` is a frame of as many bytes as ours; it keeps no journal
//! and judges nothing. All processes of all sides are pinned to the same one core: hops are handed from
//! process to process, so at any time only one works, and where the scheduler puts them is worth more than
//! any difference between programs. Sides alternate; the medians are compared.

use std::env;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

const PROCESSES: usize = 8;
const ROUNDS: usize = 5;
const LAPS: u64 = 4_000;

/// As many bytes as a token of ours takes on the wire: 4 of length, 45 of header, 12 of message.
const FRAME: usize = 61;

fn main() {
    let arguments: Vec<String> = env::args().collect();
    if arguments.get(1).is_some_and(|word| word == "blocking-process") {
        return blocking_process(&arguments[2..]);
    }
    let laps = arguments.iter().skip(1).find_map(|word| word.parse().ok()).unwrap_or(LAPS);
    pin_to_one_core();
    let mpi = mpi::Ring::build();
    if let Err(why) = &mpi {
        println!("Open MPI is left out: {why}");
    }
    let (mut ours, mut blocking, mut open_mpi) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(lab(laps));
        blocking.push(std_net(laps));
        if let Ok(ring) = &mpi {
            open_mpi.push(ring.hops_per_second(laps));
        }
    }
    let ours = median(ours);
    println!("{PROCESSES} processes, {laps} laps, medians of {ROUNDS}, all on one core");
    println!("lab 05                {ours:>10.0} hops/s");
    compare(ours, "blocking std::net", median(blocking), 0.8);
    if mpi.is_ok() {
        compare(ours, "Open MPI, btl tcp", median(open_mpi), 1.0);
    }
}

fn compare(ours: f64, name: &str, theirs: f64, goal: f64) {
    let ratio = ours / theirs;
    println!("{name:<21} {theirs:>10.0} hops/s   lab 05 is {ratio:.2} x (goal: at least {goal})");
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

/// Our side: what the lab itself reports.
fn lab(laps: u64) -> f64 {
    let output = Command::new(env!("CARGO_BIN_EXE_token-ring"))
        .args(["run", "--processes", &PROCESSES.to_string(), "--entries", "0", "--json"])
        .args(["--laps", &laps.to_string(), "--timeout", "300"])
        .output()
        .expect("the lab runs");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a report");
    assert!(output.status.success(), "the run did not hold: {report}");
    report["result"]["hops_per_s"].as_f64().expect("hops per second")
}

/// The rival: each process waits in `read`, and passes on what it has read.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn std_net(laps: u64) -> f64 {
    let program = env::current_exe().expect("this program");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let mut children: Vec<Child> = (1..PROCESSES)
        .map(|_| {
            Command::new(&program)
                .args(["blocking-process", &port.to_string(), &laps.to_string()])
                .stdin(Stdio::null())
                .spawn()
                .expect("a process")
        })
        .collect();
    let mut members: Vec<(TcpStream, u16)> = (1..PROCESSES)
        .map(|_| {
            let (mut stream, _) = listener.accept().expect("a member");
            let mut port = [0; 2];
            stream.read_exact(&mut port).expect("its port");
            (stream, u16::from_be_bytes(port))
        })
        .collect();
    // This process is the first of the ring; each member learns the port of its successor.
    let own = TcpListener::bind("127.0.0.1:0").expect("a port");
    let own_port = own.local_addr().expect("an address").port();
    for index in 0..members.len() {
        let next = members.get(index + 1).map_or(own_port, |(_, port)| *port);
        members[index].0.write_all(&next.to_be_bytes()).expect("a word to a member");
    }
    let mut to = connect(members[0].1);
    let (mut from, _) = own.accept().expect("the last member");
    let started = Instant::now();
    let mut token = [0; FRAME];
    for _ in 0..laps {
        to.write_all(&token).expect("a successor");
        from.read_exact(&mut token).expect("a predecessor");
    }
    let seconds = started.elapsed().as_secs_f64();
    for child in &mut children {
        child.wait().expect("its end");
    }
    (laps * PROCESSES as u64) as f64 / seconds
}

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("a successor");
    stream.set_nodelay(true).expect("an option");
    stream
}

fn blocking_process(arguments: &[String]) {
    let port: u16 = arguments[0].parse().expect("a port");
    let laps: u64 = arguments[1].parse().expect("a number of laps");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut parent = connect(port);
    let own = listener.local_addr().expect("an address").port();
    parent.write_all(&own.to_be_bytes()).expect("a word to the first");
    let mut next = [0; 2];
    parent.read_exact(&mut next).expect("the successor's port");
    let mut to = connect(u16::from_be_bytes(next));
    let (mut from, _) = listener.accept().expect("a predecessor");
    let mut token = [0; FRAME];
    for _ in 0..laps {
        from.read_exact(&mut token).expect("a predecessor");
        to.write_all(&token).expect("a successor");
    }
}

mod mpi {
    //! The same ring on Open MPI.

    use std::env;
    use std::path::PathBuf;
    use std::process::Command;

    const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/ring_mpi.c");

    pub(crate) struct Ring(PathBuf);

    impl Ring {
        pub(crate) fn build() -> Result<Self, String> {
            let program = env::current_exe().expect("this program").with_file_name("ring_mpi");
            let output =
                Command::new("mpicc").args(["-O2", "-o"]).arg(&program).arg(SOURCE).output();
            match output {
                Ok(output) if output.status.success() => Ok(Self(program)),
                Ok(output) => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
                Err(error) => Err(format!("mpicc: {error}")),
            }
        }

        pub(crate) fn hops_per_second(&self, laps: u64) -> f64 {
            let processes = super::PROCESSES.to_string();
            let output = Command::new("mpirun")
                .args(["--allow-run-as-root", "--oversubscribe", "--bind-to", "none"])
                .args(["--mca", "btl", "tcp,self", "--mca", "btl_tcp_if_include", "lo"])
                .args(["-np", &processes])
                .arg(&self.0)
                .args([laps.to_string(), super::FRAME.to_string()])
                .output()
                .expect("mpirun runs");
            let text = String::from_utf8_lossy(&output.stdout);
            let error = String::from_utf8_lossy(&output.stderr);
            text.trim().parse().unwrap_or_else(|_| panic!("mpirun said {text:?} and {error:?}"))
        }
    }
}
