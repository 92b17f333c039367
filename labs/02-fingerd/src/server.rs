//! The server: one line in, the answer out, close.
//!
//! All connections and the pipes of all children are sources of one event loop. Each connection is
//! a small state machine with one deadline (`connection`):
//!
//! ```text
//! accepted ──► asking ──► answering ──► sending ──► closed
//!                │            │            ▲  └───► draining ──► closed
//!                └─ refused ──┴─ cut off ──┘
//! ```
//!
//! *Draining* comes after a refusal. If a connection is closed while bytes of the client are
//! unread, the system sends a reset, and the reset may reach the client before it has read why it
//! was refused. So the server closes its side only, drops what still comes, and closes for good
//! when the client does, or a second later.
//!
//! Readiness is edge-triggered: after an event the server must read until there is nothing more.
//! The limits bound that: from a client it reads at most a query's length, from a child an
//! answer's.

mod connection;
mod setup;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use mio::net::{TcpListener, TcpStream};
use mio::unix::pipe::Receiver;
use mio::{Events, Interest, Poll, Token, Waker};
use netkit::Signal;
use netkit::signals::not_ignored;
use netkit::sockets::{self, ANYWHERE};
use signal_hook_mio::v1_0::Signals;

use crate::PORT;
use crate::built_in::Sources;
use crate::family;
use crate::finger::Finger;
use crate::keeper::Keeper;
use crate::limits::Limits;
use crate::log_file::Log;
use crate::query::{Query, Refused};
use crate::workers::Workers;

use self::connection::{Asked, Connection, State};

pub use self::setup::serve;

/// What `serve` takes.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// The own address to listen at; all of them, of IPv4 and IPv6, unless one is named
    #[arg(long, value_name = "ADDR", default_value = ANYWHERE)]
    pub bind: String,
    /// The port to listen at; 0 takes a free one; 79 is the protocol's own and for root
    #[arg(long, default_value_t = PORT)]
    pub port: u16,
    /// The file to hold the server's process number, locked while it lives
    #[arg(long, value_name = "FILE", default_value = "/tmp/finger.pid")]
    pub pid_file: PathBuf,
    /// The file to log every request in
    #[arg(long, value_name = "FILE", default_value = "/tmp/finger.log")]
    pub log_file: PathBuf,
    /// Go on in the background, without a terminal
    #[arg(long)]
    pub daemon: bool,
    /// The user to become once the port is bound; `nobody` if started as root and not told
    /// otherwise
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// The program that answers; the system's `finger` if it has one
    #[arg(long, value_name = "PROGRAM", conflicts_with = "built_in")]
    pub finger: Option<PathBuf>,
    /// Answer without any program, from the user database and the login records
    #[arg(long)]
    pub built_in: bool,
    /// Do not tell who is logged in
    #[arg(long)]
    pub no_list: bool,
    /// What clients and children may take.
    #[command(flatten)]
    pub limits: Limits,
}

/// The signals that end the server; SIGHUP has a daemon open its log anew instead.
const ENDING: [Signal; 3] = [Signal::SIGHUP, Signal::SIGINT, Signal::SIGTERM];

/// What it means that there is no keeper.
const NO_KEEPER: &str = "if this server is killed with -9, a finger that hangs is left";

/// How long a refused client may take to close, how long not to accept when the system has no more
/// files for us, and how often to look for orphans while children run.
const PAUSE: Duration = Duration::from_secs(1);

/// How many clients over the limit are told so at once; others are just closed.
const TURNED_AWAY_AT_ONCE: usize = 64;

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 256;

/// How many events are taken from the system in one turn; the rest come in the next.
const EVENTS_AT_ONCE: usize = 256;

const LISTENER: Token = Token(0);
const SIGNALS: Token = Token(1);
const WAKER: Token = Token(2);
/// A connection has an even token, and the pipe of its child the one after.
const FIRST_CONNECTION: usize = 4;

/// Whether the server goes on.
#[derive(Eq, PartialEq)]
enum Going {
    On,
    Ends,
}

