//! Channel states: what a wave recorded of each channel is what was in transit, exactly and in order.
//!
//! In transit across a cut are the messages of the application that were sent before the sender's cut and
//! received after the receiver's. The monitor numbers messages as they are sent, and messages carry their
//! number, so that it knows this set by itself, whichever of the two processes is cut first. What a
//! process says that it recorded is counted from its own cut on, see [`Recorded`], and must be the same
//! messages in the order of their sending: none is missing, none is there that was not in transit, none
//! twice.
//!
//! A channel is compared as soon as its receiver has said what it recorded and both ends are cut. That the
//! receiver says so before everything in transit has arrived is therefore a violation too.

use std::collections::{BTreeMap, BTreeSet};

use super::name::Name;
use super::{End, PropertyKind, TagsUnderWay, Violation, Watch, Witness, counted, told};
use crate::process::ProcessId;
use crate::snapshot::{Recorded, Wave};
use crate::trace::Happening;

/// The monitor of [`Spec::ChannelStates`](super::Spec::ChannelStates).
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ChannelStates {
    cut: Name,
    recorded: Name,
    message: Name,
    processes: u32,
    /// The number of the last message sent.
    sent: u64,
    under_way: BTreeMap<Channel, BTreeSet<u64>>,
    /// The waves that are not compared completely.
    waves: BTreeMap<Wave, Progress>,
    /// How many channels were compared, and how many messages were in transit on them.
    compared: u64,
    in_transit: u64,
    /// How many times a process said what it recorded, and it could not be read.
    unreadable: u64,
    violation: Option<Violation>,
}

/// Sender and receiver.
type Channel = (ProcessId, ProcessId);

/// One wave so far.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct Progress {
    cut: BTreeSet<ProcessId>,
    /// Each channel of which at least one end is cut, until it is compared.
    channels: BTreeMap<Channel, Transit>,
    compared: u64,
}

/// One channel during one wave, in numbers of messages.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct Transit {
    /// Sent before the sender's cut and not received before the receiver's, as far as is known.
    in_transit: BTreeSet<u64>,
    /// Received since the receiver's cut, in this order.
    arrived: Vec<u64>,
    /// What the receiver recorded.
    recorded: Option<Vec<u64>>,
}

impl ChannelStates {
    /// Watches processes that say with indications of kind `cut` where a wave cuts them and with
    /// `recorded` what they recorded in it, and send each other messages of kind `message`.
    pub fn new(cut: String, recorded: String, message: String, processes: u32) -> Self {
        Self {
            cut: cut.into(),
            recorded: recorded.into(),
            message: message.into(),
            processes,
            sent: 0,
            under_way: BTreeMap::new(),
            waves: BTreeMap::new(),
            compared: 0,
            in_transit: 0,
            unreadable: 0,
            violation: None,
        }
    }

    fn cut(&mut self, wave: Wave, at: Witness) {
        let me = at.process;
        let progress = self.waves.entry(wave).or_default();
        if !progress.cut.insert(me) {
            return;
        }
        for other in (0..self.processes).map(ProcessId).filter(|&other| other != me) {
            progress.channels.entry((other, me)).or_default();
            let from_me = progress.channels.entry((me, other)).or_default();
            from_me.in_transit.extend(self.under_way.get(&(me, other)).into_iter().flatten());
        }
        for other in (0..self.processes).map(ProcessId).filter(|&other| other != me) {
            self.compare(wave, (me, other), at);
        }
    }

    fn arrive(&mut self, channel: Channel, number: u64) {
        let (from, to) = channel;
        if let Some(under_way) = self.under_way.get_mut(&channel) {
            under_way.remove(&number);
            if under_way.is_empty() {
                self.under_way.remove(&channel);
            }
        }
        for progress in self.waves.values_mut() {
            let Some(transit) = progress.channels.get_mut(&channel) else { continue };
            if !progress.cut.contains(&to) {
                transit.in_transit.remove(&number);
                continue;
            }
            transit.arrived.push(number);
            if !progress.cut.contains(&from) {
                transit.in_transit.insert(number);
            }
        }
    }

    fn record(&mut self, recorded: &Recorded, at: Witness) {
        let (me, wave) = (at.process, recorded.wave);
        let progress = self.waves.entry(wave).or_default();
        if !progress.cut.contains(&me) {
            let what = format!("{me} says what it recorded in wave {wave}, and was not cut by it");
            return self.violate(what, at);
        }
        for from in (0..self.processes).map(ProcessId).filter(|&from| from != me) {
            let Some(transit) = self
                .waves
                .get_mut(&wave)
                .and_then(|progress| progress.channels.get_mut(&(from, me)))
            else {
                continue;
            };
            let places = recorded.channels.get(&from).map_or(&[][..], Vec::as_slice);
            let message = |&place: &u64| {
                let place = usize::try_from(place).ok()?.checked_sub(1)?;
                transit.arrived.get(place).copied()
            };
            match places.iter().map(message).collect::<Option<Vec<_>>>() {
                Some(messages) => transit.recorded = Some(messages),
                None => {
                    let what = format!(
                        "{me} recorded more messages from {from} in wave {wave} than arrived since its cut"
                    );
                    return self.violate(what, at);
                }
            }
            self.compare(wave, (from, me), at);
        }
    }

