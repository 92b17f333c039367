//! A server of many clients on one thread.
//!
//! A server that calls `read` on one client waits for that client, and all others wait with it. The
//! classic cures are a process or a thread for each. This one has a third: it never calls anything
//! that waits, but asks the system *which* sockets have something (epoll, by way of mio), and takes
//! one step with each of those. A client that says nothing costs a little memory and no time.
//!
//! Readiness is edge-triggered: it is told once, when bytes arrive, and not again while they lie
//! there. So a client that has been read from stays on a list, and gets one read a turn, until a
//! read finds nothing. Because of this limit of one read a turn, a client that floods us does not
//! delay the others.
//!
//! A client that sends and never reads its acknowledgements fills its own socket, then ours; then
//! we no longer read from it, until it takes some. So its answers do not pile up here.
//!
//! A message ends with its line. But a stream does not say that a message is over, and a program that
//! knows nothing of lines sends `OK` and waits for an answer, which must not mean that both wait for
//! ever. So a message ends with a pause too, unless `--acknowledge` says otherwise: a guess, as
//! every end of a message is that neither side has marked.
//!
//! The client closes first. A read of length 0 says that it has closed its side (and may still be
//! reading: `nc -N` is); then what is owed to it is written, and our side is closed. When
//! `--clients` are connected, more are not accepted but wait in the queue of the kernel, which
//! `--backlog` bounds; to them it looks as if they were connected.

mod connection;
mod messages;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::{Args, ValueEnum};
use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token};
use netkit::sockets;

pub use self::messages::{Message, Messages, TooLong};

use self::connection::{Connection, Next};
use crate::{Listen, count, signals};

/// What `tcp-server` takes.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// The address and port.
    #[command(flatten)]
    pub listen: Listen,
    /// How many connections may wait to be accepted
    #[arg(long, value_name = "COUNT", default_value_t = 128,
        value_parser = clap::value_parser!(u32).range(1..=65_535))]
    pub backlog: u32,
    /// How many bytes are read at once; a longer message takes several reads
    #[arg(long, value_name = "BYTES", default_value_t = 1024,
        value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    pub buffer: u32,
    /// How many clients are served at once; more wait
    #[arg(long, value_name = "COUNT", default_value_t = 500,
        value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub clients: u32,
    /// What is a message, and so acknowledged
    #[arg(long, value_enum, default_value_t)]
    pub acknowledge: Acknowledge,
    /// The longest message, for it is kept until its end is there
    #[arg(long, value_name = "BYTES", default_value_t = 65_536,
        value_parser = clap::value_parser!(u32).range(1..=1 << 24))]
    pub max_message: u32,
}

/// What counts as a message.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum Acknowledge {
    /// A line; and what has come without an end of line, after a second in which nothing more came
    #[default]
    Pause,
    /// A line, or what stands before the end of the stream
    Line,
    /// What one read brings, whatever it is
    Read,
}

/// How long a client may pause in the middle of a line before something is said, or done, about it:
/// a program that sends the rest needs thousandths of that, and a person who waits for an answer
/// does not give up.
const PAUSE: Duration = Duration::from_secs(1);

/// How long not to accept when the system has no more files for us and no client has left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// How many events are taken from the system in one turn; the rest come in the next.
const EVENTS_AT_ONCE: usize = 256;

const LISTENER: Token = Token(0);
const SIGNALS: Token = Token(1);
const FIRST_CLIENT: usize = 2;

/// Serves clients until SIGINT or SIGTERM.
///
/// # Errors
///
/// If the address cannot be bound to, or what arrives cannot be shown.
pub fn serve(options: &Options, out: &mut impl Write) -> anyhow::Result<()> {
    let listener = sockets::listen_tcp(&options.listen.bind, options.listen.port, options.backlog)?;
    let mut listener = TcpListener::from_std(listener);
    let mut poll = Poll::new().context("cannot create an event loop")?;
    let mut signals = signals::watch(poll.registry(), SIGNALS).context("cannot watch signals")?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    writeln!(out, "listening on tcp {}", listener.local_addr()?).context("cannot show anything")?;

    let mut server = Server::new(listener, options);
    // All lines that one turn shows, written at once: a system call for each would be most of the
    // work.
    let mut shown = Vec::new();
    let mut events = Events::with_capacity(EVENTS_AT_ONCE);
    loop {
        if let Err(error) = poll.poll(&mut events, server.timeout())
            && error.kind() != ErrorKind::Interrupted
        {
            return Err(error).context("cannot wait for clients");
        }
        if let Some(signal) = signals::pending(&mut signals) {
            let open = server.clients.len();
            writeln!(out, "stopped by {signal}: {}; {open} still connected", server.served)?;
            return Ok(());
        }
        for event in &events {
            match event.token() {
                LISTENER => server.somebody_waits = true,
                SIGNALS => {}
                client => server.is_ready(client),
            }
        }
        server.serve_ready(&mut shown);
        server.look_at_pauses(&mut shown);
        server.accept(&poll, &mut shown)?;
        out.write_all(&shown).and_then(|()| out.flush()).context("cannot show a message")?;
        shown.clear();
    }
}

struct Server {
    listener: TcpListener,
    clients: BTreeMap<Token, Connection>,
    next: usize,
    /// The clients to take a step with, each once.
    ready: VecDeque<Token>,
    /// The clients that are in the middle of a line, by when they will have paused for long.
    pauses: BTreeSet<(Instant, Token)>,
    /// There may be connections to accept.
    somebody_waits: bool,
    /// Accepting failed because the system lacks something, such as file descriptors. Time, or a
    /// client that leaves, may bring it back.
    is_exhausted: bool,
    /// Shared by all: a read is over before the next begins.
    buffer: Vec<u8>,
    max_clients: usize,
    max_message: usize,
    acknowledge: Acknowledge,
    served: Served,
}

