//! `labs logs` of a large run, against `sort -m` of the same files.
//!
//! ```text
//! cargo bench -p labs-tool --bench logs
//! ```
//!
//! A hundred logs of 100,000 lines each, in a run's folder of their own below `/tmp`, which is removed at the end. `sort`
//! merges by the text of the lines, and so by their time; `labs` reads each line, merges by Lamport time, and
//! makes it safe to show. Both are told to write to `/dev/null`. Times are those of the processor; the first of the
//! rounds, which reads the files from the disk, does not count. To reach: 1.5 times the time of `sort`, in 64 MiB.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use labs::run::FOLDER;
use netkit::logs::RunFolder;
use netkit::run_id::RunId;
use nix::sys::resource::{Usage, UsageWho, getrusage};

const LOGS: u32 = 100;

const LINES: u32 = 100_000;

/// The run that the logs are of.
const RUN: &str = "20000101-000000-0bec";

const ROUNDS: usize = 5;

fn main() {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("load: {}", load.trim());
    let run: RunId = RUN.parse().expect("this is the name of a run");
    let folder = RunFolder::create(FOLDER, &run).expect("the folder of a run can be made");
    for rank in 0..LOGS {
        write_log(folder.path(), rank).expect("there is room for a gigabyte");
    }
    let mut files: Vec<_> = fs::read_dir(folder.path())
        .expect("the folder is there")
        .map(|entry| entry.expect("the folder can be read").path())
        .collect();
    files.sort();
    let mut sort = Command::new("sort");
    sort.arg("-m").args(files);
    let mut labs = Command::new(env!("CARGO_BIN_EXE_labs"));
    labs.args(["logs", RUN]);
    let mut times: [Vec<Duration>; 2] = Default::default();
    for round in 0..=ROUNDS {
        for (times, command) in times.iter_mut().zip([&mut labs, &mut sort]) {
            let time = processor_time(command);
            times.extend((round > 0).then_some(time));
        }
    }
    // `sort` takes less: the most that any of the children took is what `labs` did.
    let mebibytes = children().max_rss() as f64 / 1024.0;
    fs::remove_dir_all(folder.path()).expect("what was made can be removed");
    let [labs, sort] = times.map(|mut times| {
        times.sort();
        times[ROUNDS / 2].as_secs_f64()
    });
    println!("labs logs  {labs:>6.2} s of processor, {mebibytes:.0} MiB (to reach: 64)");
    println!("sort -m    {sort:>6.2} s: {:.2} x (to reach: 1.5)", labs / sort);
}

/// A log as a participant writes it, whose events and times are its own.
fn write_log(folder: &Path, rank: u32) -> std::io::Result<()> {
    let mut log = String::new();
    // Any numbers that differ from log to log.
    let mut random = u64::from(rank) + 1;
    let (mut micros, mut lamport) = (0, 0);
    for round in 0..LINES {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        micros += 1 + (random >> 54);
        lamport += 1 + (random >> 62);
        let (minute, second, micro) =
            (micros / 60_000_000, micros / 1_000_000 % 60, micros % 1_000_000);
        let _ = writeln!(
            log,
            "2000-01-01T00:{minute:02}:{second:02}.{micro:06}Z INFO  p{rank} @{lamport} entered the critical \
             section, round {round}"
        );
    }
    fs::File::create(folder.join(format!("bench-{rank}-here-1.log")))?.write_all(log.as_bytes())
}

/// How long the processor works for a command.
fn processor_time(command: &mut Command) -> Duration {
    let time = || {
        let usage = children();
        let [user, system] = [usage.user_time(), usage.system_time()].map(|time| {
            let micros = time.tv_sec() * 1_000_000 + time.tv_usec();
            Duration::from_micros(micros.unsigned_abs())
        });
        user + system
    };
    let before = time();
    let status = command.env("LC_ALL", "C").stdout(Stdio::null()).status();
    assert!(status.expect("the program starts").success(), "{command:?}");
    time() - before
}

fn children() -> Usage {
    getrusage(UsageWho::RUSAGE_CHILDREN).expect("the system counts what children take")
}
