//! The program that the tests of the SSH path start: a daemon that is told on its command line how
//! to behave.
//!
//! * `daemon ADDRESS RANK`: becomes a daemon, connects to the address, tells its rank, its process
//!   number and what it read on its standard input, and lives for as long as the connection.
//! * `fail TEXT`: becomes a daemon and reports the text as its error.
//! * `give-up`: becomes a daemon and ends without a word.
//! * `linger`: says that it is ready, and neither detaches nor ends.

#![forbid(unsafe_code)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::{env, io, process};

use netkit::daemon;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["daemon", address, rank, ..] => participate(address, rank),
        ["fail", text] => daemon::detach().expect("one thread").fail(text),
        ["give-up"] => drop(daemon::detach().expect("one thread")),
        ["linger"] => {
            println!("@@netkit ok {}", process::id());
            // Its input ends at once; the end of its output is what it waits for.
            loop {
                std::thread::park();
            }
        }
        other => panic!("how to behave? {other:?}"),
    }
}

fn participate(address: &str, rank: &str) {
    let mut secret = String::new();
    io::stdin().read_to_string(&mut secret).expect("an input");
    let ready = daemon::detach().expect("one thread");
    let mut launcher = match TcpStream::connect(address) {
        Ok(launcher) => launcher,
        Err(error) => ready.fail(&format!("cannot reach {address}: {error}")),
    };
    ready.ok();
    let colour = env::var("COLOUR").unwrap_or_default();
    writeln!(launcher, "{rank} {} {secret} {colour}", process::id()).expect("a launcher");
    // It ends when the test lets go of the connection.
    let _ = launcher.read_to_end(&mut Vec::new());
}
