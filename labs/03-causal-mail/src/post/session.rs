//! A client's connection to its server, and the order in which its user reads.
//!
//! A session asks and waits for the answer. When the connection breaks it connects again and asks
//! again, for as long as its patience lasts: whatever it asks for has the same effect once, see
//! [`wire`](super::wire). A box is open in one session at a time. One that is told that another has
//! opened its box is over: if it connected again, the two would throw each other out for ever.

use std::io;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use labs::clocks::SparseMatrix;
use netkit::sockets::{SocketError, connect_tcp};

use super::address::Address;
use super::mail::Mail;
use super::now;
use super::store::Submission;
use super::wire::{ToClient, ToServer, read_frame, write_frame};
use crate::ordering::{Inbox, Knowledge, Order};

/// How long one answer may take: a wait for a slow disk, behind others' passwords.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// How long a connection may take that is tried when the patience is over, or was none: somebody
/// wants to know.
const CONNECT_MIN: Duration = Duration::from_secs(1);

/// How long to wait before connecting again: a server starts in less.
const RECONNECT: Duration = Duration::from_millis(50);

/// How long to wait before asking a server again that has too much to do: it compares some ten
/// passwords in that time.
const RECONNECT_BUSY: Duration = Duration::from_millis(500);

/// An open box.
#[derive(Debug)]
pub struct Session {
    options: Options,
    stream: Option<TcpStream>,
    knowledge: Knowledge<Address>,
    inbox: Inbox<Mail>,
    /// The number of the last mail fetched. Means nothing to a server that has started again.
    last: u64,
    /// Names this client, so that what it sends again is not taken for something new.
    session: u64,
    request: u64,
    /// Another has opened the box.
    is_evicted: bool,
}

/// Where to, and who.
#[derive(Clone, Debug)]
pub struct Options {
    /// The server's host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The address whose box is opened.
    pub address: Address,
    /// The password.
    pub password: String,
    /// In which order mails are read.
    pub order: Order,
    /// How long to try when the server is not there.
    pub patience: Duration,
}

/// Why something could not be done.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The server says no.
    #[error("{0}")]
    Refused(String),
    /// The server is not there.
    #[error(transparent)]
    Unreachable(SocketError),
    /// The server was there, and is gone.
    #[error("no answer from {host}:{port}: {source}; is the server running?")]
    Silent {
        /// Its host.
        host: String,
        /// Its port.
        port: u16,
        /// What became of the last connection.
        source: io::Error,
    },
    /// The server has too much to do.
    #[error(
        "the server at {host}:{port} compares too many passwords at once: try again, with a longer --patience"
    )]
    Busy {
        /// Its host.
        host: String,
        /// Its port.
        port: u16,
    },
    /// The box has another client now, and this session is over.
    #[error("another client has opened the box of {0}: start this one again to have it back")]
    Evicted(Address),
    /// What it says makes no sense.
    #[error("the server answers something else than what was asked; is it the same version?")]
    Confused,
    /// The system has no randomness.
    #[error("no session: {0}")]
    Random(getrandom::Error),
}

impl Session {
    /// Opens a box.
    ///
    /// # Errors
    ///
    /// If the server is not there, or refuses.
    pub fn open(options: Options) -> Result<Self, SessionError> {
        let mut session = [0; 8];
        getrandom::fill(&mut session).map_err(SessionError::Random)?;
        let knowledge = Knowledge::new(options.address.clone(), Default::default());
        let mut this = Self {
            inbox: Inbox::new(options.order),
            options,
            stream: None,
            knowledge,
            last: 0,
            session: u64::from_ne_bytes(session),
            request: 0,
            is_evicted: false,
        };
        this.retry(|_| Ok(()))?;
        Ok(this)
    }

    /// Whose box it is.
    pub fn address(&self) -> &Address {
        &self.options.address
    }

    /// Sends a mail. Returns its identity; then it is on the server's disk.
    ///
    /// # Errors
    ///
    /// If the server refuses, and has stored nothing; or does not answer, and may have.
    pub fn send(&mut self, to: &[String], body: &str) -> Result<String, SessionError> {
        self.request += 1;
        let submission = Submission { session: self.session, request: self.request };
        let word = ToServer::Send { submission, to: to.to_vec(), body: body.to_owned() };
        match self.ask(&word)? {
            ToClient::Accepted { id } => Ok(id),
            _ => Err(SessionError::Confused),
        }
    }

