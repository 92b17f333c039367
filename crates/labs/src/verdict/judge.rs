//! The monitors of one run together, and the count of its messages.

use std::collections::BTreeMap;

use super::mails::MAILS_MAX;
use super::two_levels::Words;
use super::{
    AsPredicted, Blocked, CausalDelivery, ChannelStates, Conservation, ConsistentCut, End, Entries,
    EventualAccuracy, EveryRequestServed, EveryWave, EveryoneLearns, ExactlyOnce, Fifo,
    FirstComeFirstServed, GrowingTokens, LeasedExclusion, ListsAgree, Markers, MessagesEach,
    MutualExclusion, NotHeld, OneLeader, OneList, OneMessageAHop, OneToken, Ranks, ReadOnce,
    RightLeader, SingleRing, Spec, StrongCompleteness, TagsUnderWay, TrueCount, Verdict, Violation,
    Watch,
};
use crate::process::ProcessId;
use crate::trace::{Happening, MessageId, Noted, TraceEvent, What};

/// How many monitors of one run can let messages carry a tag. The lab with the most has four; a
/// fixed number keeps a message's tags out of the heap.
pub const TAGS: usize = 4;

/// How many properties a run may be judged by: no lab has half as many, and each looks at each event.
pub(super) const PROPERTIES_MAX: usize = 32;

/// What a message carries on behalf of the monitors.
pub type Tags = [u64; TAGS];

/// Visits the tags of each message under way, with its sender and its receiver.
pub type AllTagsUnderWay<'a> = dyn FnMut(&mut dyn FnMut(ProcessId, ProcessId, &mut Tags)) + 'a;

macro_rules! monitors {
    ($($name:ident),*) => {
        /// The monitor of one property.
        #[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        #[expect(missing_docs, reason = "each variant is the monitor of that name, documented there")]
        pub enum Monitor { $($name($name)),* }

        impl Monitor {
            fn watch(&self) -> &dyn Watch {
                match self { $(Self::$name(monitor) => monitor),* }
            }

            fn watch_mut(&mut self) -> &mut dyn Watch {
                match self { $(Self::$name(monitor) => monitor),* }
            }
        }
    };
}

monitors!(
    AsPredicted,
    Blocked,
    CausalDelivery,
    ChannelStates,
    Conservation,
    ConsistentCut,
    Entries,
    EventualAccuracy,
    EveryRequestServed,
    EveryWave,
    EveryoneLearns,
    ExactlyOnce,
    Fifo,
    FirstComeFirstServed,
    GrowingTokens,
    LeasedExclusion,
    ListsAgree,
    Markers,
    MessagesEach,
    MutualExclusion,
    NotHeld,
    OneLeader,
    OneList,
    OneMessageAHop,
    OneToken,
    Ranks,
    ReadOnce,
    RightLeader,
    SingleRing,
    StrongCompleteness,
    TrueCount
);

