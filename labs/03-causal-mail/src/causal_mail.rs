//! Mail servers and their users as processes: the path of a mail, without sockets and disks.
//!
//! **The path.** A user hands a mail to its own server (SUBMIT), which keeps a copy for every other server in
//! charge of a recipient, forwards it in order (FORWARD) and hands it to its own users (HAND). Each
//! of these is answered (ACK) when the mail is in stable storage, and repeated until then: see
//! [`courier`](crate::courier). A user orders what it is handed, by the matrix clock on it: see
//! [`ordering`](crate::ordering).
//!
//! **Why FIFO is not enough.** Alice writes to Carol and then to Bob, who answers to Carol. Alice's mail to
//! Carol takes the path A→C, Bob's the path A→B→C. No path overtakes itself, but the second may be
//! faster.
//!
//! **Crashes.** A server may crash and come back with what was in stable storage, which is all but its notes on
//! what was sent lately ([`Mailer::stable`]). What is sent to it meanwhile is lost. Users do not
//! crash.
//!
//! **Cost.** SUBMIT, one FORWARD for each other domain, one HAND for each recipient, and an ACK for each of
//! these.

mod mistake;

use std::fmt;

use labs::process::{Context, Kind, Process, ProcessId};
use serde::{Deserialize, Serialize};

pub use self::mistake::Mistake;
use crate::correspondence::{Correspondence, Planned, home};
use crate::courier::Courier;
use crate::ordering::shorter::{scalar, vector};
use crate::ordering::{Envelope, Inbox, Knowledge, Mailed, Order, Stamps};

/// A server or a user.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Mailer {
    /// It keeps and forwards.
    Server(Server),
    /// It writes and reads.
    User(User),
}

/// In charge of one domain.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Server {
    servers: u32,
    courier: Courier<Mail>,
    /// How many mails it must still take before it has nothing left to do.
    expected: u64,
    is_finished: bool,
}

/// One user.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct User {
    home: ProcessId,
    knowledge: Knowledge<ProcessId>,
    inbox: Inbox<Mail>,
    courier: Courier<Mail>,
    /// What it has to write, with the mails' numbers.
    plan: Vec<(u32, Planned)>,
    /// How many mails it must still read.
    unread: u64,
    is_finished: bool,
}

/// A mail, without what it says.
#[derive(Clone, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Mail {
    /// Its number in the plan.
    pub number: u32,
    /// By what its readers order it: which clock people are shown.
    pub order: Order,
    /// From whom to whom, after what.
    pub envelope: Envelope<ProcessId>,
}

impl Mailed<ProcessId> for Mail {
    fn envelope(&self) -> &Envelope<ProcessId> {
        &self.envelope
    }
}

/// What processes send to each other. The number counts the mails from the one to the other.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum Message {
    /// From a user to its server.
    Submit(u64, Mail),
    /// From server to server.
    Forward(u64, Mail),
    /// From a server to a user.
    Hand(u64, Mail),
    /// All up to this number are in stable storage.
    Ack(u64),
}

/// What the application may ask.
#[derive(
    Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind,
)]
pub enum Request {
    /// The power fails and comes back: what is not in stable storage is gone.
    Restart,
}

/// What a process tells its application. Mails are named by their numbers.
#[derive(
    Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind,
)]
pub enum Indication {
    /// A user wrote a mail.
    Wrote(u32),
    /// A mail has arrived with a user.
    Arrived(u32),
    /// A user read a mail.
    Read(u32),
    /// The process has done all that the plan asks of it.
    Finished,
}

/// The timers.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Timer {
    /// When this neighbour has been silent for too long.
    Retry(ProcessId),
}

impl Mailer {
    /// The process of this rank.
    pub fn new(me: ProcessId, plan: &Correspondence, order: Order, stamps: Stamps) -> Self {
        if plan.is_server(me) {
            return Self::Server(Server::new(me, plan));
        }
        Self::User(User::new(me, plan, order, stamps))
    }

    /// What is left of it after a crash.
    #[must_use]
    pub fn stable(&self) -> Self {
        match self {
            Self::Server(server) => {
                Self::Server(Server { courier: server.courier.stable(), ..server.clone() })
            }
            Self::User(user) => Self::User(User { courier: user.courier.stable(), ..user.clone() }),
        }
    }

