//! A mail server: one event loop over one listening socket, and a [`Store`].
//!
//! **Strangers.** Servers prove that they know the secret, and clients know a password; both come
//! to the same socket ([`Admission::Either`]). A connection that has not said what it is within
//! [`GREETING_MAX`] is closed, and at most [`STRANGERS_MAX`] are granted the time, the oldest
//! giving way. Passwords are compared in a thread of their own, for that takes long on purpose;
//! nobody else waits. Those who guess do not keep others out: see [`attempts`](super::attempts).
//!
//! **Forwarding.** The queue to each domain leaves in order, a few mails ahead of what is
//! acknowledged. While the other server is down it is tried again, after twice as long each time up
//! to [`BACK_OFF_MAX`]. When a connection breaks, all that was not acknowledged is sent again; the
//! other server recognises it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use anyhow::Context as _;
use labs::cli::print;
use log::{debug, error, info, warn};
use netkit::{
    Admission, CloseReason, ConnectionId, Limits, Membership, Net, Outgoing, Peer, Service, Signal,
    TimerId, Waker,
};

use super::address::Address;
use super::attempts::{OF_ONE_ADDRESS_MAX, Penalties, Waiting, network};
use super::mail::Mail;
use super::now;
use super::passwords::{self, Passwords};
use super::servers_file::Servers;
use super::store::{POSTMASTER, Store, StoreError, Submission};
use super::wire::{FromPeer, RUN, ToClient, ToPeer, ToServer};

/// How long somebody may take to say what it is.
pub const GREETING_MAX: Duration = Duration::from_secs(10);

/// How many that have not said it are granted the time.
pub const STRANGERS_MAX: usize = 64;

/// How many mails are sent to another server ahead of its acknowledgement.
const WINDOW: usize = 16;

/// The first pause before another server is tried again; it doubles each time.
const BACK_OFF: Duration = Duration::from_millis(100);

/// The longest pause: a server that is back is noticed within this time.
pub const BACK_OFF_MAX: Duration = Duration::from_secs(5);

/// How long another server may take to acknowledge a mail. It forces one to disk; a stopped one
/// never does.
const ACKNOWLEDGE_MAX: Duration = Duration::from_secs(20);

/// The longest text of a mail that a server may be told to accept: with its clock it must fit into
/// a frame.
pub const MESSAGE_LIMIT: usize = 512 << 10;

/// What a server is told on its command line.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Where it listens, for clients and servers; 0 lets the system choose
    port: u16,
    /// The domain that it is in charge of
    domain: String,
    /// All servers, one `host:port:domain` a line
    servers_file: PathBuf,
    /// The address that it listens on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    bind: IpAddr,
    /// Where it keeps mail [default: mail-DOMAIN in this folder]
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// Its users, one `name:hash` a line: `causal-mail passwd` writes it
    #[arg(long, value_name = "FILE", default_value = "passwords")]
    password_file: PathBuf,
    /// What all servers know and nobody else: `causal-mail secret` writes it
    #[arg(long, value_name = "FILE", default_value = "secret")]
    secret_file: PathBuf,
    /// Forward mail to this domain so many milliseconds late; may be repeated
    #[arg(long, value_name = "DOMAIN=MS", value_parser = delay)]
    delay: Vec<(String, Duration)>,
    /// The longest text of a mail, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 256 << 10, value_parser = max_message)]
    max_message: usize,
    /// The program that started it, which it does not outlive
    #[arg(long, value_name = "PID", hide = true)]
    ends_with: Option<u32>,
}

/// The longest delay: what is slower looks like lost.
const DELAY_MAX_MS: u64 = 3_600_000;

fn delay(text: &str) -> Result<(String, Duration), String> {
    let (domain, ms) = text.split_once('=').ok_or("write DOMAIN=MS")?;
    let domain = super::address::checked_domain(domain).map_err(|error| error.to_string())?;
    match ms.parse() {
        Ok(ms) if ms <= DELAY_MAX_MS => Ok((domain, Duration::from_millis(ms))),
        _ => Err(format!("a delay is a number of milliseconds up to {DELAY_MAX_MS}")),
    }
}

fn max_message(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(bytes) if (1..=MESSAGE_LIMIT).contains(&bytes) => Ok(bytes),
        _ => Err(format!("a number of bytes from 1 to {MESSAGE_LIMIT}")),
    }
}

