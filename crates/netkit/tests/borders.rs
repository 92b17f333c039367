//! TCP keeps no borders between messages: a read of several frames is logged.

use std::io::Write;
use std::net::TcpStream;
use std::sync::{Mutex, PoisonError};

use log::{Log, Metadata, Record};
use netkit::{Admission, Limits, Outgoing};

mod common;
use common::{Seen, Side, both, frame, member, secret};

/// Keeps what was logged.
struct Lines(Mutex<Vec<String>>);

static LINES: Lines = Lines(Mutex::new(Vec::new()));

impl Log for Lines {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push(record.args().to_string());
    }

    fn flush(&self) {}
}

/// The lines about reads that brought several frames.
fn several() -> Vec<String> {
    let lines = LINES.0.lock().unwrap_or_else(PoisonError::into_inner);
    lines.iter().filter(|line| line.contains(" in one read ")).cloned().collect()
}

/// One test, for all of a program share one logger.
#[test]
fn a_read_of_several_frames_is_logged_and_no_other() {
    log::set_logger(&LINES).expect("there is no other logger");
    log::set_max_level(log::LevelFilter::Debug);

    let mut side = Side::new(Limits::default());
    let address = side.listen(Admission::Anyone);
    let mut socket = TcpStream::connect(address).expect("connected");
    let local = socket.local_addr().expect("it has one");
    socket.write_all(&frame(b"alone")).expect("sent");
    side.until(|side| side.frames().len() == 1);
    assert!(several().is_empty(), "{:?}", several());
    socket.write_all(&[frame(b"one"), frame(b"two"), frame(b"three")].concat()).expect("sent");
    side.until(|side| side.frames().len() == 4);
    assert_eq!(several(), [format!("3 frames in one read of 23 bytes from {local}")]);

    // Members seal what they send: what leaves together shares an envelope.
    let secret = secret();
    let mut a = Side::new(Limits::default());
    let address = a.listen(Admission::Members(member(&secret, 1)));
    let mut b = Side::reacting(Limits::default(), |net, seen| {
        if let Seen::Open(id, _) = seen {
            (0..2_u32).for_each(|n| net.send_value(*id, &n).expect("open"));
        }
    });
    let to = Outgoing::Member { membership: member(&secret, 0), to: 1 };
    b.net.connect(address, to).expect("begun");
    both(&mut a, &mut b, |a, _| a.frames().len() == 2);
    let told = several().pop().expect("it was logged");
    assert!(told.starts_with("2 frames in one read of "), "{told}");
    assert!(told.ends_with(" from p0, in 1 envelope"), "{told}");
}