    fn courier(&self) -> &Courier<Mail> {
        match self {
            Self::Server(server) => &server.courier,
            Self::User(user) => &user.courier,
        }
    }

    fn courier_mut(&mut self) -> &mut Courier<Mail> {
        match self {
            Self::Server(server) => &mut server.courier,
            Self::User(user) => &mut user.courier,
        }
    }

    /// Sends what may be sent to a neighbour.
    fn send(&mut self, ctx: &mut Context<Self>, to: ProcessId) {
        let servers = match self {
            Self::Server(server) => Some(server.servers),
            Self::User(_) => None,
        };
        for (number, mail) in self.courier_mut().send(to) {
            let message = match servers {
                None => Message::Submit(number, mail),
                Some(servers) if to.0 < servers => Message::Forward(number, mail),
                Some(_) => Message::Hand(number, mail),
            };
            ctx.send(to, message);
        }
        match self.courier().patience(to) {
            Some(patience) => ctx.start_timer(Timer::Retry(to), patience),
            None => ctx.stop_timer(Timer::Retry(to)),
        }
    }

    /// A mail came from a neighbour, for the first time or again.
    fn on_mail(&mut self, ctx: &mut Context<Self>, from: ProcessId, number: u64, mail: Mail) {
        let is_next = self.courier_mut().take(from, number);
        ctx.send(from, Message::Ack(self.courier().last_taken(from)));
        if !is_next {
            return;
        }
        match self {
            Self::Server(server) => {
                for to in server.take(ctx.me(), mail) {
                    self.send(ctx, to);
                }
            }
            Self::User(user) => {
                let home = user.home;
                if user.take(ctx, mail) {
                    self.send(ctx, home);
                }
            }
        }
    }

    fn finish(&mut self, ctx: &mut Context<Self>) {
        let (is_done, is_finished) = match self {
            Self::Server(server) => {
                (server.expected == 0 && server.courier.is_idle(), &mut server.is_finished)
            }
            Self::User(user) => {
                let is_done = user.unread == 0 && user.plan.is_empty() && user.courier.is_idle();
                (is_done, &mut user.is_finished)
            }
        };
        if is_done && !std::mem::replace(is_finished, true) {
            ctx.indicate(Indication::Finished);
        }
    }
}

impl Server {
    fn new(me: ProcessId, plan: &Correspondence) -> Self {
        let is_taken =
            |mail: &&Planned| plan.home(mail.from) == me || plan.forwards(mail).contains(&me);
        let expected = plan.mails.iter().filter(is_taken).count() as u64;
        Self { servers: plan.servers, courier: Courier::default(), expected, is_finished: false }
    }

    /// Keeps a mail for all who must have it from this server. Returns them.
    fn take(&mut self, me: ProcessId, mail: Mail) -> Vec<ProcessId> {
        self.expected = self.expected.saturating_sub(1);
        let Envelope { from, to, .. } = &mail.envelope;
        let is_own = home(self.servers, *from) == me;
        let homes = to.iter().map(|&user| (user, home(self.servers, user)));
        let next = homes.filter_map(|(user, home)| match home == me {
            true => Some(user),
            // What another server forwarded is in its charge, and not in ours.
            false => is_own.then_some(home),
        });
        let mut next: Vec<_> = next.collect();
        next.sort_unstable();
        next.dedup();
        for &to in &next {
            self.courier.keep(to, mail.clone());
        }
        next
    }
}

impl User {
    fn new(me: ProcessId, plan: &Correspondence, order: Order, stamps: Stamps) -> Self {
        let mine = (0..).zip(&plan.mails).filter(|(_, mail)| mail.from == me);
        Self {
            home: plan.home(me),
            knowledge: Knowledge::new(me, stamps),
            inbox: Inbox::new(order),
            courier: Courier::default(),
            plan: mine.map(|(number, mail)| (number, mail.clone())).collect(),
            unread: plan.mails.iter().filter(|mail| mail.to.contains(&me)).count() as u64,
            is_finished: false,
        }
    }