/// Serves until a signal comes.
///
/// # Errors
///
/// If it cannot begin, or its disk fails.
pub fn serve(options: Options) -> anyhow::Result<()> {
    options.ends_with.map(netkit::signals::end_with).transpose()?;
    let domain = super::address::checked_domain(&options.domain)?;
    let servers = Servers::read(&options.servers_file)?;
    let me = servers.rank(&domain, &options.servers_file)?;
    for (other, _) in &options.delay {
        servers.rank(other, &options.servers_file).context("--delay")?;
    }
    let passwords = Passwords::read(&options.password_file)
        .context("--password-file, which `causal-mail passwd FILE NAME` writes")?;
    let secret = super::secret::read(&options.secret_file)?;
    let root = options.store.clone().unwrap_or_else(|| format!("mail-{domain}").into());
    let others: Vec<_> = servers.domains().filter(|other| *other != domain).collect();
    let store = Store::open(&root, &domain, passwords.names(), others.iter().copied())
        .context("the store cannot be opened; --store names another folder")?;
    let peers = others.iter();
    let peers = peers.map(|&other| (other.to_owned(), Neighbour::new(&options, other))).collect();

    let mut net = Net::new(Limits {
        max_strangers: STRANGERS_MAX,
        handshake_deadline: GREETING_MAX,
        ..Limits::default()
    })?;
    let membership = Membership { run: RUN.to_owned(), secret, me };
    let address = SocketAddr::new(options.bind, options.port);
    let (_, address) =
        net.listen(address, Admission::Either(membership.clone())).with_context(|| {
            format!("cannot listen on {address}: is another server running there? try another port")
        })?;
    net.watch_signals(&[Signal::SIGINT as i32, Signal::SIGTERM as i32])?;
    net.hold_back();
    print(&format!("listening on {address} for {domain}; the mail is in {}\n", root.display()))?;
    let (attempts, checked) = check_passwords(net.waker())?;
    let mut server = Server {
        membership,
        domain,
        servers,
        passwords,
        store,
        peers,
        parties: BTreeMap::new(),
        timers: BTreeMap::new(),
        waiting: Waiting::default(),
        penalties: Penalties::default(),
        is_comparing: false,
        attempts,
        checked,
        max_message: options.max_message,
        failure: None,
    };
    let domains: Vec<_> = server.peers.keys().cloned().collect();
    domains.iter().for_each(|domain| server.pump(&mut net, domain));
    let ran = net.run(&mut server);
    let Server { store, failure, .. } = server;
    let waiting = store.waiting();
    let closed = match failure {
        Some(failure) => Err(failure),
        None => {
            ran?;
            store.close()
        }
    };
    closed.context(
        "stopped: mend what follows, and start it again; what was accepted is delivered then",
    )?;
    print(&format!("stopped; {waiting} mails wait to be forwarded\n"))
}

struct Server {
    membership: Membership,
    domain: String,
    servers: Servers,
    passwords: Passwords,
    store: Store,
    /// The other servers, by their domains.
    peers: BTreeMap<String, Neighbour>,
    /// The other end of each connection.
    parties: BTreeMap<ConnectionId, Party>,
    timers: BTreeMap<TimerId, TimerUse>,
    /// Passwords to be compared.
    waiting: Waiting<Attempt>,
    penalties: Penalties,
    /// The thread has an attempt.
    is_comparing: bool,
    attempts: Sender<Attempt>,
    checked: Receiver<Checked>,
    max_message: usize,
    failure: Option<StoreError>,
}

/// The other end of a connection.
enum Party {
    /// No server: it is to open a box.
    Guest,
    /// Waits for its password to be compared, or to hear that it is wrong. It comes from here.
    Checking(IpAddr),
    /// A client that has opened this box.
    Client(String),
    /// The server of this domain, which connected to us.
    From(String),
    /// The server of this domain, to which we connected.
    To(String),
}