impl Monitor {
    /// The monitor of `spec` before a run of so many processes.
    pub fn new(spec: &Spec, processes: u32) -> Self {
        match spec.clone() {
            Spec::MutualExclusion { enter, exit } => {
                Self::MutualExclusion(MutualExclusion::new(enter, exit, processes))
            }
            Spec::OneToken { created, message } => {
                Self::OneToken(OneToken::new(created, message, processes))
            }
            Spec::Entries { enter, times } => Self::Entries(Entries::new(enter, times, processes)),
            Spec::OneMessageAHop { message, besides } => {
                Self::OneMessageAHop(OneMessageAHop::new(message, besides))
            }
            Spec::SingleRing { message } => Self::SingleRing(SingleRing::new(message, processes)),
            Spec::Fifo => Self::Fifo(Fifo::default()),
            Spec::ExactlyOnce => Self::ExactlyOnce(ExactlyOnce::default()),
            Spec::OneLeader { won, learned } => Self::OneLeader(OneLeader::new(won, learned)),
            Spec::RightLeader { won, which, process, identity } => {
                Self::RightLeader(RightLeader::new(won, which, process, identity))
            }
            Spec::EveryoneLearns { learned } => {
                Self::EveryoneLearns(EveryoneLearns::new(learned, processes))
            }
            Spec::Ranks { numbered, message } => {
                Self::Ranks(Ranks::new(numbered, message, processes))
            }
            Spec::TrueCount { counted } => Self::TrueCount(TrueCount::new(counted, processes)),
            Spec::AsPredicted { message, times } => {
                Self::AsPredicted(AsPredicted::new(message, times))
            }
            Spec::StrongCompleteness { heartbeat, answer, round, threshold, settle } => {
                let words = Words { heartbeat, answer, round };
                let new = StrongCompleteness::new(words, threshold, settle, processes);
                Self::StrongCompleteness(new)
            }
            Spec::EventualAccuracy { heartbeat, answer, round, threshold } => {
                let words = Words { heartbeat, answer, round };
                Self::EventualAccuracy(EventualAccuracy::new(words, threshold, processes))
            }
            Spec::ListsAgree { round, settle } => {
                Self::ListsAgree(ListsAgree::new(round, settle, processes))
            }
            Spec::OneList { round } => Self::OneList(OneList::new(round, processes)),
            Spec::ConsistentCut { cut, message } => {
                Self::ConsistentCut(ConsistentCut::new(cut, message, processes))
            }
            Spec::ChannelStates { cut, recorded, message } => {
                Self::ChannelStates(ChannelStates::new(cut, recorded, message, processes))
            }
            Spec::Conservation { recorded, total } => {
                Self::Conservation(Conservation::new(recorded, total, processes))
            }
            Spec::Markers { cut, message, waves } => {
                Self::Markers(Markers::new(cut, message, waves, processes))
            }
            Spec::EveryWave { recorded, waves } => {
                Self::EveryWave(EveryWave::new(recorded, waves, processes))
            }
            Spec::Blocked { cut, recorded, message } => {
                Self::Blocked(Blocked::new(cut, recorded, message, processes))
            }
            Spec::CausalDelivery { wrote, read, addressees } => {
                Self::CausalDelivery(CausalDelivery::new(wrote, read, addressees, processes))
            }
            Spec::NotHeld { wrote, arrived, read, addressees } => {
                Self::NotHeld(NotHeld::new(wrote, arrived, read, addressees, processes))
            }
            Spec::ReadOnce { read, addressees } => {
                Self::ReadOnce(ReadOnce::new(read, addressees, processes))
            }
            Spec::LeasedExclusion { enter, exits, unused, revoked } => Self::LeasedExclusion(
                LeasedExclusion::new(enter, exits, unused, revoked, processes),
            ),
            Spec::GrowingTokens { enter } => {
                Self::GrowingTokens(GrowingTokens::new(enter, processes))
            }
            Spec::FirstComeFirstServed { queued, granted, dropped } => {
                Self::FirstComeFirstServed(FirstComeFirstServed::new(queued, granted, dropped))
            }
            Spec::EveryRequestServed { asked, served } => {
                Self::EveryRequestServed(EveryRequestServed::new(asked, served))
            }
            Spec::MessagesEach { asked, left, messages, disturbed } => {
                Self::MessagesEach(MessagesEach::new(asked, left, messages, disturbed))
            }
        }
    }
}

/// How many mails a property is about, if it is about mails.
fn mails(spec: &Spec) -> Option<usize> {
    match spec {
        Spec::CausalDelivery { addressees, .. }
        | Spec::NotHeld { addressees, .. }
        | Spec::ReadOnce { addressees, .. } => Some(addressees.len()),
        _ => None,
    }
}

/// The monitors of one run.
///
/// They are data like a process, so that the checker can make them part of its states.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Monitors(Vec<Monitor>);

impl Monitors {
    /// The monitors of `specs` before a run of so many processes.
    ///
    /// # Panics
    ///
    /// If more than [`TAGS`] of them let messages carry a tag: a lab demands what it demands at
    /// compile time.
    pub fn new(specs: &[Spec], processes: u32) -> Self {
        if let Err(why) = Self::check(specs) {
            panic!("{why}");
        }
        let monitors: Vec<_> = specs.iter().map(|spec| Monitor::new(spec, processes)).collect();
        Self(monitors)
    }

    /// Whether these properties can be judged together.
    ///
    /// # Errors
    ///
    /// Says why not.
    pub fn check(specs: &[Spec]) -> Result<(), String> {
        if specs.len() > PROPERTIES_MAX {
            return Err(format!("{} properties, and the limit is {PROPERTIES_MAX}", specs.len()));
        }
        if let Some(mails) = specs.iter().filter_map(mails).find(|&mails| mails > MAILS_MAX) {
            return Err(format!("{mails} mails, and the limit is {MAILS_MAX}"));
        }
        let uses_tags = |spec: &&Spec| Monitor::new(spec, 1).watch().uses_tags();
        match specs.iter().filter(uses_tags).count() {
            tags if tags > TAGS => {
                Err(format!("{tags} properties want tags, and a message carries {TAGS}"))
            }
            _ => Ok(()),
        }
    }

    /// A message is sent. Returns what it carries.
    pub fn on_send(&mut self, from: ProcessId, to: ProcessId, kind: &str, n: u64) -> Tags {
        let mut tags = Tags::default();
        let mut slot = 0;
        for monitor in &mut self.0 {
            let tag = monitor.watch_mut().on_send(from, to, kind, n);
            if monitor.watch().uses_tags() {
                tags[slot] = tag;
                slot += 1;
            }
        }
        tags
    }

