//! Each mail is handed over in order, once, and not before its time. What each process has kept for whom is counted
//! here a second time, from what it took and what was acknowledged.
//!
//! * A user hands what it writes to its server. A server hands what a user of its own wrote to its recipients there,
//!   and to the servers of all others; what another server forwarded, to its recipients alone. Each gets a copy once.
//! * Mails for a neighbour are numbered from 1, and go in the order in which they were kept, as soon as fewer than
//!   [`WINDOW`] of them are under way.
//! * What was acknowledged is not sent again. What was not is sent again, from the first that is missing, when nothing
//!   was heard for too long, and when a server starts again; and at no other time. Nobody waits for an answer that is
//!   not due.
//! * Whoever gets a mail says once up to which number it has taken all: the next counts, and no other.
//!
//! In which order a process does what belongs to one step does not matter: a step is judged when it is over.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use labs::process::ProcessId;
use labs::trace::{Happening, Noted};
use labs::verdict::{Check, End, Judgement, TagsUnderWay, Violation, Watch, Witness, counted};

use crate::causal_mail::{Indication, Message, Request};
use crate::correspondence::{Correspondence, Planned};

/// How many mails may be under way to one neighbour.
const WINDOW: usize = 8;

/// The monitor.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Handover {
    plan: Plan,
    servers: u32,
    /// From one process to a neighbour.
    channels: BTreeMap<(ProcessId, ProcessId), Channel>,
    /// The step that each process is in.
    steps: BTreeMap<ProcessId, Step>,
    /// What was wrong with a step that is forgotten.
    broken: Option<String>,
    handed: u64,
}

/// The mails that are to be written. All monitors of one search share it, so it is no part of a hash.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Plan(Arc<[Planned]>);

impl Hash for Plan {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// What is handed over from one to another.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
struct Channel {
    /// How many were acknowledged, as the sender has heard.
    acknowledged: u64,
    /// Those after these.
    kept: VecDeque<u32>,
    /// How many of those kept are under way.
    sent: usize,
    /// How many the receiver has taken.
    taken: u64,
}

/// A step that may not be over.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
struct Step {
    at: Option<Witness>,
    /// A timer ran out: to one neighbour everything is to be sent again.
    is_silence: bool,
    /// The neighbours to which something may be due.
    due: BTreeSet<ProcessId>,
    /// The mails that were sent, with their kinds and numbers.
    mails: Vec<(ProcessId, &'static str, u64, u32)>,
    /// The acknowledgement that is due.
    owed: Option<(ProcessId, u64)>,
    acknowledgements: Vec<(ProcessId, u64)>,
}

impl Handover {
    /// Watches the processes of this plan.
    pub fn new(plan: &Correspondence) -> Self {
        Self {
            plan: Plan(plan.mails.as_slice().into()),
            servers: plan.servers,
            channels: BTreeMap::new(),
            steps: BTreeMap::new(),
            broken: None,
            handed: 0,
        }
    }

    fn serves(&self, process: ProcessId) -> bool {
        process.0 < self.servers
    }

    /// The server of a user.
    fn server_of(&self, user: ProcessId) -> ProcessId {
        ProcessId(user.0.saturating_sub(self.servers).checked_rem(self.servers).unwrap_or(0))
    }

    /// A mail is to be handed on to a neighbour.
    fn keep(&mut self, by: ProcessId, to: ProcessId, mail: u32) {
        self.channels.entry((by, to)).or_default().kept.push_back(mail);
        self.steps.entry(by).or_default().due.insert(to);
    }

    /// A process took a mail. What it must hand on, and to whom.
    fn take(&mut self, by: ProcessId, mail: u32) {
        let Some(Planned { from, to, .. }) = self.plan.0.get(mail as usize) else { return };
        if !self.serves(by) {
            return;
        }
        let is_own = self.server_of(*from) == by;
        let next = to.iter().filter_map(|&user| match self.server_of(user) {
            server if server == by => Some(user),
            server => is_own.then_some(server),
        });
        let next: BTreeSet<_> = next.collect();
        next.into_iter().for_each(|to| self.keep(by, to, mail));
    }