/// Another server, as one to forward to.
struct Neighbour {
    delay: Duration,
    state: State,
    /// Those of its host's addresses that come next, until one of them answers.
    untried: VecDeque<SocketAddr>,
    /// How many mails were sent and not acknowledged.
    in_flight: usize,
    back_off: Duration,
    /// When to look at its queue again.
    timer: Option<TimerId>,
    /// When an acknowledgement is overdue.
    overdue: Option<TimerId>,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum State {
    Down,
    Connecting(ConnectionId),
    Up(ConnectionId),
}

enum TimerUse {
    /// Look at the queue to a domain.
    Pump(String),
    /// The domain's server has not acknowledged in time.
    Overdue(String),
    /// Somebody has waited long enough to hear that its password is wrong.
    Refuse(ConnectionId),
}

/// A password to be compared.
struct Attempt {
    connection: ConnectionId,
    from: IpAddr,
    name: String,
    exists: bool,
    password: String,
    hash: String,
}

/// The result of an attempt.
struct Checked {
    connection: ConnectionId,
    from: IpAddr,
    name: String,
    is_right: bool,
}

/// Compares passwords, one after the other, beside the event loop. It ends with the loop.
fn check_passwords(waker: Waker) -> io::Result<(Sender<Attempt>, Receiver<Checked>)> {
    let (attempts, waiting) = channel::<Attempt>();
    let (done, checked): (Sender<Checked>, _) = channel();
    netkit::threads::spawn("passwords", move || {
        for Attempt { connection, from, name, exists, password, hash } in waiting {
            let is_right = passwords::matches(&password, &hash) && exists;
            let checked = Checked { connection, from, name, is_right };
            if done.send(checked).is_err() || waker.wake().is_err() {
                return;
            }
        }
    })?;
    Ok((attempts, checked))
}

impl Neighbour {
    fn new(options: &Options, domain: &str) -> Self {
        let delay = options.delay.iter().rfind(|(other, _)| other == domain);
        Self {
            delay: delay.map(|(_, delay)| *delay).unwrap_or_default(),
            state: State::Down,
            untried: VecDeque::new(),
            in_flight: 0,
            back_off: BACK_OFF,
            timer: None,
            overdue: None,
        }
    }
}

impl Server {
    fn open(&mut self, net: &mut Net, connection: ConnectionId, body: &[u8]) {
        let Ok(ToServer::Open { address, password }) = netkit::codec::decode(body) else {
            warn!("{} begins with something else than a greeting", peer_name(net, connection));
            return self.drop(net, connection);
        };
        let name = match address.parse::<Address>() {
            Ok(address) if address.domain() == self.domain => address.name().to_owned(),
            Ok(address) => {
                let (theirs, ours) = (address.domain(), &self.domain);
                let why = format!("this is the server of {ours}, and not of {theirs}");
                return self.refuse_and_close(net, connection, why);
            }
            Err(error) => return self.refuse_and_close(net, connection, error.to_string()),
        };
        let Some(peer) = net.peer(connection) else { return };
        let from = network(peer.address.ip());
        let is_checking = |party: &&Party| matches!(party, Party::Checking(at) if *at == from);
        let of_address = self.parties.values().filter(is_checking).count();
        if of_address >= OF_ONE_ADDRESS_MAX || self.waiting.is_full() {
            return self.say_and_close(net, connection, &ToClient::Busy);
        }
        let (hash, exists) = self.passwords.hash_of(&name);
        // What is longer is no password, and need not be kept.
        let password =
            if password.len() > passwords::PASSWORD_MAX { String::new() } else { password };
        self.parties.insert(connection, Party::Checking(from));
        let attempt = Attempt { connection, from, name: name.clone(), exists, password, hash };
        self.waiting.push(from, &name, attempt);
        self.compare_next();
    }

    /// Has the next password compared, if none is.
    fn compare_next(&mut self) {
        if !self.is_comparing
            && let Some(attempt) = self.waiting.take()
        {
            // The thread lives as long as we do.
            self.is_comparing = self.attempts.send(attempt).is_ok();
        }
    }

    /// A password was compared.
    fn on_checked(&mut self, net: &mut Net, checked: Checked) {
        self.is_comparing = false;
        self.compare_next();
        let Checked { connection, from, name, is_right } = checked;
        if !is_right {
            warn!("wrong password for {name} from {from}");
            let timer = net.start_timer(self.penalties.of_wrong(from, &name, now()));
            self.timers.insert(timer, TimerUse::Refuse(connection));
            return;
        }
        self.penalties.forget(from, &name);
        if matches!(self.parties.get(&connection), Some(Party::Checking(_))) {
            self.open_box(net, connection, name);
        }
    }