impl Server {
    fn new(listener: TcpListener, options: &Options) -> Server {
        Server {
            listener,
            clients: BTreeMap::new(),
            next: FIRST_CLIENT,
            ready: VecDeque::new(),
            pauses: BTreeSet::new(),
            acknowledge: options.acknowledge,
            somebody_waits: false,
            is_exhausted: false,
            buffer: vec![0; options.buffer as usize],
            max_clients: options.clients as usize,
            max_message: options.max_message as usize,
            served: Served::default(),
        }
    }

    /// How long to wait for events.
    fn timeout(&self) -> Option<Duration> {
        if !self.ready.is_empty() {
            return Some(Duration::ZERO);
        }
        let accept = self.is_exhausted.then_some(ACCEPT_PAUSE);
        let pause = self.pauses.first();
        let pause = pause.map(|(end, _)| end.saturating_duration_since(Instant::now()));
        [accept, pause].into_iter().flatten().min()
    }

    fn is_ready(&mut self, client: Token) {
        // Events are told of clients that have just left, too.
        if let Some(connection) = self.clients.get_mut(&client)
            && !std::mem::replace(&mut connection.is_listed, true)
        {
            self.ready.push_back(client);
        }
    }

    /// One step with each client that has something to do.
    fn serve_ready(&mut self, out: &mut Vec<u8>) {
        for _ in 0..self.ready.len() {
            let Some(token) = self.ready.pop_front() else { return };
            let Some(client) = self.clients.get_mut(&token) else { continue };
            client.is_listed = false;
            if let Some(pause) = client.pause_ends.take() {
                self.pauses.remove(&(pause, token));
            }
            let next = client.step(&mut self.buffer, &mut self.served, out);
            self.go_on(token, next, out);
        }
    }

    fn go_on(&mut self, token: Token, next: Next, out: &mut Vec<u8>) {
        match next {
            Next::Step => self.is_ready(token),
            Next::Event => {
                let client = self.clients.get_mut(&token).expect("it has just been served");
                if client.is_in_a_line() {
                    let end = Instant::now() + PAUSE;
                    client.pause_ends = Some(end);
                    self.pauses.insert((end, token));
                }
            }
            Next::End(how) => {
                let client = self.clients.remove(&token).expect("it has just been served");
                show(out, format_args!("{} {how}", client.peer));
            }
        }
    }

    /// Clients that have paused for long in the middle of a line.
    fn look_at_pauses(&mut self, out: &mut Vec<u8>) {
        let now = Instant::now();
        while let Some(&(end, token)) = self.pauses.first()
            && end <= now
        {
            self.pauses.pop_first();
            let Some(client) = self.clients.get_mut(&token) else { continue };
            client.pause_ends = None;
            if let Some(next) = client.on_pause(&mut self.served, out) {
                self.go_on(token, next, out);
            }
        }
    }

    /// Accepts connections that wait, while there is room.
    fn accept(&mut self, poll: &Poll, out: &mut Vec<u8>) -> anyhow::Result<()> {
        while self.somebody_waits && self.clients.len() < self.max_clients {
            match self.listener.accept() {
                Ok((stream, peer)) => {
                    self.is_exhausted = false;
                    self.admit(poll, stream, peer, out)?;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.somebody_waits = false,
                Err(error) if is_of_that_client(&error) => {}
                Err(error) => {
                    if !std::mem::replace(&mut self.is_exhausted, true) {
                        let why = sockets::reason(&error);
                        show(out, format_args!("cannot accept a client: {why}; trying again"));
                    }
                    break;
                }
            }
        }
        Ok(())
    }

    fn admit(
        &mut self,
        poll: &Poll,
        mut stream: mio::net::TcpStream,
        peer: SocketAddr,
        out: &mut Vec<u8>,
    ) -> anyhow::Result<()> {
        let token = Token(self.next);
        self.next += 1;
        let both = Interest::READABLE | Interest::WRITABLE;
        poll.registry().register(&mut stream, token, both).context("cannot watch a client")?;
        // Without it a machine that was switched off stays a client for ever; only that is lost.
        let _ = sockets::keep_alive(&stream);
        let client =
            Connection::new(stream, sockets::plain(peer), self.max_message, self.acknowledge);
        self.served.clients += 1;
        show(out, format_args!("{} connected", client.peer));
        self.clients.insert(token, client);
        Ok(())
    }
}

/// Adds a line to what this turn shows.
fn show(out: &mut Vec<u8>, line: fmt::Arguments<'_>) {
    writeln!(out, "{line}").expect("memory takes everything");
}

/// Whether accepting failed because that one client has gone, which says nothing of the next.
fn is_of_that_client(error: &io::Error) -> bool {
    let gone = [ErrorKind::ConnectionAborted, ErrorKind::ConnectionReset, ErrorKind::Interrupted];
    gone.contains(&error.kind())
}

/// What the server says at its end.
#[derive(Debug, Default)]
struct Served {
    clients: u64,
    messages: u64,
    bytes: u64,
}

impl fmt::Display for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Served { clients, messages, bytes } = self;
        let (clients, messages) = (count(*clients, "client"), count(*messages, "message"));
        write!(f, "{clients}, {messages}, {} received", count(*bytes, "byte"))
    }
}