    fn receive(&mut self, from: ProcessId, by: ProcessId, message: &Message) {
        match message {
            Message::Submit(number, mail)
            | Message::Forward(number, mail)
            | Message::Hand(number, mail) => {
                let channel = self.channels.entry((from, by)).or_default();
                let is_next = *number == channel.taken.saturating_add(1);
                channel.taken += u64::from(is_next);
                let owed = Some((from, channel.taken));
                self.steps.entry(by).or_default().owed = owed;
                if is_next {
                    self.handed += 1;
                    self.take(by, mail.number);
                }
            }
            Message::Ack(up_to) => {
                let channel = self.channels.entry((by, from)).or_default();
                let news = up_to.saturating_sub(channel.acknowledged);
                let news = news.min(channel.kept.len() as u64) as usize;
                channel.acknowledged += news as u64;
                channel.kept.drain(..news);
                channel.sent = channel.sent.saturating_sub(news);
                self.steps.entry(by).or_default().due.insert(from);
            }
        }
    }

    /// All that is kept is to be sent again, as far as it may be.
    fn begin_again(&mut self, process: ProcessId) {
        let all = (process, ProcessId(0))..=(process, ProcessId(u32::MAX));
        for ((_, to), channel) in self.channels.range_mut(all) {
            channel.sent = 0;
            self.steps.entry(process).or_default().due.insert(*to);
        }
    }

    /// The neighbour that was silent is the one to which something is sent now.
    fn after_silence(&mut self, process: ProcessId, step: &mut Step) -> Result<(), String> {
        let Some(&(to, ..)) = step.mails.first() else {
            let mut channels = self.channels.iter().filter(|((from, _), _)| *from == process);
            return Err(match channels.any(|(_, channel)| !channel.kept.is_empty()) {
                true => {
                    format!("{process} has heard nothing for too long, and sends nothing again")
                }
                false => format!("{process} waits for an answer, and none is due"),
            });
        };
        self.channels.entry((process, to)).or_default().sent = 0;
        step.due.insert(to);
        Ok(())
    }

    /// What is due to a neighbour, with numbers.
    fn due(&mut self, by: ProcessId, to: ProcessId) -> Vec<(u64, u32)> {
        let channel = self.channels.entry((by, to)).or_default();
        let before = channel.sent;
        channel.sent = WINDOW.min(channel.kept.len());
        let numbers = channel.acknowledged + 1..;
        let kept = numbers.zip(channel.kept.iter().copied());
        kept.take(channel.sent).skip(before).collect()
    }

    /// By which message one hands a mail to another.
    fn kind(&self, by: ProcessId, to: ProcessId) -> &'static str {
        match (self.serves(by), self.serves(to)) {
            (false, _) => "SUBMIT",
            (true, true) => "FORWARD",
            (true, false) => "HAND",
        }
    }

    /// The step of a process is over.
    fn end_step(&mut self, process: ProcessId) -> Check {
        let at = self.steps.get(&process).and_then(|step| step.at);
        let judged = match self.broken.take() {
            Some(what) => Err(what),
            None => self.judge_step(process),
        };
        judged.or_else(|what| Violation::check(what, at.as_slice()))
    }

    fn judge_step(&mut self, process: ProcessId) -> Result<(), String> {
        match self.steps.remove(&process) {
            Some(mut step) => self.judge(process, &mut step),
            None => Ok(()),
        }
    }

