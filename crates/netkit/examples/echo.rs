//! An echo server and its client, on TCP.
//!
//! ```text
//! $ cargo run -p netkit --example echo -- listen 127.0.0.1:7070
//! $ cargo run -p netkit --example echo -- say 127.0.0.1:7070 hello there
//! ```
//!
//! Ctrl-C stops the server. What happens if you type `nc 127.0.0.1 7070` and some words?

use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;

use netkit::{Admission, CloseReason, ConnectionId, Limits, Net, Outgoing, Peer, Service};
use nix::sys::signal::Signal::{SIGINT, SIGTERM};

const USAGE: &str = "usage: echo listen ADDRESS:PORT | echo say ADDRESS:PORT WORD...";

fn main() -> ExitCode {
    env_logger::init();
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("echo: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut net = Net::new(Limits::default())?;
    match arguments.split_first_chunk() {
        Some(([verb, address], [])) if verb == "listen" => listen(&mut net, address.parse()?),
        Some(([verb, address], words)) if verb == "say" => {
            say(&mut net, address.parse()?, words.join(" "))
        }
        _ => Err(USAGE.into()),
    }
}

fn listen(net: &mut Net, address: SocketAddr) -> Result<(), Box<dyn Error>> {
    net.watch_signals(&[SIGINT as i32, SIGTERM as i32])?;
    let (_, address) = net.listen(address, Admission::Anyone)?;
    println!("listening on {address}");
    Ok(net.run(&mut Server)?)
}

struct Server;

impl Service for Server {
    fn on_open(&mut self, _: &mut Net, _: ConnectionId, peer: &Peer) {
        println!("{} has connected", peer.address);
    }

    fn on_frame(&mut self, net: &mut Net, connection: ConnectionId, body: &[u8]) {
        if let Err(error) = net.send(connection, body) {
            eprintln!("not sent back: {error}");
        }
    }

    fn on_close(&mut self, _: &mut Net, _: ConnectionId, reason: CloseReason) {
        println!("a connection has ended: {reason}");
    }

    fn on_signal(&mut self, net: &mut Net, _: i32) {
        println!("stopping");
        net.stop();
    }
}

fn say(net: &mut Net, address: SocketAddr, words: String) -> Result<(), Box<dyn Error>> {
    net.connect(address, Outgoing::Anyone)?;
    let mut client = Client { words, failure: None };
    net.run(&mut client)?;
    client.failure.map_or(Ok(()), |reason| Err(reason.into()))
}

struct Client {
    words: String,
    failure: Option<CloseReason>,
}

impl Service for Client {
    fn on_open(&mut self, net: &mut Net, connection: ConnectionId, _: &Peer) {
        if let Err(error) = net.send(connection, self.words.as_bytes()) {
            eprintln!("not sent: {error}");
            net.stop();
        }
    }

    fn on_frame(&mut self, net: &mut Net, connection: ConnectionId, body: &[u8]) {
        println!("{}", String::from_utf8_lossy(body));
        net.close_when_sent(connection);
        net.stop();
    }

    fn on_close(&mut self, net: &mut Net, _: ConnectionId, reason: CloseReason) {
        self.failure = Some(reason);
        net.stop();
    }
}