    /// A message arrives, with what it carried.
    pub fn on_receive(&mut self, from: ProcessId, to: ProcessId, kind: &str, n: u64, tags: Tags) {
        self.with_tags(tags, |monitor, tag| monitor.on_receive(from, to, kind, n, tag));
    }

    /// The network lost a message.
    pub fn on_drop(&mut self, from: ProcessId, to: ProcessId, kind: &str, n: u64, tags: Tags) {
        self.with_tags(tags, |monitor, tag| monitor.on_drop(from, to, kind, n, tag));
    }

    /// Something else happened to a process.
    pub fn on_event(&mut self, process: ProcessId, happening: Happening<'_>, n: u64) {
        for monitor in &mut self.0 {
            monitor.watch_mut().on_event(process, happening, n);
        }
    }

    /// The first property that some event broke, with its name.
    pub fn violation(&self) -> Option<(String, &Violation)> {
        self.0.iter().find_map(|monitor| {
            monitor.watch().violation().map(|violation| (monitor.watch().name().0, violation))
        })
    }

    /// Of each property, whether anything happened that could have broken it.
    pub fn put_to_the_test(&self) -> impl Iterator<Item = bool> + '_ {
        self.0.iter().map(|monitor| monitor.watch().is_put_to_the_test())
    }

    /// The verdicts on a run that ended so, in the order of the specs.
    pub fn verdicts(&self, end: &End) -> Vec<Verdict> {
        self.0.iter().map(|monitor| monitor.watch().verdict(end)).collect()
    }

    /// Makes states equal that differ only in old history: see [`Watch::forget_history`]. `tags`
    /// visits the tags of each message under way.
    pub fn forget_history(&mut self, tags: &mut AllTagsUnderWay<'_>) {
        let mut slot = 0;
        for monitor in &mut self.0 {
            let uses_tags = monitor.watch().uses_tags();
            let visit: &mut TagsUnderWay<'_> = &mut |visitor| {
                if uses_tags {
                    tags(&mut |from, to, tags| visitor(from, to, &mut tags[slot]));
                }
            };
            monitor.watch_mut().forget_history(visit);
            slot += usize::from(uses_tags);
        }
    }

    fn with_tags(&mut self, tags: Tags, mut act: impl FnMut(&mut dyn Watch, u64)) {
        let mut slot = 0;
        for monitor in &mut self.0 {
            if monitor.watch().uses_tags() {
                act(monitor.watch_mut(), tags[slot]);
                slot += 1;
            } else {
                act(monitor.watch_mut(), 0);
            }
        }
    }
}

/// Judges a run while it happens: monitors, and the count of its messages by kind.
#[derive(Clone, Debug, Default)]
pub struct Judge {
    monitors: Monitors,
    messages: BTreeMap<String, u64>,
    events: u64,
}

impl Judge {
    /// A judge of these properties, before a run of so many processes.
    pub fn new(specs: &[Spec], processes: u32) -> Self {
        Self { monitors: Monitors::new(specs, processes), ..Self::default() }
    }

    /// A message is sent. Returns what it carries.
    pub fn on_send(&mut self, from: ProcessId, to: ProcessId, message: &dyn Noted, n: u64) -> Tags {
        self.events += 1;
        let kind = message.kind();
        match self.messages.get_mut(&*kind) {
            Some(count) => *count += 1,
            None => {
                self.messages.insert(kind.clone().into_owned(), 1);
            }
        }
        self.monitors.on_send(from, to, &kind, n)
    }

    /// A message arrives, with what it carried.
    pub fn on_receive(
        &mut self,
        from: ProcessId,
        to: ProcessId,
        message: &dyn Noted,
        n: u64,
        tags: Tags,
    ) {
        self.events += 1;
        self.monitors.on_receive(from, to, &message.kind(), n, tags);
    }

    /// The network lost a message.
    pub fn on_drop(
        &mut self,
        from: ProcessId,
        to: ProcessId,
        message: &dyn Noted,
        n: u64,
        tags: Tags,
    ) {
        self.events += 1;
        self.monitors.on_drop(from, to, &message.kind(), n, tags);
    }

    /// Something else happened to a process.
    pub fn on_event(&mut self, process: ProcessId, happening: Happening<'_>, n: u64) {
        self.events += 1;
        self.monitors.on_event(process, happening, n);
    }

    /// How many events were seen.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// How many messages of each kind were sent.
    pub fn messages(&self) -> &BTreeMap<String, u64> {
        &self.messages
    }

    /// The verdicts on a run that ended so, in the order of the specs.
    pub fn verdicts(&self, end: &End) -> Vec<Verdict> {
        self.monitors.verdicts(end)
    }
}

/// Judges events that were written down: tags follow the ids of the messages.
#[derive(Clone, Debug, Default)]
pub struct StreamJudge {
    judge: Judge,
    processes: u32,
    /// How many events of each process were seen.
    seen: Vec<u64>,
    under_way: BTreeMap<MessageId, Sent>,
    end: Option<End>,
}