/// The program or the threads that make the answers.
enum Source {
    Program(PathBuf),
    BuiltIn(Workers),
}

/// A server that listens.
struct Server {
    poll: Poll,
    listener: Listener,
    signals: Signals,
    source: Source,
    log: Log,
    limits: Limits,
    tells_list: bool,
    connections: BTreeMap<Token, Connection>,
    next: usize,
    /// When each connection has to have gone on.
    deadlines: BTreeSet<(Instant, Token)>,
    /// Children whose answers are complete or no longer wanted, and that have not ended.
    dying: Vec<Finger>,
    /// It ends the children if this process is killed. None where it could not be started.
    keeper: Option<Keeper>,
    /// When we last looked for orphans.
    looked_at: Instant,
    is_daemon: bool,
    requests: u64,
}

struct Listener {
    socket: TcpListener,
    /// Clients are waiting to be accepted; if that failed, not before this time.
    accept_at: Option<Instant>,
}

impl Server {
    fn new(
        listener: TcpListener,
        program: Option<PathBuf>,
        keeper: Option<Keeper>,
        log: Log,
        options: &Options,
    ) -> io::Result<Server> {
        let poll = Poll::new()?;
        let mut watched = not_ignored(&ENDING.map(|signal| signal as i32));
        watched.push(Signal::SIGCHLD as i32);
        let mut signals = Signals::new(watched)?;
        let mut listener = listener;
        poll.registry().register(&mut signals, SIGNALS, Interest::READABLE)?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let source = match program {
            Some(program) => Source::Program(program),
            None => {
                let waker = Waker::new(poll.registry(), WAKER)?;
                let max = options.limits.children as usize;
                Source::BuiltIn(Workers::new(Sources::of_this_machine(), max, waker))
            }
        };
        Ok(Server {
            poll,
            listener: Listener { socket: listener, accept_at: None },
            signals,
            source,
            log,
            limits: options.limits.clone(),
            tells_list: !options.no_list,
            connections: BTreeMap::new(),
            next: FIRST_CONNECTION,
            deadlines: BTreeSet::new(),
            dying: Vec::new(),
            keeper,
            looked_at: Instant::now(),
            is_daemon: options.daemon,
            requests: 0,
        })
    }