    /// Asks whether a mail may be sent to these.
    ///
    /// # Errors
    ///
    /// If the server says no, and why; or if it does not answer.
    pub fn check(&mut self, to: &[String]) -> Result<(), SessionError> {
        match self.ask(&ToServer::Check { to: to.to_vec() })? {
            ToClient::Checked => Ok(()),
            _ => Err(SessionError::Confused),
        }
    }

    /// Gets what has arrived. Returns how many unread mails are here now.
    ///
    /// # Errors
    ///
    /// If the server does not answer.
    pub fn fetch(&mut self) -> Result<usize, SessionError> {
        loop {
            let answer = self.retry(|this| {
                let after = this.last;
                this.ask_once(&ToServer::Fetch { after })
            })?;
            let ToClient::Mails { mails, last, more } = answer else {
                return Err(SessionError::Confused);
            };
            self.last = last;
            for mail in mails {
                self.inbox.arrive(mail, &self.knowledge);
            }
            if !more {
                return Ok(self.inbox.waiting().len());
            }
        }
    }

    /// The next mail to read of those that were fetched, if one may be read. Say when it was:
    /// [`confirm`](Self::confirm).
    pub fn next_mail(&mut self) -> Option<Mail> {
        self.inbox.next(&mut self.knowledge)
    }

    /// The user has read a mail: it will not come again.
    ///
    /// # Errors
    ///
    /// If the server does not answer.
    pub fn confirm(&mut self, mail: &Mail) -> Result<(), SessionError> {
        match self.ask(&ToServer::Read { id: mail.id() })? {
            ToClient::Confirmed => Ok(()),
            _ => Err(SessionError::Confused),
        }
    }

    /// What was fetched and waits for other mails, each with those: from whom, from which number to
    /// which.
    pub fn held(&self) -> impl Iterator<Item = (&Mail, Vec<(Address, u64, u64)>)> {
        self.inbox.held(&self.knowledge)
    }

    /// The matrix, as the server keeps it.
    ///
    /// # Errors
    ///
    /// If the server does not answer.
    pub fn clock(&mut self) -> Result<SparseMatrix<Address>, SessionError> {
        match self.ask(&ToServer::Clock)? {
            ToClient::Clock { clock } => Ok(clock),
            _ => Err(SessionError::Confused),
        }
    }

    /// Waits until so many unread mails are here, but no longer than that. Returns how many are.
    ///
    /// # Errors
    ///
    /// If the server does not answer, or another client has opened the box.
    pub fn wait(&mut self, count: usize, patience: Duration) -> Result<usize, SessionError> {
        let until = now() + patience;
        loop {
            let here = self.fetch()?;
            let left = until.saturating_duration_since(now());
            if here >= count || left.is_zero() {
                return Ok(here);
            }
            match self.stream.as_mut().map(|stream| wait_for(stream, left)) {
                Some(Err(Failure::Evicted)) => return Err(self.evicted()),
                Some(Err(_)) => self.stream = None, // The next question connects again.
                Some(Ok(())) | None => {}
            }
        }
    }

    fn ask(&mut self, word: &ToServer) -> Result<ToClient, SessionError> {
        self.retry(|this| this.ask_once(word))
    }