    /// Compares what was recorded with what was in transit, once both are known.
    fn compare(&mut self, wave: Wave, channel: Channel, at: Witness) {
        let Some(progress) = self.waves.get_mut(&wave) else { return };
        let (from, to) = channel;
        if !progress.cut.contains(&from) || !progress.cut.contains(&to) {
            return;
        }
        let is_recorded = |transit: &Transit| transit.recorded.is_some();
        if !progress.channels.get(&channel).is_some_and(is_recorded) {
            return;
        }
        let Some(transit) = progress.channels.remove(&channel) else { return };
        progress.compared += 1;
        if progress.compared == u64::from(self.processes) * u64::from(self.processes - 1) {
            self.waves.remove(&wave);
        }
        self.compared += 1;
        self.in_transit += transit.in_transit.len() as u64;
        let recorded = transit.recorded.unwrap_or_default();
        if !recorded.iter().eq(&transit.in_transit) {
            let what =
                format!("in wave {wave}, {}", difference(channel, &recorded, &transit.in_transit));
            self.violate(what, at);
        }
    }

    fn violate(&mut self, what: String, at: Witness) {
        self.violation.get_or_insert(Violation { what, witnesses: vec![at] });
    }
}

/// In which way what was recorded is wrong.
fn difference((from, to): Channel, recorded: &[u64], in_transit: &BTreeSet<u64>) -> String {
    let was = |n: usize| if n == 1 { "was" } else { "were" };
    let missing = in_transit.iter().filter(|number| !recorded.contains(number)).count();
    let extra = recorded.iter().filter(|number| !in_transit.contains(number)).count();
    let messages = counted(in_transit.len() as u64, "message");
    let transit = format!("{messages} from {from} to {to} {} in transit", was(in_transit.len()));
    match (missing, extra) {
        (0, 0) => format!("{transit}, and {to} recorded them in another order or twice"),
        (0, extra) => format!("{transit}, and {to} recorded {extra} more"),
        (missing, 0) => format!("{transit}, and {to} did not record {missing} of them"),
        (missing, extra) => {
            format!("{transit}, and {to} did not record {missing} of them, but {extra} others")
        }
    }
}

impl Watch for ChannelStates {
    fn name(&self) -> (String, PropertyKind) {
        ("channel states are the messages in transit".to_owned(), PropertyKind::Safety)
    }

    fn on_send(&mut self, from: ProcessId, to: ProcessId, kind: &str, _: u64) -> u64 {
        if *kind != *self.message || from == to {
            return 0;
        }
        self.sent += 1;
        self.under_way.entry((from, to)).or_default().insert(self.sent);
        self.sent
    }

    fn on_receive(&mut self, from: ProcessId, to: ProcessId, _: &str, _: u64, tag: u64) {
        if tag > 0 {
            self.arrive((from, to), tag);
        }
    }

    fn on_event(&mut self, process: ProcessId, happening: Happening<'_>, n: u64) {
        let at = Witness { process, n };
        if let Some(Ok(wave)) = told(happening, &self.cut) {
            self.cut(wave, at);
        }
        match told::<Recorded>(happening, &self.recorded) {
            Some(Ok(recorded)) => self.record(&recorded, at),
            Some(Err(_)) => self.unreadable += 1,
            None => {}
        }
    }

    fn is_put_to_the_test(&self) -> bool {
        let mut channels = self.waves.values().flat_map(|progress| progress.channels.values());
        channels.any(|transit| !transit.in_transit.is_empty())
    }

    fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    fn unbroken(&self, _: &End) -> (Option<bool>, String) {
        if self.unreadable > 0 {
            return (None, super::unreadable(self.unreadable));
        }
        let (messages, channels) =
            (counted(self.in_transit, "message"), counted(self.compared, "channel"));
        (Some(true), format!("{messages} in transit on {channels}"))
    }

    fn uses_tags(&self) -> bool {
        true
    }

    /// Of the numbers only the order on each channel matters.
    fn forget_history(&mut self, tags: &mut TagsUnderWay<'_>) {
        let mut numbers: BTreeMap<Channel, BTreeSet<u64>> = BTreeMap::new();
        let channels = self.waves.values().flat_map(|progress| &progress.channels);
        for (&channel, Transit { in_transit, arrived, recorded }) in channels {
            let known = numbers.entry(channel).or_default();
            known.extend(in_transit.iter().chain(arrived).chain(recorded.iter().flatten()));
        }
        for (&channel, under_way) in &self.under_way {
            numbers.entry(channel).or_default().extend(under_way);
        }
        // The copy of a message that arrived is known here only.
        tags(&mut |from, to, tag| {
            if *tag > 0 {
                numbers.entry((from, to)).or_default().insert(*tag);
            }
        });
        let rank = |channel: Channel, number: u64| {
            numbers.get(&channel).map_or(0, |numbers| numbers.range(..=number).count() as u64)
        };
        tags(&mut |from, to, tag| {
            if *tag > 0 {
                *tag = rank((from, to), *tag);
            }
        });
        let ranked = |channel: Channel, set: &BTreeSet<u64>| {
            set.iter().map(|&number| rank(channel, number)).collect::<BTreeSet<_>>()
        };
        for (&channel, under_way) in &mut self.under_way {
            *under_way = ranked(channel, under_way);
        }
        for (&channel, transit) in
            self.waves.values_mut().flat_map(|progress| &mut progress.channels)
        {
            transit.in_transit = ranked(channel, &transit.in_transit);
            let lists = transit.recorded.iter_mut().flatten().chain(&mut transit.arrived);
            lists.for_each(|number| *number = rank(channel, *number));
        }
        self.sent = numbers.values().map(|numbers| numbers.len() as u64).max().unwrap_or(0);
        (self.compared, self.in_transit) = (0, 0);
    }
}