    /// Writes what is due after this mail, or at the start. Returns whether there was anything.
    fn write(&mut self, ctx: &mut Context<Mailer>, after: Option<u32>) -> bool {
        let (due, later) = self.plan.drain(..).partition(|(_, mail)| mail.after == after);
        self.plan = later;
        let due: Vec<(u32, Planned)> = due;
        let is_any = !due.is_empty();
        for (number, mail) in due {
            let envelope = self.knowledge.write(mail.to);
            ctx.indicate(Indication::Wrote(number));
            let order = self.inbox.order();
            self.courier.keep(self.home, Mail { number, order, envelope });
        }
        is_any
    }

    /// Reads what may be read now that this mail is here. Returns whether anything was written on
    /// it.
    fn take(&mut self, ctx: &mut Context<Mailer>, mail: Mail) -> bool {
        let number = mail.number;
        if !self.inbox.arrive(mail, &self.knowledge) {
            return false;
        }
        ctx.indicate(Indication::Arrived(number));
        let mut has_written = false;
        while let Some(mail) = self.inbox.next(&mut self.knowledge) {
            self.unread = self.unread.saturating_sub(1);
            ctx.indicate(Indication::Read(mail.number));
            has_written |= self.write(ctx, Some(mail.number));
        }
        has_written
    }
}

impl Process for Mailer {
    type Request = Request;
    type Indication = Indication;
    type Message = Message;
    type Timer = Timer;

    /// At the start, and after a crash.
    fn on_init(&mut self, ctx: &mut Context<Self>) {
        if let Self::User(user) = self {
            user.write(ctx, None);
        }
        for neighbour in self.courier().awaited() {
            self.send(ctx, neighbour);
        }
        self.finish(ctx);
    }

    /// A server starts again from its disk. Users do not crash.
    fn recovered(&self) -> Option<Self> {
        matches!(self, Self::Server(_)).then(|| self.stable())
    }

    fn on_request(&mut self, ctx: &mut Context<Self>, Request::Restart: Request) {
        for neighbour in self.courier().awaited() {
            ctx.stop_timer(Timer::Retry(neighbour));
        }
        *self = self.stable();
        self.on_init(ctx);
    }

    fn on_message(&mut self, ctx: &mut Context<Self>, from: ProcessId, message: Message) {
        match message {
            Message::Submit(number, mail)
            | Message::Forward(number, mail)
            | Message::Hand(number, mail) => self.on_mail(ctx, from, number, mail),
            Message::Ack(up_to) => {
                if self.courier_mut().on_taken(from, up_to) {
                    self.send(ctx, from);
                }
            }
        }
        self.finish(ctx);
    }

    fn on_timeout(&mut self, ctx: &mut Context<Self>, Timer::Retry(neighbour): Timer) {
        self.courier_mut().on_silence(neighbour);
        self.send(ctx, neighbour);
    }
}

/// `Submit(1, mail 0 after [p3→p5 1])`.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Submit(number, mail) => write!(f, "Submit({number}, {mail:?})"),
            Self::Forward(number, mail) => write!(f, "Forward({number}, {mail:?})"),
            Self::Hand(number, mail) => write!(f, "Hand({number}, {mail:?})"),
            Self::Ack(up_to) => write!(f, "Ack({up_to})"),
        }
    }
}

/// `mail 2 after [p3→p4 1, p3→p5 1]`, `mail 2 after the vector [p3 2]`, `mail 2 after the scalar 2`.
impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clock = &self.envelope.clock;
        let listed = |entries: Vec<String>| format!("[{}]", entries.join(", "));
        let clock = match self.order {
            Order::Scalar => format!("the scalar {}", scalar(clock)),
            Order::Vector => {
                let entries = vector(clock).into_iter().map(|(from, n)| format!("{from} {n}"));
                format!("the vector {}", listed(entries.collect()))
            }
            Order::None | Order::Fifo | Order::Causal => {
                let entries = clock.entries().map(|(from, to, n)| format!("{from}→{to} {n}"));
                listed(entries.collect())
            }
        };
        write!(f, "mail {} after {clock}", self.number)
    }
}