    fn judge(&mut self, process: ProcessId, step: &mut Step) -> Result<(), String> {
        let owed: Vec<_> = step.owed.into_iter().collect();
        if step.acknowledgements != owed {
            let list = |all: &[(ProcessId, u64)]| match all {
                [] => "nothing".to_owned(),
                all => {
                    all.iter().map(|(to, n)| format!("{n} to {to}")).collect::<Vec<_>>().join(", ")
                }
            };
            let (has, must) = (list(&step.acknowledgements), list(&owed));
            return Err(format!("{process} acknowledges {has}, and must acknowledge {must}"));
        }
        if step.is_silence {
            self.after_silence(process, step)?;
        }
        for &(to, kind, ..) in &step.mails {
            step.due.insert(to);
            if kind != self.kind(process, to) {
                return Err(format!("{process} hands a mail to {to} by {kind}"));
            }
        }
        for &to in &step.due {
            let sent = step.mails.iter().filter(|(other, ..)| *other == to);
            let mut sent = sent.map(|&(_, _, number, mail)| (number, mail));
            let mut due = self.due(process, to).into_iter();
            loop {
                match (due.next(), sent.next()) {
                    (None, None) => break,
                    (due, sent) if due == sent => {}
                    (Some((number, mail)), None) => {
                        return Err(format!(
                            "{process} does not hand mail {mail} to {to}, as number {number}"
                        ));
                    }
                    (_, sent) => {
                        let (number, mail) = sent.unwrap_or_default();
                        return Err(format!(
                            "{process} hands mail {mail} to {to} as number {number}, which is not due"
                        ));
                    }
                }
            }
        }
        Ok(())
    }

    fn begin(&mut self, at: Witness) -> Check {
        let ended = self.end_step(at.process);
        self.steps.insert(at.process, Step { at: Some(at), ..Step::default() });
        ended
    }
}

impl Watch<Indication> for Handover {
    fn on_send(
        &mut self,
        at: Witness,
        to: ProcessId,
        message: &dyn Noted,
    ) -> Result<u64, Violation> {
        let Ok(message) = message.get::<Message>() else { return Ok(0) };
        let step = self.steps.entry(at.process).or_default();
        step.at = Some(at);
        match &*message {
            Message::Submit(number, mail) => step.mails.push((to, "SUBMIT", *number, mail.number)),
            Message::Forward(number, mail) => {
                step.mails.push((to, "FORWARD", *number, mail.number))
            }
            Message::Hand(number, mail) => step.mails.push((to, "HAND", *number, mail.number)),
            Message::Ack(up_to) => step.acknowledgements.push((to, *up_to)),
        }
        Ok(0)
    }

    fn on_receive(&mut self, from: ProcessId, to: Witness, message: &dyn Noted, _: u64) -> Check {
        self.begin(to)?;
        if let Ok(message) = message.get::<Message>() {
            self.receive(from, to.process, &message);
        }
        Ok(())
    }

    fn reads_messages(&self) -> bool {
        true
    }

    fn on_indication(&mut self, at: Witness, indication: &Indication) -> Check {
        if let Indication::Wrote(mail) = *indication {
            let server = self.server_of(at.process);
            self.keep(at.process, server, mail);
        }
        Ok(())
    }

    fn on_other(&mut self, at: Witness, happening: Happening<'_>) -> Check {
        if matches!(happening, Happening::Crash | Happening::Stop(_) | Happening::Misstep(_)) {
            // It may end in the middle of its step.
            self.steps.remove(&at.process);
            return Ok(());
        }
        self.begin(at)?;
        match happening {
            Happening::Recover => self.begin_again(at.process),
            Happening::Request(request) if request.get::<Request>().is_ok() => {
                self.begin_again(at.process);
            }
            Happening::Timeout(_) => {
                self.steps.entry(at.process).or_default().is_silence = true;
            }
            _ => {}
        }
        Ok(())
    }

    fn at_end(&self, end: &End) -> Judgement {
        let mut over = self.clone();
        // At least once: a step that is forgotten may have been wrong.
        let mut ended = over.end_step(ProcessId(0));
        for &process in self.steps.keys() {
            ended = ended.and_then(|()| over.end_step(process));
        }
        match (ended, end) {
            (Err(violation), End::Complete) => Judgement::Violated(violation),
            // The last steps may have been cut off.
            _ => Judgement::Holds(format!("{} handed over", counted(self.handed, "mail"))),
        }
    }

    fn is_put_to_the_test(&self) -> bool {
        self.handed > 0
    }

    /// A step that is over and was right is of no more interest.
    fn forget_history(&mut self, _: &mut TagsUnderWay<'_>) {
        self.handed = self.handed.min(1);
        while let Some((&process, _)) = self.steps.first_key_value() {
            if let Err(what) = self.judge_step(process) {
                self.broken = Some(what);
            }
        }
    }
}

#[cfg(test)]
mod tests;
