//! A one-way stream of 64-byte frames through netkit over loopback TCP, against batched raw writes.
//!
//! To reach: at least 0.5 times the throughput between anybody, and for members, whose frames are sealed, at
//! least 0.8 times that. The raw writer copies frames into a buffer of 64
//! KiB and writes it when it is full. Of raw readers there are two: one that reads 64 KiB at a time
//! and counts bytes, which is all that the system can do; and one that also cuts the frames and
//! looks at each, which is what netkit does.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use netkit::frame::{HEADER, Splitter, write_header};
use netkit::{Admission, CloseReason, ConnectionId, Limits, Net, Peer, Service};

mod common;
use common::{BODY, compare, ends, pin};

const FRAMES: u32 = 500_000;
const BUFFER: usize = 64 * 1024;

fn main() {
    pin();
    println!("one-way stream of {BODY}-byte frames");
    let mut sealed = Sender::connected(true);
    let mut unsealed = Sender::connected(false);
    let mut plain = Raw::connected_to(raw_receiver(false));
    let mut splitting = Raw::connected_to(raw_receiver(true));
    compare(
        FRAMES,
        &mut [
            ("netkit, members: sealed", &mut || sealed.measure()),
            ("netkit, anybody: not sealed", &mut || unsealed.measure()),
            ("batched raw writes, plain 64 KiB reads", &mut || plain.measure()),
            ("batched raw writes, 64 KiB reads cut into frames", &mut || splitting.measure()),
        ],
    );
}

/// Counts frames, and says so when all have come.
struct Receiver {
    frames: u32,
    bytes: usize,
}

impl Service for Receiver {
    fn on_open(&mut self, _: &mut Net, _: ConnectionId, _: &Peer) {}
    fn on_frame(&mut self, net: &mut Net, connection: ConnectionId, body: &[u8]) {
        self.frames += 1;
        self.bytes += body.len();
        if self.frames.is_multiple_of(FRAMES) {
            assert_eq!(self.bytes, self.frames as usize * BODY);
            net.send(connection, b"all").expect("open");
        }
    }
    fn on_close(&mut self, net: &mut Net, _: ConnectionId, _: CloseReason) {
        net.stop();
    }
}

fn netkit_receiver(admission: Admission) -> SocketAddr {
    let mut net = Net::new(Limits::default()).expect("a loop");
    let (_, address) = net.listen(loopback(), admission).expect("a free port");
    std::thread::spawn(move || net.run(&mut Receiver { frames: 0, bytes: 0 }).expect("a run"));
    address
}

/// Sends as much as the peer takes, and goes on when it has taken everything.
struct Sender {
    net: Net,
    pump: Pump,
}

#[derive(Default)]
struct Pump {
    connection: Option<ConnectionId>,
    left: u32,
    is_done: bool,
}

impl Pump {
    fn pump(&mut self, net: &mut Net) {
        let connection = self.connection.expect("open");
        while self.left > 0 && net.queued(connection) < 2 * BUFFER {
            net.send(connection, &[7; BODY]).expect("open");
            self.left -= 1;
        }
    }
}

impl Service for Pump {
    fn on_open(&mut self, _: &mut Net, connection: ConnectionId, _: &Peer) {
        self.connection = Some(connection);
    }
    fn on_frame(&mut self, _: &mut Net, _: ConnectionId, _: &[u8]) {
        self.is_done = true;
    }
    fn on_close(&mut self, _: &mut Net, _: ConnectionId, reason: CloseReason) {
        panic!("{reason}");
    }
    fn on_drained(&mut self, net: &mut Net, _: ConnectionId) {
        self.pump(net);
    }
}

impl Sender {
    fn connected(sealed: bool) -> Self {
        let (admission, outgoing) = ends(sealed);
        let mut net = Net::new(Limits::default()).expect("a loop");
        net.connect(netkit_receiver(admission), outgoing).expect("begun");
        let mut pump = Pump::default();
        while pump.connection.is_none() {
            net.turn(&mut pump, None).expect("a turn");
        }
        Sender { net, pump }
    }

    fn measure(&mut self) -> Duration {
        let start = Instant::now();
        self.pump.left = FRAMES;
        self.pump.is_done = false;
        self.pump.pump(&mut self.net);
        while !self.pump.is_done {
            self.net.turn(&mut self.pump, None).expect("a turn");
        }
        start.elapsed()
    }
}

fn raw_receiver(splits: bool) -> SocketAddr {
    let listener = TcpListener::bind(loopback()).expect("a free port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        stream.set_nodelay(true).expect("a live socket");
        let mut buffer = vec![0; BUFFER];
        let mut splitter = Splitter::new(BODY);
        let (mut bytes, mut bodies) = (0, 0);
        loop {
            let n = stream.read(&mut buffer).expect("frames");
            if n == 0 {
                return;
            }
            bytes += n;
            let mut input = &buffer[..n];
            while splits && let Some(body) = splitter.next(&mut input).expect("frames") {
                bodies += body.len();
            }
            if bytes == FRAMES as usize * (HEADER + BODY) {
                assert!(!splits || bodies == FRAMES as usize * BODY);
                (bytes, bodies) = (0, 0);
                stream.write_all(&[1]).expect("sent");
            }
        }
    });
    address
}

/// The writer of the raw side.
struct Raw {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Raw {
    fn connected_to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("connected");
        stream.set_nodelay(true).expect("a live socket");
        Raw { stream, buffer: Vec::with_capacity(BUFFER) }
    }

    fn measure(&mut self) -> Duration {
        let start = Instant::now();
        for _ in 0..FRAMES {
            if self.buffer.len() + HEADER + BODY > BUFFER {
                self.stream.write_all(&self.buffer).expect("sent");
                self.buffer.clear();
            }
            write_header(BODY, &mut self.buffer);
            self.buffer.extend_from_slice(&[7; BODY]);
        }
        self.stream.write_all(&self.buffer).expect("sent");
        self.buffer.clear();
        self.stream.read_exact(&mut [0]).expect("an answer");
        start.elapsed()
    }
}

fn loopback() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}