    /// The password was right.
    fn open_box(&mut self, net: &mut Net, connection: ConnectionId, name: String) {
        let other = self.parties.iter().find(|(_, party)| is_client(party, &name));
        if let Some((&other, _)) = other {
            info!("another client of {name} had it open");
            self.say_and_close(net, other, &ToClient::Evicted);
        }
        let knowledge = match self.store.enter(&name) {
            Ok(knowledge) => knowledge.clone(),
            Err(error) if error.is_fatal() => return self.fail(net, error),
            Err(error) => return self.refuse_and_close(net, connection, error.to_string()),
        };
        info!("{name} has opened its box");
        self.parties.insert(connection, Party::Client(name));
        self.say(net, connection, &ToClient::Opened { knowledge });
    }

    fn on_request(&mut self, net: &mut Net, connection: ConnectionId, name: &str, body: &[u8]) {
        let answer = match netkit::codec::decode::<ToServer>(body) {
            Ok(request) => self.answer(net, name, request),
            Err(error) => {
                warn!("{name} sent what is no request: {error}");
                return self.drop(net, connection);
            }
        };
        match answer {
            Ok(answer) => self.say(net, connection, &answer),
            Err(error) if error.is_fatal() => self.fail(net, error),
            Err(error) => self.say(net, connection, &ToClient::Refused { why: error.to_string() }),
        }
    }

    fn answer(
        &mut self,
        net: &mut Net,
        name: &str,
        request: ToServer,
    ) -> Result<ToClient, StoreError> {
        match request {
            ToServer::Open { .. } => Err(StoreError::Refused("the box is open".to_owned())),
            ToServer::Send { submission, to, body } => {
                let id = self.send(net, name, submission, &to, body)?;
                Ok(ToClient::Accepted { id })
            }
            ToServer::Fetch { after } => {
                let (mails, last, more) = self.store.unread(name, after)?;
                Ok(ToClient::Mails { mails, last, more })
            }
            ToServer::Read { id } => {
                self.store.confirm(name, &id)?;
                Ok(ToClient::Confirmed)
            }
            ToServer::Check { to } => {
                self.store.check_recipients(&recipients(&to)?)?;
                Ok(ToClient::Checked)
            }
            ToServer::Clock => {
                Ok(ToClient::Clock { clock: self.store.knowledge(name)?.clock().clone() })
            }
        }
    }

    fn send(
        &mut self,
        net: &mut Net,
        name: &str,
        submission: Submission,
        to: &[String],
        body: String,
    ) -> Result<String, StoreError> {
        if body.len() > self.max_message {
            let (length, max) = (body.len(), self.max_message);
            let why = format!("a text of {length} bytes: this server takes {max}");
            return Err(StoreError::Refused(why));
        }
        let recipients = recipients(to)?;
        let here: Vec<_> = recipients
            .iter()
            .filter(|to| to.domain() == self.domain)
            .map(|to| to.name().to_owned())
            .collect();
        let frame_max = netkit::frame::MAX_FRAME;
        let (id, domains) = self.store.submit(name, submission, recipients, body, frame_max)?;
        debug!("{id} accepted");
        here.iter().for_each(|name| self.notify(net, name));
        domains.iter().for_each(|domain| self.pump(net, domain));
        Ok(id)
    }

    /// Tells the client that has this box open that something has come.
    fn notify(&mut self, net: &mut Net, name: &str) {
        let client = self.parties.iter().find(|(_, party)| is_client(party, name));
        if let Some((&connection, _)) = client {
            self.say(net, connection, &ToClient::Arrived);
        }
    }

    fn on_forward(&mut self, net: &mut Net, connection: ConnectionId, from: &str, body: &[u8]) {
        let mail = match netkit::codec::decode::<FromPeer>(body) {
            Ok(FromPeer::Forward(mail)) if mail.envelope.from.domain() == from => mail,
            Ok(FromPeer::Forward(mail)) => {
                warn!("{from} forwards a mail of {}: refused", mail.envelope.from);
                return self.drop(net, connection);
            }
            Err(error) => {
                warn!("{from} sent what is no mail: {error}");
                return self.drop(net, connection);
            }
        };
        let id = mail.id();
        match self.store.receive(Arc::unwrap_or_clone(mail)) {
            Ok((here, unknown)) => {
                here.iter().for_each(|name| self.notify(net, name));
                // If it is gone it will send the mail again.
                let _ = net.send_value(connection, &ToPeer::Taken { unknown });
            }
            Err(error) if error.is_fatal() => self.fail(net, error),
            Err(error) => {
                error!("{id} cannot be stored, and stays with {from}: {error}");
                self.drop(net, connection);
            }
        }
    }

