//! Why not a shorter clock? Users who order their mail by a scalar or a vector clock, and fail.
//!
//! Here users send to each other without servers, for the clocks alone matter. Two runs look the
//! same to Carol. In both Alice writes two mails, the second to Bob, who answers it to Carol:
//!
//! * In the first run Alice's first mail is *to Carol*: Carol must read it before Bob's answer.
//! * In the second run it is *to Dave*: Carol must read Bob's answer at once, for nothing else will come.
//!
//! In both runs Bob's answer bears the same Lamport time, 4, and the same vector, *[2, 1, 0, 0]*:
//! two mails of Alice, one of Bob. So whatever rule Carol follows, she does the same in both, and
//! is wrong in one. With a scalar or a vector clock she can only *hurry*, and break the causal
//! order in the first, or *wait*, for ever in the second. (If Bob waits by the same rule, he never
//! even answers: of Alice's two mails, one is for him.) The matrix tells the two apart: entry
//! (Alice, Carol) is 1 in the first run and 0 in the second.
//!
//! For broadcast the vector is enough (Birman, Schiper and Stephenson 1991): there, every mail is
//! for everyone, and "two mails of Alice" does mean two mails that Carol must have read.

use labs::clocks::{Lamport, Vector};
use labs::process::{Context, Never, Process, ProcessId};
use serde::{Deserialize, Serialize};

use crate::causal_mail::{Indication, Mail};
use crate::correspondence::{Correspondence, Planned};
use crate::ordering::{Inbox, Knowledge, Order, Stamps};

/// By what a user orders its mail.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Rule {
    /// Lamport times: reads the smallest of those that are here.
    ScalarHurries,
    /// Lamport times: waits for all smaller numbers.
    ScalarWaits,
    /// Vectors: reads the first of those that are here.
    VectorHurries,
    /// Vectors: waits until it has read as many mails of everyone as the vector says.
    VectorWaits,
    /// The matrix.
    Matrix,
}

/// All rules, with their names in scripts.
pub const RULES: [(&str, Rule); 5] = [
    ("scalar-hurries", Rule::ScalarHurries),
    ("scalar-waits", Rule::ScalarWaits),
    ("vector-hurries", Rule::VectorHurries),
    ("vector-waits", Rule::VectorWaits),
    ("matrix", Rule::Matrix),
];

/// The first run and the second: Alice is p0, Bob p1, Carol p2, Dave p3.
pub fn two_runs() -> [Correspondence; 2] {
    [2, 3].map(|first| {
        let planned =
            |from, to, after| Planned { from: ProcessId(from), to: [ProcessId(to)].into(), after };
        let mails = vec![planned(0, first, None), planned(0, 1, None), planned(1, 2, Some(1))];
        Correspondence { servers: 0, users: 4, mails }
    })
}

/// Alice writes two mails to Carol, and nothing else happens: for what one sender's mails alone
/// show.
pub fn one_channel() -> Correspondence {
    let mail = Planned { from: ProcessId(0), to: [ProcessId(2)].into(), after: None };
    Correspondence { servers: 0, users: 4, mails: vec![mail.clone(), mail] }
}

/// A user.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ShortClock {
    rule: Rule,
    plan: Vec<(u32, Planned)>,
    lamport: Lamport,
    /// Counts the mails that each user wrote.
    vector: Vector,
    knowledge: Knowledge<ProcessId>,
    /// Used by [`Rule::Matrix`].
    inbox: Inbox<Mail>,
    /// Used by the others.
    waiting: Vec<Letter>,
    /// The Lamport times that were read.
    times: Vec<u64>,
    /// How many mails of each user were read.
    read: Vector,
}

/// A mail with all three clocks.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize)]
pub struct Letter {
    lamport: u64,
    /// With this mail counted.
    vector: Vector,
    mail: Mail,
}

