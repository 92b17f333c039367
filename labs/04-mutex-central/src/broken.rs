//! Locks that are wrong, one mistake each: what the properties must notice.

use labs::process::{Context, Process, ProcessId};
use serde::{Deserialize, Serialize};

use crate::coordinator::Book;
use crate::mutex::{COORDINATOR, Indication, Message, Mutex, Request, Timer};

/// The mistakes.
#[derive(
    Clone,
    Copy,
    Debug,
    Deserialize,
    Eq,
    Hash,
    Ord,
    PartialEq,
    PartialOrd,
    Serialize,
    clap::ValueEnum,
)]
pub enum Broken {
    /// The coordinator lets in whoever asks while somebody is inside.
    GrantsTwo,
    /// The coordinator forgets who asks while somebody is inside.
    ForgetsWaiter,
    /// The coordinator lets in who came last.
    Lifo,
    /// The coordinator does not hear that a section is over.
    IgnoresRelease,
    /// Clients ask twice for each entry.
    AsksTwice,
    /// All grants have the same token.
    NoFencing,
    /// The coordinator starts again with an empty book. Shows where a plan of faults restarts it.
    ForgetsBook,
}

/// A process with a mistake in it.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct BrokenMutex {
    mutex: Mutex,
    broken: Broken,
}

impl BrokenMutex {
    /// Puts a mistake into a process.
    pub fn new(mut mutex: Mutex, broken: Broken) -> Self {
        if let (Mutex::Coordinator(coordinator), Broken::ForgetsBook) = (&mut mutex, broken) {
            *coordinator = coordinator.clone().with_book(Book::default());
        }
        Self { mutex, broken }
    }

    fn properly(
        &mut self,
        ctx: &mut Context<Self>,
        event: impl FnOnce(&mut Mutex, &mut Context<Mutex>),
    ) {
        let before = self.asks();
        ctx.wrap(|ctx| event(&mut self.mutex, ctx));
        let ask = self.asks();
        if self.broken == Broken::AsksTwice && ask > before {
            ctx.send(COORDINATOR, Message::Request { ask });
        }
    }

    /// How often a client has wanted to enter.
    fn asks(&self) -> u64 {
        match &self.mutex {
            Mutex::Coordinator(_) => 0,
            Mutex::Client(client) => client.asks(),
        }
    }

    /// What the process makes of a message before it handles it as it should; nothing if it ends here.
    fn before(&mut self, message: Message) -> Option<Message> {
        match (&mut self.mutex, self.broken, message) {
            (Mutex::Client(client), Broken::NoFencing, Message::Grant { ask, lease, .. }) => {
                client.forget_token();
                Some(Message::Grant { ask, token: SAME, lease })
            }
            (Mutex::Coordinator(coordinator), Broken::NoFencing, Message::Release { .. }) => {
                Some(Message::Release { token: coordinator.book_mut().token })
            }
            (
                Mutex::Coordinator(coordinator),
                Broken::GrantsTwo,
                message @ Message::Request { .. },
            ) => {
                coordinator.book_mut().inside = None;
                Some(message)
            }
            (Mutex::Coordinator(coordinator), Broken::Lifo, message @ Message::Release { .. }) => {
                let line = &mut coordinator.book_mut().line;
                line.rotate_right(usize::from(line.len() > 1));
                Some(message)
            }
            (Mutex::Coordinator(_), Broken::IgnoresRelease, Message::Release { .. }) => None,
            (_, _, message) => Some(message),
        }
    }

    fn after(&mut self, is_request: bool) {
        let Mutex::Coordinator(coordinator) = &mut self.mutex else { return };
        let book = coordinator.book_mut();
        if self.broken == Broken::ForgetsWaiter && is_request && book.inside.is_some() {
            book.line.pop_back();
        }
    }
}

/// The token of all, where nobody looks at tokens.
const SAME: u64 = 1;

impl Process for BrokenMutex {
    type Request = Request;
    type Indication = Indication;
    type Message = Message;
    type Timer = Timer;

    fn on_init(&mut self, ctx: &mut Context<Self>) {
        self.properly(ctx, Mutex::on_init);
    }

    fn on_request(&mut self, ctx: &mut Context<Self>, request: Request) {
        self.properly(ctx, |mutex, ctx| mutex.on_request(ctx, request));
    }

    fn on_message(&mut self, ctx: &mut Context<Self>, from: ProcessId, message: Message) {
        let is_request = matches!(message, Message::Request { .. });
        if let Some(message) = self.before(message) {
            self.properly(ctx, |mutex, ctx| mutex.on_message(ctx, from, message));
        }
        self.after(is_request);
    }

    fn on_timeout(&mut self, ctx: &mut Context<Self>, timer: Timer) {
        self.properly(ctx, |mutex, ctx| mutex.on_timeout(ctx, timer));
    }

    fn recovered(&self) -> Option<Self> {
        self.mutex.recovered().map(|mutex| Self::new(mutex, self.broken))
    }
}