    /// Another server has the first mail of its queue.
    fn on_taken(&mut self, net: &mut Net, connection: ConnectionId, domain: &str, body: &[u8]) {
        let answer = netkit::codec::decode::<ToPeer>(body);
        let is_due = self.peers.get(domain).is_some_and(|peer| peer.in_flight > 0);
        let Ok(ToPeer::Taken { unknown }) = answer else {
            warn!("{domain} answers with what is no answer");
            return self.lose_peer(net, connection, domain);
        };
        if !is_due {
            warn!("{domain} acknowledges what was not sent");
            return self.lose_peer(net, connection, domain);
        }
        if !unknown.is_empty()
            && let Err(error) = self.return_to_sender(net, domain, &unknown)
        {
            return self.fail(net, error);
        }
        if let Err(error) = self.store.forwarded(domain) {
            return self.fail(net, error);
        }
        if let Some(peer) = self.peers.get_mut(domain) {
            peer.in_flight -= 1;
            peer.back_off = BACK_OFF;
        }
        self.expect_answer(net, domain);
        self.pump(net, domain);
    }

    /// Tells the sender of the first mail of a queue which recipients did not get it.
    fn return_to_sender(
        &mut self,
        net: &mut Net,
        domain: &str,
        unknown: &[Address],
    ) -> Result<(), StoreError> {
        let mail = match self.store.queued(domain, 0) {
            Ok(Some(mail)) => mail,
            Ok(None) => return Ok(()),
            Err(error) => {
                error!("the sender of a mail that {domain} does not deliver is unknown: {error}");
                return Ok(());
            }
        };
        let names: Vec<_> = unknown.iter().map(Address::to_string).collect();
        let body = format!(
            "Your mail {} was not delivered to {}: there is no such user.\n",
            mail.id(),
            names.join(", ")
        );
        let submission = notice(&mail, domain);
        let to = [mail.envelope.from.to_string()];
        match self.send(net, POSTMASTER, submission, &to, body) {
            Err(error) if error.is_fatal() => Err(error),
            Err(error) => {
                warn!("the sender of {} cannot be told: {error}", mail.id());
                Ok(())
            }
            Ok(_) => Ok(()),
        }
    }

    /// Sends to a domain what may be sent now, and sees to it that this is called when more may be.
    fn pump(&mut self, net: &mut Net, domain: &str) {
        let Some(peer) = self.peers.get_mut(domain) else { return };
        if self.store.queue(domain).is_none_or(VecDeque::is_empty) {
            return;
        }
        let connection = match peer.state {
            State::Up(connection) => connection,
            State::Connecting(_) => return self.store.rest(domain),
            State::Down if peer.timer.is_some() => return self.store.rest(domain),
            State::Down => {
                self.store.rest(domain);
                return self.connect(net, domain);
            }
        };
        let mut sent = 0;
        while peer.in_flight < WINDOW {
            let queue = self.store.queue(domain);
            let Some(queued) = queue.and_then(|queue| queue.get(peer.in_flight)) else { break };
            let late = (queued.since + peer.delay).saturating_duration_since(now());
            if !late.is_zero() {
                self.store.rest(domain);
                if peer.timer.is_none() {
                    let timer = net.start_timer(late);
                    peer.timer = Some(timer);
                    self.timers.insert(timer, TimerUse::Pump(domain.to_owned()));
                }
                break;
            }
            let mail = match self.store.queued(domain, peer.in_flight) {
                Ok(Some(mail)) => mail,
                Ok(None) => break,
                Err(error) => {
                    error!("left alone, and not forwarded to {domain}: {error}");
                    self.store.leave_out(domain, peer.in_flight);
                    continue;
                }
            };
            if let Err(error) = net.send_value(connection, &FromPeer::Forward(mail)) {
                debug!("to {domain}: {error}"); // `on_close` follows.
                break;
            }
            peer.in_flight += 1;
            sent += 1;
        }
        if sent > 0 {
            self.expect_answer(net, domain);
        }
    }

    /// Starts to wait for the next acknowledgement, if one is due.
    fn expect_answer(&mut self, net: &mut Net, domain: &str) {
        let Some(peer) = self.peers.get_mut(domain) else { return };
        if let Some(timer) = peer.overdue.take() {
            net.stop_timer(timer);
            self.timers.remove(&timer);
        }
        if peer.in_flight > 0 {
            let timer = net.start_timer(ACKNOWLEDGE_MAX);
            peer.overdue = Some(timer);
            self.timers.insert(timer, TimerUse::Overdue(domain.to_owned()));
        }
    }

