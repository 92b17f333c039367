//! Mails per second that are on the disk before anybody hears of them: two of our servers, against Postfix on one
//! hop, and against what the disk can do at all.
//!
//! ```text
//! cargo bench -p causal-mail --bench durable [-- MAILS]
//! ```
//!
//! Four clients send mails of a kilobyte one after the other, each on a connection of its own, to one mailbox. The
//! time ends when all of them are in the mailbox. *Ours* goes through two servers: the one of the clients accepts a
//! mail, forwards it, and the other one delivers it to a Maildir, with a matrix clock on each mail. *Postfix* does
//! one hop: it accepts a mail by SMTP (with the three commands in one write) and delivers it to a Maildir
//! (`virtual`). It is an instance of its own in a temporary folder, on a port of the loopback interface, and ends with
//! the bench; it takes no pauses (`in_flow_delay = 0`). That needs root; without root or Postfix this side is left out.
//! *The disk alone* is a loop that writes as many bytes as one mail to the end of a file, and waits (`fdatasync`).
//!
//! Nothing is pinned. Sides alternate; medians are compared. All files are in one folder below `target`.

#[path = "common/ours.rs"]
mod ours;
#[path = "common/postfix.rs"]
mod postfix;

use std::env;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

const CLIENTS: usize = 4;
const ROUNDS: usize = 5;

/// How many mails each client sends in a round, unless told otherwise.
const MAILS: usize = 500;

/// The text of a mail.
const BODY: &str = "A line of sixty-four characters, and sixteen of them in a mail.\n";
const LINES: usize = 16;

/// How long one round may take, and how long a server may take to be there.
const PATIENCE: Duration = Duration::from_secs(120);

fn main() {
    let mails = env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(MAILS);
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let cores = thread::available_parallelism().map_or(0, usize::from);
    println!(
        "{CLIENTS} clients, {mails} mails each, medians of {ROUNDS}, {cores} cores, nothing pinned; load before {}",
        load()
    );
    if cfg!(debug_assertions) {
        println!("not optimised: these figures say nothing of speed; use `cargo bench`");
    }
    let (mut two_servers, mut one_hop, mut disk) = (Vec::new(), Vec::new(), Vec::new());
    let post = ours::Post::up(&folder.path().join("ours"));
    let postfix = postfix::Postfix::start(&folder.path().join("postfix"));
    let _ = postfix.as_ref().inspect_err(|why| println!("without Postfix: {why}"));
    for _ in 0..ROUNDS {
        two_servers.push(post.round(mails));
        one_hop.extend(postfix.as_ref().map(|postfix| postfix.round(mails)));
        disk.push(the_disk_alone(folder.path()));
    }
    let ours = median(two_servers);
    println!("lab 03, two servers  {ours:>8.0} mails/s");
    for (name, rates, least) in
        [("Postfix, one hop", one_hop, ", goal: at least 1"), ("the disk alone", disk, "")]
    {
        if !rates.is_empty() {
            let rate = median(rates);
            println!("{name:<20} {rate:>8.0} a second   (lab 03: {:.2} x{least})", ours / rate);
        }
    }
    println!("load after {}", load());
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

/// How busy the machine is, as the system says it.
fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split_whitespace().next().unwrap_or("unknown").to_owned()
}

/// Lets all clients send, and waits until all of their mails are in the mailbox. Returns mails a second.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn measure<C: Send>(clients: Vec<C>, mails: usize, mailbox: &Path, send: fn(&mut C)) -> f64 {
    let here = || fs::read_dir(mailbox).map_or(0, Iterator::count);
    let due = here() + clients.len() * mails;
    let count = (clients.len() * mails) as f64;
    let begin = Instant::now();
    thread::scope(|scope| {
        for mut client in clients {
            scope.spawn(move || (0..mails).for_each(|_| send(&mut client)));
        }
    });
    while here() < due {
        assert!(begin.elapsed() < PATIENCE, "{} of {due} mails are here", here());
        thread::park_timeout(Duration::from_millis(1));
    }
    count / begin.elapsed().as_secs_f64()
}

/// How many times a second something can be on the disk.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn the_disk_alone(folder: &Path) -> f64 {
    let mut file =
        OpenOptions::new().create(true).append(true).open(folder.join("bare")).expect("a file");
    let (begin, mut count) = (Instant::now(), 0.0);
    while begin.elapsed() < Duration::from_secs(1) {
        file.write_all(BODY.repeat(LINES).as_bytes()).expect("written");
        file.sync_data().expect("on the disk");
        count += 1.0;
    }
    count / begin.elapsed().as_secs_f64()
}