#[derive(Clone, Debug)]
struct Sent {
    to: ProcessId,
    kind: String,
    tags: Tags,
}

/// Why a list of events is not the trace of a run.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum StreamError {
    /// The event is of a process that the header does not know.
    #[error("{process} is not one of the {processes} processes of the run")]
    NoSuchProcess {
        /// The process.
        process: ProcessId,
        /// How many there are.
        processes: u32,
    },
    /// The events of one process must be numbered 1, 2, 3 and so on.
    #[error("event {n} of {process} follows its event {before}")]
    Numbering {
        /// The process.
        process: ProcessId,
        /// The event.
        n: u64,
        /// The event of the same process that came before, 0 if there was none.
        before: u64,
    },
    /// A message arrives that nobody sent.
    #[error("{process} receives message {id}, which was not sent to it before this line")]
    NotSent {
        /// The receiver.
        process: ProcessId,
        /// The message.
        id: MessageId,
    },
}

impl StreamJudge {
    /// A judge of these properties, before a run of so many processes.
    pub fn new(specs: &[Spec], processes: u32) -> Self {
        Self {
            judge: Judge::new(specs, processes),
            processes,
            seen: vec![0; processes as usize],
            under_way: BTreeMap::new(),
            end: None,
        }
    }

    /// The next event. Events come in any order that respects causality.
    ///
    /// # Errors
    ///
    /// If no run has such an event at this place.
    pub fn observe(&mut self, event: &TraceEvent) -> Result<(), StreamError> {
        self.check_place(event)?;
        let (process, n) = (event.process, event.n);
        match &event.what {
            What::Init => self.judge.on_event(process, Happening::Init, n),
            What::Request(note) => self.judge.on_event(process, Happening::Request(note), n),
            What::Indication(note) => self.judge.on_event(process, Happening::Indication(note), n),
            What::Timeout(note) => self.judge.on_event(process, Happening::Timeout(note), n),
            What::Crash => self.judge.on_event(process, Happening::Crash, n),
            What::Recover => self.judge.on_event(process, Happening::Recover, n),
            What::Stop(end) => {
                self.end = end.as_ref().and_then(End::from_note).or(self.end.take());
                self.judge.on_event(process, Happening::Stop(None), n);
            }
            What::Send { peer, message } => {
                let kind = message.kind.clone();
                let tags = self.judge.on_send(process, *peer, &Named(&kind), n);
                self.under_way.insert(message.id, Sent { to: *peer, kind, tags });
            }
            What::Receive { peer, message } => {
                let sent = self.sent(message.id, *peer, process, process)?;
                self.judge.on_receive(*peer, process, &Named(&sent.kind), n, sent.tags);
            }
            What::Drop { peer, message } => {
                let sent = self.sent(message.id, process, *peer, process)?;
                self.judge.on_drop(process, *peer, &Named(&sent.kind), n, sent.tags);
            }
        }
        Ok(())
    }

    /// The judge, with what it has seen so far.
    pub fn judge(&self) -> &Judge {
        &self.judge
    }

    /// How the run ended, as far as its events say.
    pub fn end(&self) -> End {
        let unknown =
            || End::CutShort("the trace does not say that the run came to its end".into());
        self.end.clone().unwrap_or_else(unknown)
    }

    fn check_place(&mut self, event: &TraceEvent) -> Result<(), StreamError> {
        let peer = match &event.what {
            What::Send { peer, .. } | What::Receive { peer, .. } | What::Drop { peer, .. } => *peer,
            _ => event.process,
        };
        for process in [event.process, peer] {
            if process.0 >= self.processes {
                return Err(StreamError::NoSuchProcess { process, processes: self.processes });
            }
        }
        let seen = &mut self.seen[event.process.index()];
        if event.n != *seen + 1 {
            let (process, n, before) = (event.process, event.n, *seen);
            return Err(StreamError::Numbering { process, n, before });
        }
        *seen = event.n;
        Ok(())
    }

    /// A message stays known after it arrived, for it may arrive again.
    fn sent(
        &self,
        id: MessageId,
        from: ProcessId,
        to: ProcessId,
        process: ProcessId,
    ) -> Result<Sent, StreamError> {
        self.under_way
            .get(&id)
            .filter(|sent| id.process == from && sent.to == to)
            .cloned()
            .ok_or(StreamError::NotSent { process, id })
    }
}

/// A message of which only the kind is at hand.
struct Named<'a>(&'a str);

impl Noted for Named<'_> {
    fn kind(&self) -> std::borrow::Cow<'_, str> {
        std::borrow::Cow::Borrowed(self.0)
    }

    fn text(&self) -> String {
        String::new()
    }
}