    /// Tries as long as the patience lasts, with a new connection each time.
    fn retry<T>(
        &mut self,
        mut attempt: impl FnMut(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, SessionError> {
        let until = now() + self.options.patience;
        loop {
            let failure = match self.connect(until).and_then(|()| attempt(self)) {
                Ok(value) => return Ok(value),
                Err(failure) => failure,
            };
            let error = match failure {
                Failure::Refused(why) => return Err(SessionError::Refused(why)),
                Failure::Evicted => return Err(self.evicted()),
                Failure::Busy => {
                    let Options { host, port, .. } = &self.options;
                    SessionError::Busy { host: host.clone(), port: *port }
                }
                Failure::Unreachable(error) => SessionError::Unreachable(error),
                Failure::Broken(source) => {
                    self.stream = None;
                    let Options { host, port, .. } = &self.options;
                    SessionError::Silent { host: host.clone(), port: *port, source }
                }
            };
            if now() >= until {
                return Err(error);
            }
            pause(match error {
                SessionError::Busy { .. } => RECONNECT_BUSY,
                _ => RECONNECT,
            });
        }
    }

    fn evicted(&mut self) -> SessionError {
        self.is_evicted = true;
        self.stream = None;
        SessionError::Evicted(self.address().clone())
    }

    fn connect(&mut self, until: Instant) -> Result<(), Failure> {
        if self.is_evicted {
            return Err(Failure::Evicted);
        }
        if self.stream.is_some() {
            return Ok(());
        }
        let Options { host, port, .. } = &self.options;
        let left = until.saturating_duration_since(now()).max(CONNECT_MIN);
        let stream = connect_tcp(host, *port, left).map_err(Failure::Unreachable)?;
        stream.set_nodelay(true).map_err(Failure::Broken)?;
        stream.set_read_timeout(Some(ANSWER_MAX)).map_err(Failure::Broken)?;
        stream.set_write_timeout(Some(ANSWER_MAX)).map_err(Failure::Broken)?;
        self.stream = Some(stream);
        let (address, password) = (self.address().to_string(), self.options.password.clone());
        let answer = self.ask_once(&ToServer::Open { address, password });
        match answer {
            Ok(ToClient::Opened { knowledge }) => {
                self.last = 0;
                // What was read here and not confirmed stays read.
                let mut knowledge = knowledge;
                knowledge.add(&self.knowledge);
                self.knowledge = knowledge;
                Ok(())
            }
            Ok(_) => Err(Failure::Refused(SessionError::Confused.to_string())),
            Err(failure) => {
                self.stream = None;
                Err(failure)
            }
        }
    }

    fn ask_once(&mut self, word: &ToServer) -> Result<ToClient, Failure> {
        let Some(stream) = &mut self.stream else {
            return Err(Failure::Broken(io::ErrorKind::NotConnected.into()));
        };
        if let Err(error) = write_frame(stream, word) {
            return Err(match is_evicted(stream) {
                true => Failure::Evicted,
                false => Failure::of_writing(error),
            });
        }
        loop {
            match read_word(stream)? {
                ToClient::Arrived => {} // Who asks will find it.
                answer => return Ok(answer),
            }
        }
    }
}

enum Failure {
    /// To ask again would not help.
    Refused(String),
    /// Nor would it now: the box has another client.
    Evicted,
    /// The server asks to come again.
    Busy,
    /// There is no connection.
    Unreachable(SocketError),
    /// There was one.
    Broken(io::Error),
}

impl Failure {
    fn of_writing(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::InvalidInput => Self::Refused(error.to_string()),
            _ => Self::Broken(error),
        }
    }
}

/// What the server says next, unless it is a no.
fn read_word(stream: &mut TcpStream) -> Result<ToClient, Failure> {
    match read_frame(stream).map_err(Failure::Broken)? {
        ToClient::Refused { why } => Err(Failure::Refused(why)),
        ToClient::Evicted => Err(Failure::Evicted),
        ToClient::Busy => Err(Failure::Busy),
        word => Ok(word),
    }
}

/// Whether that was the server's last word, on a connection that cannot be written to any more.
fn is_evicted(stream: &mut TcpStream) -> bool {
    // What it said is here already, or never comes.
    if stream.set_nonblocking(true).is_err() {
        return false;
    }
    loop {
        match read_word(stream) {
            Ok(_) => {}
            Err(failure) => return matches!(failure, Failure::Evicted),
        }
    }
}

/// Waits for the server's word that something has arrived, but no longer than that.
fn wait_for(stream: &mut TcpStream, patience: Duration) -> Result<(), Failure> {
    let patience = patience.max(Duration::from_millis(1));
    stream.set_read_timeout(Some(patience)).map_err(Failure::Broken)?;
    // Only looking: a frame is read as a whole, or not at all.
    let waited = stream.peek(&mut [0]);
    stream.set_read_timeout(Some(ANSWER_MAX)).map_err(Failure::Broken)?;
    match waited {
        Ok(0) => Err(Failure::Broken(io::ErrorKind::UnexpectedEof.into())),
        Ok(_) => match read_word(stream)? {
            ToClient::Arrived => Ok(()),
            _ => Err(Failure::Broken(io::ErrorKind::InvalidData.into())),
        },
        Err(error)
            if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) =>
        {
            Ok(())
        }
        Err(error) => Err(Failure::Broken(error)),
    }
}

#[expect(clippy::disallowed_methods, reason = "there is no event that says that a server is back")]
fn pause(time: Duration) {
    thread::sleep(time);
}

#[cfg(test)]
mod tests;
