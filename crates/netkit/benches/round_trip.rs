//! The round trip of a 64-byte frame through netkit over loopback TCP, against blocking sockets
//! with the same framing.
//!
//! To reach: at most 1.15 times the time between anybody, and for members, whose frames are sealed, at most 5 %
//! more than that. The blocking side is what one would write by hand: one
//! `write` for header and body, a buffered reader, no readiness queue, one connection a thread.

use std::io::{BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use netkit::{Admission, CloseReason, ConnectionId, Limits, Net, Peer, Service, frame};

mod common;
use common::{BODY, compare, ends, pin};

const TRIPS: u32 = 20_000;

fn main() {
    pin();
    println!("round trip of a {BODY}-byte frame");
    let mut sealed = Client::connected(true);
    let mut plain = Client::connected(false);
    let mut blocking = Blocking::new(TcpStream::connect(blocking_echo()).expect("connected"));
    compare(
        TRIPS,
        &mut [
            ("netkit, members: sealed", &mut || sealed.measure()),
            ("netkit, anybody: not sealed", &mut || plain.measure()),
            ("blocking std::net", &mut || blocking.measure()),
        ],
    );
}

/// Both ends of netkit: sends each frame back, as long as there are trips left.
struct Echo {
    connection: Option<ConnectionId>,
    trips: u32,
}

impl Service for Echo {
    fn on_open(&mut self, _: &mut Net, connection: ConnectionId, _: &Peer) {
        self.connection = Some(connection);
    }
    fn on_frame(&mut self, net: &mut Net, connection: ConnectionId, body: &[u8]) {
        self.trips = self.trips.saturating_sub(1);
        if self.trips > 0 {
            net.send(connection, body).expect("open");
        }
    }
    fn on_close(&mut self, net: &mut Net, _: ConnectionId, _: CloseReason) {
        net.stop();
    }
}

fn netkit_echo(admission: Admission) -> SocketAddr {
    let mut net = Net::new(Limits::default()).expect("a loop");
    let (_, address) = net.listen(loopback(), admission).expect("a free port");
    std::thread::spawn(move || {
        net.run(&mut Echo { connection: None, trips: u32::MAX }).expect("a run");
    });
    address
}

struct Client {
    net: Net,
    echo: Echo,
}

impl Client {
    fn connected(sealed: bool) -> Self {
        let (admission, outgoing) = ends(sealed);
        let mut net = Net::new(Limits::default()).expect("a loop");
        net.connect(netkit_echo(admission), outgoing).expect("begun");
        let mut echo = Echo { connection: None, trips: 0 };
        while echo.connection.is_none() {
            net.turn(&mut echo, None).expect("a turn");
        }
        Client { net, echo }
    }

    fn measure(&mut self) -> Duration {
        let start = Instant::now();
        self.echo.trips = TRIPS;
        self.net.send(self.echo.connection.expect("open"), &[7; BODY]).expect("open");
        while self.echo.trips > 0 {
            self.net.turn(&mut self.echo, None).expect("a turn");
        }
        start.elapsed()
    }
}

fn blocking_echo() -> SocketAddr {
    let listener = TcpListener::bind(loopback()).expect("a free port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        let mut end = Blocking::new(listener.accept().expect("a connection").0);
        while end.receive() {
            end.send();
        }
    });
    address
}

/// One end of the blocking side.
struct Blocking {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
    body: Vec<u8>,
    frame: Vec<u8>,
}

impl Blocking {
    fn new(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("a live socket");
        let reader = BufReader::with_capacity(64 * 1024, stream.try_clone().expect("a descriptor"));
        Blocking { stream, reader, body: vec![7; BODY], frame: Vec::new() }
    }

    fn send(&mut self) {
        self.frame.clear();
        frame::write_header(self.body.len(), &mut self.frame);
        self.frame.extend_from_slice(&self.body);
        self.stream.write_all(&self.frame).expect("sent");
    }

    fn receive(&mut self) -> bool {
        let mut header = [0; 4];
        if self.reader.read_exact(&mut header).is_err() {
            return false;
        }
        self.body.resize(u32::from_be_bytes(header) as usize, 0);
        self.reader.read_exact(&mut self.body).is_ok()
    }

    fn measure(&mut self) -> Duration {
        let start = Instant::now();
        for _ in 0..TRIPS {
            self.send();
            assert!(self.receive());
        }
        start.elapsed()
    }
}

fn loopback() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}
