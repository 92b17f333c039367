//! Entries per second, and fairness: four clients of our coordinator against four clients of a lock in Redis.
//!
//! ```text
//! cargo bench -p mutex-central --bench entries [-- SECONDS]
//! ```
//!
//! Both sides do the same: four client processes want to enter again and again, do nothing inside, and count.
//! Ours are the stand-alone programs (`mutex-central coordinator`, `client`). The lock in Redis is the usual
//! one: `SET lock <random> NX PX 2000` until it succeeds, then a script that deletes the key if it still holds that
//! value; blocking clients on one connection each, by the same protocol as `redis-cli`. A client that does not get
//! the lock tries again: at once, which is the fastest that such a client can be, or after a random pause of up
//! to 1 ms, which is what its users are told to do. And there is a lock for which clients wait in line, as ours
//! do: the element of a list (`BLPOP`, `LPUSH`). Neither server stores anything, and neither lock survives its
//! server so; `durable` is the bench for those that do.
//!
//! Both sides are pinned to the same one core, for where the scheduler puts six processes is worth more than
//! any difference between programs. Sides alternate; medians are compared.
//!
//! A build that is not optimised, as `cargo test --bench` makes it, shows that the bench works and says nothing of
//! speed: then no goal is named.
//!
//! Fairness is the share of the client that entered least, against the mean: 1 if all enter as often.

mod common;

use std::env;
use std::process::ExitCode;
use std::time::Duration;

use common::redis::{self, Way};
use common::{IS_OPTIMISED, Side, goal, load, ours};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

const CLIENTS: usize = 4;
const ROUNDS: usize = 5;

/// How long each side runs in a round, in seconds, unless told otherwise: clients start and end one after the
/// other, within some hundredths of a second, and that must not look like unfairness.
const SECONDS: f64 = 3.0;

fn main() -> ExitCode {
    if redis::is_client() {
        return ExitCode::SUCCESS;
    }
    let seconds = env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(SECONDS);
    let time = Duration::from_secs_f64(seconds);
    pin_to_one_core();
    let folder = tempfile::tempdir().expect("a folder");
    let server = match redis::Server::start(None) {
        Ok(server) => server,
        Err(why) => {
            println!("redis-server is needed, and does not start ({why}): install it");
            return ExitCode::from(2);
        }
    };
    println!(
        "{CLIENTS} clients, {seconds} s a round, medians of {ROUNDS}, all on one core; load before {}",
        load()
    );
    let names = ["lab 04", "Redis, at once", "Redis, pauses", "Redis, waiting"];
    let mut sides = names.map(Side::new);
    for _ in 0..ROUNDS {
        sides[0].rounds.push(ours(folder.path(), None, CLIENTS, time));
        sides[1].rounds.push(server.round(Way::Polling(0), CLIENTS, time));
        sides[2].rounds.push(server.round(Way::Polling(1_000), CLIENTS, time));
        sides[3].rounds.push(server.round(Way::Waiting, CLIENTS, time));
    }
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

fn pin_to_one_core() {
    let mut cores = CpuSet::new();
    cores.set(0).expect("there is a first core");
    sched_setaffinity(Pid::from_raw(0), &cores).expect("a process may choose its core");
}