impl ShortClock {
    /// A user who orders by this rule.
    pub fn new(me: ProcessId, plan: &Correspondence, rule: Rule) -> Self {
        let mine = (0..).zip(&plan.mails).filter(|(_, mail)| mail.from == me);
        Self {
            rule,
            plan: mine.map(|(number, mail)| (number, mail.clone())).collect(),
            lamport: Lamport::default(),
            vector: Vector::new(plan.users),
            knowledge: Knowledge::new(me, Stamps::Full),
            inbox: Inbox::new(Order::Causal),
            waiting: Vec::new(),
            times: Vec::new(),
            read: Vector::new(plan.users),
        }
    }

    fn write(&mut self, ctx: &mut Context<Self>, after: Option<u32>) {
        let (due, later) = self.plan.drain(..).partition(|(_, mail)| mail.after == after);
        self.plan = later;
        let due: Vec<(u32, Planned)> = due;
        for (number, Planned { to, .. }) in due {
            self.vector.tick(ctx.me());
            let lamport = self.lamport.tick().0;
            let envelope = self.knowledge.write(to.clone());
            let mail = Mail { number, order: Order::Causal, envelope };
            let letter = Letter { lamport, vector: self.vector.clone(), mail };
            ctx.indicate(Indication::Wrote(number));
            to.into_iter().for_each(|to| ctx.send(to, letter.clone()));
        }
    }

    /// The letter that the rule reads next.
    fn next(&mut self) -> Option<Letter> {
        let place = match self.rule {
            Rule::ScalarHurries => (0..self.waiting.len()).min_by_key(|&i| self.waiting[i].lamport),
            Rule::VectorHurries => (0..self.waiting.len()).min_by_key(|&i| {
                // The sum grows along happened-before.
                self.waiting[i].vector.entries().iter().sum::<u64>()
            }),
            Rule::ScalarWaits => self
                .waiting
                .iter()
                .position(|letter| (1..letter.lamport).all(|time| self.times.contains(&time))),
            Rule::VectorWaits => self.waiting.iter().position(|letter| {
                let writer = letter.mail.envelope.from;
                let everyone = (0..).map(ProcessId).zip(letter.vector.entries());
                everyone.into_iter().all(|(process, &count)| {
                    let own = u64::from(process == writer);
                    count <= self.read.of(process) + own
                })
            }),
            Rule::Matrix => None,
        };
        let letter = self.waiting.remove(place?);
        self.knowledge.read(&letter.mail.envelope);
        Some(letter)
    }

    fn read(&mut self, ctx: &mut Context<Self>, letter: &Letter) {
        self.lamport.merge(Lamport(letter.lamport));
        self.lamport.tick();
        self.times.push(letter.lamport);
        self.vector.merge(&letter.vector);
        self.read.tick(letter.mail.envelope.from);
        ctx.indicate(Indication::Read(letter.mail.number));
        self.write(ctx, Some(letter.mail.number));
    }
}

impl Process for ShortClock {
    type Request = Never;
    type Indication = Indication;
    type Message = Letter;
    type Timer = Never;

    fn on_init(&mut self, ctx: &mut Context<Self>) {
        self.write(ctx, None);
    }

    fn on_message(&mut self, ctx: &mut Context<Self>, _: ProcessId, letter: Letter) {
        ctx.indicate(Indication::Arrived(letter.mail.number));
        if self.rule == Rule::Matrix {
            self.inbox.arrive(letter.mail.clone(), &self.knowledge);
            self.waiting.push(letter);
            while let Some(mail) = self.inbox.next(&mut self.knowledge) {
                let place = self.waiting.iter().position(|letter| letter.mail == mail);
                if let Some(place) = place {
                    let letter = self.waiting.remove(place);
                    self.read(ctx, &letter);
                }
            }
            return;
        }
        self.waiting.push(letter);
        while let Some(letter) = self.next() {
            self.read(ctx, &letter);
        }
    }
}

/// Its kind.
impl From<&Letter> for &'static str {
    fn from(_: &Letter) -> Self {
        "LETTER"
    }
}

/// `Letter(mail 2 after [...], time 3, vector [2, 1, 0, 0])`.
impl std::fmt::Debug for Letter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { lamport, vector, mail } = self;
        write!(f, "Letter({mail:?}, time {lamport}, vector {:?})", vector.entries())
    }
}
