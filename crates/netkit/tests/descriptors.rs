//! A process that has run out of file descriptors. Alone in its program, for the limit is that of
//! the process.

use std::fs::File;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use netkit::{Admission, Limits};

mod common;
use common::Side;

#[test]
fn a_listener_without_descriptors_neither_spins_nor_gives_up() {
    use nix::sys::resource::{Resource, setrlimit};
    setrlimit(Resource::RLIMIT_NOFILE, 64, 64).expect("lower than before");

    let mut side = Side::new(Limits::default());
    let address = side.listen(Admission::Anyone);
    let waiting: Vec<TcpStream> =
        (0..3).map(|_| TcpStream::connect(address).expect("in the backlog")).collect();
    let mut taken = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        taken.push(file);
    }

    let start = Instant::now();
    let mut turns = 0;
    while start.elapsed() < Duration::from_millis(350) {
        side.net.turn(&mut side.recorder, Some(Duration::from_secs(1))).expect("a turn");
        turns += 1;
    }
    assert!(turns <= 10, "{turns} turns in 350 ms: it spins");
    assert!(side.recorder.opened().is_empty());

    drop(taken);
    side.until(|side| side.opened().len() == waiting.len());
}