    /// Serves until SIGINT or SIGTERM.
    fn run(&mut self) -> anyhow::Result<()> {
        let mut events = Events::with_capacity(EVENTS_AT_ONCE);
        loop {
            if let Err(error) = self.poll.poll(&mut events, self.timeout())
                && error.kind() != ErrorKind::Interrupted
            {
                return Err(error).context("cannot wait for events");
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.listener.accept_at = Some(Instant::now()),
                    SIGNALS | WAKER => {}
                    Token(n) if n % 2 == 1 => self.on_printed(Token(n - 1)),
                    // An error, or an end in both directions: nobody is there to answer to.
                    token if event.is_error() || event.is_write_closed() => self.on_gone(token),
                    token => self.on_client(token),
                }
            }
            self.take_answers();
            self.on_deadlines();
            self.accept();
            if self.heed_signals() == Going::Ends {
                return Ok(());
            }
        }
    }

    fn heed_signals(&mut self) -> Going {
        let pending: Vec<_> = self.signals.pending().collect();
        let is_due = self.has_children() && self.looked_at.elapsed() >= PAUSE;
        if is_due || !pending.is_empty() {
            self.bury();
        }
        for signal in pending.into_iter().filter_map(|signal| Signal::try_from(signal).ok()) {
            match signal {
                Signal::SIGCHLD => {}
                Signal::SIGHUP if self.is_daemon => self.log.reopen(),
                end => {
                    let (requests, open) = (self.requests, self.connections.len());
                    self.log.line(&format!(
                        "stopped by {end}: {requests} connections served, {open} still open"
                    ));
                    return Going::Ends;
                }
            }
        }
        Going::On
    }

    /// Buries children that have ended, and ends what they have left.
    fn bury(&mut self) {
        self.looked_at = Instant::now();
        let mut buried = Vec::new();
        self.dying.retain_mut(|child| {
            let has_ended = child.has_ended();
            if has_ended {
                buried.push(child.pid());
            }
            !has_ended
        });
        buried.into_iter().for_each(|child| self.tell_keeper(|keeper| keeper.note_end(child)));
        if self.keeper.as_mut().is_some_and(Keeper::has_ended) {
            self.log.line(&format!("the keeper has ended: {NO_KEEPER}"));
            self.keeper = None;
        }
        let keeper = self.keeper.as_ref().map(Keeper::pid);
        let running = self.connections.values().filter_map(|other| other.child.as_ref());
        let running: BTreeSet<_> = running.map(|(child, _)| child.pid()).collect();
        let dying: BTreeSet<_> = self.dying.iter().map(Finger::pid).collect();
        family::end_orphans(
            |child| Some(child) == keeper || running.contains(&child) || dying.contains(&child),
            |group| running.contains(&group),
        );
    }

    fn has_children(&self) -> bool {
        !self.dying.is_empty() || self.connections.values().any(|other| other.child.is_some())
    }

    /// Leaves a note to the keeper. If that fails, it is given up.
    fn tell_keeper(&mut self, tell: impl FnOnce(&mut Keeper) -> io::Result<()>) {
        if let Some(keeper) = &mut self.keeper
            && let Err(error) = tell(keeper)
        {
            self.log.line(&format!(
                "no notes to the keeper ({}): {NO_KEEPER}",
                sockets::reason(&error)
            ));
            self.keeper = None;
        }
    }

    fn timeout(&self) -> Option<Duration> {
        let first = self.deadlines.first().map(|&(at, _)| at);
        let orphans = self.has_children().then(|| self.looked_at + PAUSE);
        let next = [first, self.listener.accept_at, orphans].into_iter().flatten().min();
        next.map(|at| at.saturating_duration_since(Instant::now()))
    }

    // -------------------------------------------------------------------------------------------
    // Clients come

    fn accept(&mut self) {
        while self.listener.accept_at.is_some_and(|at| at <= Instant::now()) {
            match self.listener.socket.accept() {
                Ok((stream, peer)) => self.admit(stream, sockets::plain(peer)),
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => self.listener.accept_at = None,
                    ErrorKind::ConnectionAborted | ErrorKind::Interrupted => {}
                    _ => {
                        let why = sockets::reason(&error);
                        self.log.line(&format!("cannot accept clients for a while: {why}"));
                        self.listener.accept_at = Some(Instant::now() + PAUSE);
                    }
                },
            }
        }
    }

    fn admit(&mut self, mut stream: TcpStream, peer: SocketAddr) {
        let most = self.limits.connections as usize;
        let present = self.connections.len();
        if present >= most + TURNED_AWAY_AT_ONCE {
            self.log.line(&format!("{peer} not served: too many connections"));
            return;
        }
        let token = Token(self.next);
        self.next += 2;
        let both = Interest::READABLE | Interest::WRITABLE;
        if let Err(error) = self.poll.registry().register(&mut stream, token, both) {
            self.log.line(&format!("{peer} not served: {}", sockets::reason(&error)));
            return;
        }
        let deadline = Instant::now() + self.limits.query_time;
        let max_query = self.limits.max_query as usize;
        self.connections.insert(token, Connection::new(stream, peer, max_query, deadline));
        self.deadlines.insert((deadline, token));
        if present >= most {
            self.refuse(token, "fingerd: too many connections; try again later");
        } else {
            // What it has sent by now was sent before we watched, and counts as an event all the
            // same; but most have sent their query, and this saves a turn.
            self.on_client(token);
        }
    }

    // -------------------------------------------------------------------------------------------
    // A connection goes on

    /// Something may be read from a client, or written to it.
    fn on_client(&mut self, token: Token) {
        let Some(connection) = self.connections.get_mut(&token) else { return };
        match connection.state {
            State::Asking => match connection.read_query() {
                Asked::NotYet => {}
                Asked::Line(line) => self.on_query(token, &line),
                Asked::TooLong => {
                    let most = self.limits.max_query;
                    self.refuse(token, &format!("fingerd: a query has at most {most} bytes"));
                }
                Asked::Unfinished => {
                    self.refuse(token, "fingerd: a query ends with the end of its line");
                }
                Asked::Gone(how) => self.end(token, how),
            },
            State::Answering | State::Sending { .. } => self.send(token),
            State::Draining => {
                if connection.is_drained() {
                    self.end(token, "");
                }
            }
        }
    }

    fn on_query(&mut self, token: Token, line: &[u8]) {
        match Query::parse(line) {
            Ok(query) if query.login.is_none() && !self.tells_list => {
                self.refuse(token, &Refused::List.to_string());
            }
            Ok(query) => self.answer(token, query),
            Err(refused) => self.refuse(token, &refused.to_string()),
        }
    }

    /// Has the answer made, if there is somebody to make it.
    fn answer(&mut self, token: Token, query: Query) {
        const BUSY: &str = "fingerd: too many requests at once; try again later";
        let started = match &mut self.source {
            Source::BuiltIn(workers) => workers.ask(token, query),
            Source::Program(program) => {
                let busy = self.connections.values().filter(|other| other.child.is_some()).count();
                if busy + self.dying.len() >= self.limits.children as usize {
                    return self.refuse(token, BUSY);
                }
                let started = Finger::start(program, &query);
                started.and_then(|(child, pipe)| {
                    self.watch(token, child, pipe)?;
                    Ok(true)
                })
            }
        };
        match started {
            Ok(true) => self.go_on(token, State::Answering, self.limits.answer_time),
            Ok(false) => self.refuse(token, BUSY),
            Err(error) => {
                self.log.line(&format!("cannot start an answer: {}", sockets::reason(&error)));
                self.refuse(token, "fingerd: finger cannot be run");
            }
        }
    }

    fn watch(&mut self, token: Token, child: Finger, mut pipe: Receiver) -> io::Result<()> {
        self.tell_keeper(|keeper| keeper.note_start(child.pid()));
        // A pipe that cannot be watched is closed, and the child ended, when both are dropped.
        self.poll.registry().register(&mut pipe, Token(token.0 + 1), Interest::READABLE)?;
        let connection = self.connections.get_mut(&token).expect("it has asked");
        connection.child = Some((child, pipe));
        Ok(())
    }

    /// A child has printed something, or ended.
    fn on_printed(&mut self, token: Token) {
        let most = self.limits.max_answer as usize;
        let Some(connection) = self.connections.get_mut(&token) else { return };
        match connection.read_child(most) {
            connection::Printed::More => self.send(token),
            connection::Printed::All => {
                self.dismiss_child(token);
                self.finish(token, "answered");
            }
            connection::Printed::TooMuch => {
                self.dismiss_child(token);
                self.cut_off(token, &format!("fingerd: the answer is cut off after {most} bytes"));
            }
        }
    }

    /// Answers that threads have made.
    fn take_answers(&mut self) {
        loop {
            let Source::BuiltIn(workers) = &mut self.source else { return };
            let Some((token, text)) = workers.answer() else { return };
            // It may have gone, or have been told that it takes too long.
            let Some(connection) = self.connections.get_mut(&token) else { continue };
            if !matches!(connection.state, State::Answering) {
                continue;
            }
            let most = self.limits.max_answer as usize;
            connection.answer.push(&text.as_bytes()[..text.len().min(most)]);
            match text.len() > most {
                true => {
                    let line = format!("fingerd: the answer is cut off after {most} bytes");
                    self.cut_off(token, &line);
                }
                false => self.finish(token, "answered"),
            }
        }
    }

    fn on_deadlines(&mut self) {
        let now = Instant::now();
        while let Some(&(at, token)) = self.deadlines.first()
            && at <= now
        {
            self.deadlines.pop_first();
            let state = self.connections.get(&token).map(|connection| &connection.state);
            match state {
                Some(State::Asking) => {
                    let most = self.limits.query_time.as_secs_f64();
                    self.refuse(token, &format!("fingerd: no query within {most} s"));
                }
                Some(State::Answering) => {
                    let most = self.limits.answer_time.as_secs_f64();
                    self.dismiss_child(token);
                    self.cut_off(token, &format!("fingerd: no answer within {most} s"));
                }
                Some(State::Sending { .. }) => self.end(token, "too slow in receiving it"),
                Some(State::Draining) => self.end(token, ""),
                None => {}
            }
        }
    }

    // -------------------------------------------------------------------------------------------
    // A connection comes to its end

    /// Answers with one line instead, and drops what the client still sends.
    fn refuse(&mut self, token: Token, line: &str) {
        let Some(connection) = self.connections.get_mut(&token) else { return };
        connection.answer.push_line(line);
        let why = line.strip_prefix("fingerd: ").unwrap_or(line);
        connection.outcome = format!("refused: {why}");
        self.go_on(token, State::Sending { then_drain: true }, self.limits.send_time);
        self.send(token);
    }

    /// Ends an answer in its middle.
    fn cut_off(&mut self, token: Token, line: &str) {
        if let Some(connection) = self.connections.get_mut(&token) {
            connection.answer.push_line(line);
        }
        self.finish(token, line);
    }

    /// The answer is complete.
    fn finish(&mut self, token: Token, outcome: &str) {
        let Some(connection) = self.connections.get_mut(&token) else { return };
        connection.answer.end_line();
        connection.outcome = outcome.strip_prefix("fingerd: ").unwrap_or(outcome).to_owned();
        // What the client sent behind its query was not read, unless it came with it.
        let then_drain = connection.has_unread();
        self.go_on(token, State::Sending { then_drain }, self.limits.send_time);
        self.send(token);
    }

    /// Sends what there is of the answer, and closes after its end.
    fn send(&mut self, token: Token) {
        let Some(connection) = self.connections.get_mut(&token) else { return };
        if let Err(error) = connection.write() {
            let how = format!("gone: {}", sockets::reason(&error));
            return self.end(token, &how);
        }
        let is_sent = connection.answer.unsent().is_empty();
        match connection.state {
            State::Sending { then_drain: true } if is_sent => {
                connection.close_own_side();
                if connection.is_drained() {
                    self.end(token, "");
                } else {
                    self.go_on(token, State::Draining, PAUSE);
                }
            }
            State::Sending { then_drain: false } if is_sent => self.end(token, ""),
            _ => {}
        }
    }

    /// The connection has broken.
    fn on_gone(&mut self, token: Token) {
        if let Some(connection) = self.connections.get(&token) {
            let had_all = matches!(connection.state, State::Draining);
            self.end(token, if had_all { "" } else { "gone before the end" });
        }
    }

    fn go_on(&mut self, token: Token, state: State, time: Duration) {
        let Some(connection) = self.connections.get_mut(&token) else { return };
        self.deadlines.remove(&(connection.deadline, token));
        connection.deadline = Instant::now() + time;
        connection.state = state;
        self.deadlines.insert((connection.deadline, token));
    }

    /// Ends a child whose pipe is no longer read.
    fn dismiss_child(&mut self, token: Token) {
        let child = self.connections.get_mut(&token).and_then(|connection| connection.child.take());
        if let Some((mut child, mut pipe)) = child {
            // It is closed right after, which does the same.
            let _ = self.poll.registry().deregister(&mut pipe);
            child.kill();
            if child.has_ended() {
                self.tell_keeper(|keeper| keeper.note_end(child.pid()));
            } else {
                self.dying.push(child);
            }
        }
    }

    /// Closes a connection, and writes the line about it. `how` says what went wrong at the end.
    fn end(&mut self, token: Token, how: &str) {
        self.dismiss_child(token);
        let Some(connection) = self.connections.remove(&token) else { return };
        self.deadlines.remove(&(connection.deadline, token));
        self.requests += 1;
        self.log.line(&connection.log_line(how));
    }
}
