//! Entries per second where everything is on the disk before anybody hears of it: our coordinator with `--state`
//! against locks in Redis with `appendfsync always`, and against what the disk can do at all.
//!
//! ```text
//! cargo bench -p mutex-central --bench durable [-- SECONDS]
//! ```
//!
//! As in `entries`, clients want to enter again and again, do nothing inside, and count. Redis waits for the disk
//! twice an entry if its clients wait in line, for the taking and for the giving back, and shares a wait among the
//! clients that ask in the same turn. Ours waits once an entry: the end of one section and the next grant are one
//! turn. *The disk alone* is a loop that writes as many bytes as one of our turns to the end of a file, and
//! waits (`fdatasync`): with one section at a time, no lock that stores each grant before it is given can have more
//! entries than that.
//!
//! Nothing is pinned: a server that waits for the disk leaves its core to others. Sides alternate; medians are
//! compared. All files are in one folder below `target`, and so on the same disk.

mod common;

use std::env;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use common::redis::{self, Way};
use common::{IS_OPTIMISED, Side, goal, load, ours};

const ROUNDS: usize = 5;

/// How long each side runs in a round, in seconds, unless told otherwise.
const SECONDS: f64 = 2.0;

/// As many bytes as a turn has in our log: its line, and a token, a client inside and what has changed in the line.
const TURN: usize = 200;

fn main() -> ExitCode {
    if redis::is_client() {
        return ExitCode::SUCCESS;
    }
    let seconds = env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(SECONDS);
    let time = Duration::from_secs_f64(seconds);
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let server = match redis::Server::start(Some(folder.path())) {
        Ok(server) => server,
        Err(why) => {
            println!("redis-server is needed, and does not start ({why}): install it");
            return ExitCode::from(2);
        }
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!("{seconds} s a round, medians of {ROUNDS}, {cores} cores, nothing pinned");
    if !IS_OPTIMISED {
        println!("not optimised: these figures say nothing of speed; use `cargo bench`");
    }
    for clients in [4, 16] {
        println!("{clients} clients, load before {}", load());
        compare(folder.path(), &server, clients, time);
    }
    ExitCode::SUCCESS
}

fn compare(folder: &Path, server: &redis::Server, clients: usize, time: Duration) {
    let names = ["lab 04", "Redis, waiting", "Redis, pauses", "Redis, at once", "the disk alone"];
    let mut sides = names.map(Side::new);
    for round in 0..ROUNDS {
        let state = folder.join(format!("state-{clients}-{round}"));
        sides[0].rounds.push(ours(folder, Some(&state), clients, time));
        sides[1].rounds.push(server.round(Way::Waiting, clients, time));
        sides[2].rounds.push(server.round(Way::Polling(1_000), clients, time));
        sides[3].rounds.push(server.round(Way::Polling(0), clients, time));
        sides[4].rounds.push((the_disk_alone(folder, time), 1.0));
    }
    sides.iter().for_each(|side| println!("{side}"));
    let ours = sides[0].entries();
    for other in &sides[1..] {
        let least = if other.name == "the disk alone" { "0.5" } else { "1" };
        println!(
            "lab 04 against {:<15} {:>6.2} x{}",
            other.name,
            ours / other.entries(),
            goal(least)
        );
    }
}

/// How many times a second something can be on the disk.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn the_disk_alone(folder: &Path, time: Duration) -> f64 {
    let path = folder.join("bare");
    let mut file = OpenOptions::new().create(true).append(true).open(&path).expect("a file");
    let (begin, mut count) = (Instant::now(), 0.0);
    while begin.elapsed() < time {
        file.write_all(&[b'x'; TURN]).expect("written");
        file.sync_data().expect("on the disk");
        count += 1.0;
    }
    std::fs::remove_file(path).expect("it is there");
    count / time.as_secs_f64()
}