    fn connect(&mut self, net: &mut Net, domain: &str) {
        match self.servers.addresses(domain) {
            Ok(addresses) => {
                if let Some(peer) = self.peers.get_mut(domain) {
                    peer.untried = addresses.into();
                }
                self.connect_next(net, domain, "it has no address");
            }
            Err(error) => self.try_again(net, domain, &error.to_string()),
        }
    }

    /// Tries the next address of a domain's server. After the last one, all of them, later.
    fn connect_next(&mut self, net: &mut Net, domain: &str, why: &str) {
        let Ok(to) = self.servers.rank(domain, std::path::Path::new("")) else { return };
        let Some(peer) = self.peers.get_mut(domain) else { return };
        let mut why = why.to_owned();
        while let Some(address) = peer.untried.pop_front() {
            let membership = self.membership.clone();
            match net.connect(address, Outgoing::Member { membership, to }) {
                Ok(connection) => {
                    peer.state = State::Connecting(connection);
                    self.parties.insert(connection, Party::To(domain.to_owned()));
                    return;
                }
                Err(error) => why = error.to_string(),
            }
        }
        self.try_again(net, domain, &why);
    }

    /// The way to a domain's server is broken: tries again, later each time.
    fn try_again(&mut self, net: &mut Net, domain: &str, why: &str) {
        let Some(peer) = self.peers.get_mut(domain) else { return };
        for timer in [peer.timer.take(), peer.overdue.take()].into_iter().flatten() {
            net.stop_timer(timer);
            self.timers.remove(&timer);
        }
        peer.state = State::Down;
        peer.in_flight = 0;
        let timer = net.start_timer(peer.back_off);
        info!("no way to {domain} ({why}): next attempt in {:?}", peer.back_off);
        peer.back_off = (peer.back_off * 2).min(BACK_OFF_MAX);
        peer.timer = Some(timer);
        self.timers.insert(timer, TimerUse::Pump(domain.to_owned()));
    }

    fn lose_peer(&mut self, net: &mut Net, connection: ConnectionId, domain: &str) {
        self.drop(net, connection);
        self.try_again(net, domain, "it did not keep to the protocol");
    }

    fn say(&mut self, net: &mut Net, connection: ConnectionId, word: &ToClient) {
        // After any other error it is gone, and `on_close` follows.
        if let Err(netkit::SendError::TooLong { length, max }) = net.send_value(connection, word) {
            let why = format!("the answer has {length} bytes, and a frame holds {max}");
            self.refuse_and_close(net, connection, why);
        }
    }

    fn refuse_and_close(&mut self, net: &mut Net, connection: ConnectionId, why: String) {
        self.say_and_close(net, connection, &ToClient::Refused { why });
    }

    fn say_and_close(&mut self, net: &mut Net, connection: ConnectionId, word: &ToClient) {
        // If it is gone it need not be told.
        let _ = net.send_value(connection, word);
        net.close_when_sent(connection);
        self.forget(connection);
    }

    fn drop(&mut self, net: &mut Net, connection: ConnectionId) {
        net.close(connection);
        self.forget(connection);
    }

    fn forget(&mut self, connection: ConnectionId) -> Option<Party> {
        self.parties.remove(&connection)
    }

    /// The disk failed: what is in memory may not be what is on it.
    fn fail(&mut self, net: &mut Net, failure: StoreError) {
        error!("{failure}");
        self.failure.get_or_insert(failure);
        net.stop();
    }
}

/// The addresses that a client has written.
fn recipients(to: &[String]) -> Result<BTreeSet<Address>, StoreError> {
    let parsed = to.iter().map(|to| to.parse::<Address>());
    parsed.collect::<Result<_, _>>().map_err(|error| StoreError::Refused(error.to_string()))
}

fn is_client(party: &Party, name: &str) -> bool {
    matches!(party, Party::Client(client) if client == name)
}

fn peer_name(net: &Net, connection: ConnectionId) -> String {
    net.peer(connection).map_or("somebody".to_owned(), |peer| peer.address.to_string())
}

/// The same for each notice on the same mail and domain: a notice is not sent twice.
fn notice(mail: &Mail, domain: &str) -> Submission {
    let text = format!("{} {domain}", mail.id());
    // FNV-1a (Fowler, Noll, Vo), 64 bits.
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    Submission { session: hash, request: 1 }
}

impl Service for Server {
    fn on_open(&mut self, net: &mut Net, connection: ConnectionId, peer: &Peer) {
        if let Some(Party::To(domain)) = self.parties.get(&connection) {
            let domain = domain.clone();
            info!("connected to the server of {domain}");
            if let Some(peer) = self.peers.get_mut(&domain) {
                peer.state = State::Up(connection);
                peer.untried.clear();
            }
            return self.pump(net, &domain);
        }
        let party = match peer.rank.map(|rank| self.servers.domain(rank)) {
            None => Party::Guest,
            Some(Some(domain)) if domain != self.domain => {
                info!("the server of {domain} has connected");
                Party::From(domain.to_owned())
            }
            Some(_) => {
                warn!("{} claims a rank that is no other server's", peer.address);
                return net.close(connection);
            }
        };
        self.parties.insert(connection, party);
    }

    fn on_frame(&mut self, net: &mut Net, connection: ConnectionId, body: &[u8]) {
        match self.parties.remove(&connection) {
            None => {}
            Some(Party::Guest) => self.open(net, connection, body),
            Some(Party::Checking(_)) => {
                warn!("{} does not wait for its answer", peer_name(net, connection));
                self.waiting.forget(|attempt| attempt.connection == connection);
                self.drop(net, connection);
            }
            Some(Party::Client(name)) => {
                self.parties.insert(connection, Party::Client(name.clone()));
                self.on_request(net, connection, &name, body);
            }
            Some(Party::From(domain)) => {
                self.parties.insert(connection, Party::From(domain.clone()));
                self.on_forward(net, connection, &domain, body);
            }
            Some(Party::To(domain)) => {
                self.parties.insert(connection, Party::To(domain.clone()));
                self.on_taken(net, connection, &domain, body);
            }
        }
    }

    fn on_close(&mut self, net: &mut Net, connection: ConnectionId, reason: CloseReason) {
        match self.forget(connection) {
            Some(Party::To(domain)) => {
                let state = self.peers.get(&domain).map(|peer| peer.state);
                match state == Some(State::Connecting(connection)) {
                    true => self.connect_next(net, &domain, &reason.to_string()),
                    false => self.try_again(net, &domain, &reason.to_string()),
                }
            }
            Some(Party::Client(name)) => info!("{name} has gone: {reason}"),
            Some(Party::From(domain)) => info!("the server of {domain} has gone: {reason}"),
            Some(Party::Checking(_)) => {
                self.waiting.forget(|attempt| attempt.connection == connection);
                debug!("a guest has gone: {reason}");
            }
            Some(Party::Guest) | None => debug!("a guest has gone: {reason}"),
        }
    }

    fn on_timer(&mut self, net: &mut Net, timer: TimerId) {
        match self.timers.remove(&timer) {
            Some(TimerUse::Pump(domain)) => {
                if let Some(peer) = self.peers.get_mut(&domain) {
                    peer.timer = None;
                }
                self.pump(net, &domain);
            }
            Some(TimerUse::Overdue(domain)) => {
                let state = self.peers.get(&domain).map(|peer| peer.state);
                if let Some(State::Up(connection)) = state {
                    self.drop(net, connection);
                    self.try_again(net, &domain, "it does not acknowledge");
                }
            }
            Some(TimerUse::Refuse(connection)) => {
                if let Some(Party::Checking(_)) = self.parties.get(&connection) {
                    let why = "no such box, or a wrong password".to_owned();
                    self.refuse_and_close(net, connection, why);
                }
            }
            None => {}
        }
    }

    fn on_wake(&mut self, net: &mut Net) {
        while let Ok(checked) = self.checked.try_recv() {
            self.on_checked(net, checked);
        }
    }

    fn on_turn_end(&mut self, net: &mut Net) -> io::Result<()> {
        if self.failure.is_none()
            && let Err(error) = self.store.commit()
        {
            self.fail(net, error);
        }
        match &self.failure {
            // Nobody may hear of what is not on the disk.
            Some(failure) => Err(io::Error::other(failure.to_string())),
            None => Ok(()),
        }
    }

    fn on_signal(&mut self, net: &mut Net, _: i32) {
        net.stop();
    }
}
