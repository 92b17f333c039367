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
///
/// A channel on which nothing is known to be in transit and nothing has arrived is not kept: the header of a
/// trace may name so many processes that their channels would not fit in any memory.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct Progress {
    cut: BTreeSet<ProcessId>,
    /// Who has said what it recorded.
    recorded: BTreeSet<ProcessId>,
    /// The channels with messages of which at least one end is cut, until they are compared.
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
    /// What the receiver recorded; nothing as long as it has not said so.
    recorded: Vec<u64>,
}

impl Progress {
    /// Whether a channel was compared: whatever happens on it now is no part of the wave.
    fn is_compared(&self, (from, to): Channel) -> bool {
        self.cut.contains(&from) && self.recorded.contains(&to)
    }

    /// A message was lost, or arrived before its receiver's cut: it is not in transit.
    fn forget(&mut self, channel: Channel, number: u64) {
        if let Some(transit) = self.channels.get_mut(&channel) {
            transit.in_transit.remove(&number);
            if *transit == Transit::default() {
                self.channels.remove(&channel);
            }
        }
    }

    /// A message arrived after its receiver's cut.
    fn arrive(&mut self, channel: Channel, number: u64) {
        let is_in_transit = !self.cut.contains(&channel.0);
        let transit = self.channels.entry(channel).or_default();
        transit.arrived.push(number);
        if is_in_transit {
            transit.in_transit.insert(number);
        }
    }
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
        let from_me = (me, ProcessId(0))..=(me, ProcessId(u32::MAX));
        for (&channel, under_way) in self.under_way.range(from_me) {
            progress.channels.entry(channel).or_default().in_transit.extend(under_way);
        }
        let to = progress.recorded.iter().filter(|&&to| to != me);
        let known: Vec<_> = to.map(|&to| (me, to)).collect();
        self.compare(wave, known, at);
    }

    /// A message is not under way any more: it arrived, or was lost.
    fn land(&mut self, channel: Channel, number: u64) {
        if let Some(under_way) = self.under_way.get_mut(&channel) {
            under_way.remove(&number);
            if under_way.is_empty() {
                self.under_way.remove(&channel);
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
        if !progress.recorded.insert(me) {
            return; // That it says so once is another property's matter.
        }
        for (&from, places) in &recorded.channels {
            let transit = progress.channels.get_mut(&(from, me));
            let message = |&place: &u64| {
                let place = usize::try_from(place).ok()?.checked_sub(1)?;
                transit.as_ref()?.arrived.get(place).copied()
            };
            let messages = places.iter().map(message).collect::<Option<Vec<_>>>();
            match (messages, transit) {
                (Some(messages), Some(transit)) => transit.recorded = messages,
                (Some(_), None) => {}
                (None, _) => {
                    let what = format!(
                        "{me} recorded more messages from {from} in wave {wave} than arrived since its cut"
                    );
                    return self.violate(what, at);
                }
            }
        }
        let from = progress.cut.iter().filter(|&&from| from != me);
        let known: Vec<_> = from.map(|&from| (from, me)).collect();
        self.compare(wave, known, at);
    }

    /// Compares what was recorded with what was in transit, on channels of which both are known now.
    fn compare(&mut self, wave: Wave, channels: Vec<Channel>, at: Witness) {
        let Some(progress) = self.waves.get_mut(&wave) else { return };
        let count = channels.len() as u64;
        progress.compared += count;
        self.compared += count;
        let all = u64::from(self.processes) * u64::from(self.processes.saturating_sub(1));
        let is_complete = progress.compared == all;
        let mut wrong = None;
        for channel in channels {
            let Some(transit) = progress.channels.remove(&channel) else { continue };
            self.in_transit += transit.in_transit.len() as u64;
            if !transit.recorded.iter().eq(&transit.in_transit) {
                wrong.get_or_insert_with(|| {
                    difference(channel, &transit.recorded, &transit.in_transit)
                });
            }
        }
        if is_complete {
            self.waves.remove(&wave);
        }
        if let Some(difference) = wrong {
            self.violate(format!("in wave {wave}, {difference}"), at);
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
        if tag == 0 {
            return;
        }
        let channel = (from, to);
        self.land(channel, tag);
        for progress in self.waves.values_mut() {
            if !progress.cut.contains(&to) {
                progress.forget(channel, tag);
            } else if !progress.is_compared(channel) {
                progress.arrive(channel, tag);
            }
        }
    }

    /// What is lost is not in transit: nobody could have recorded it.
    fn on_drop(&mut self, from: ProcessId, to: ProcessId, _: &str, _: u64, tag: u64) {
        if tag > 0 {
            self.land((from, to), tag);
            self.waves.values_mut().for_each(|progress| progress.forget((from, to), tag));
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
            known.extend(in_transit.iter().chain(arrived).chain(recorded));
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
            let lists = transit.recorded.iter_mut().chain(&mut transit.arrived);
            lists.for_each(|number| *number = rank(channel, *number));
        }
        self.sent = numbers.values().map(|numbers| numbers.len() as u64).max().unwrap_or(0);
        (self.compared, self.in_transit) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Note;

    const P: [ProcessId; 3] = [ProcessId(0), ProcessId(1), ProcessId(2)];

    fn watched(processes: u32) -> ChannelStates {
        let [cut, recorded, message] = ["Cut", "Recorded", "M"].map(str::to_owned);
        ChannelStates::new(cut, recorded, message, processes)
    }

    fn says(watched: &mut ChannelStates, process: ProcessId, kind: &str, text: &str) {
        let note = Note { kind: kind.to_owned(), text: format!("{kind}({text})") };
        watched.on_event(process, Happening::Indication(&note), 1);
    }

    /// The header of a trace may name millions of processes; what is kept follows from the events.
    #[test]
    fn a_wave_of_very_many_processes_takes_no_memory_for_channels_without_messages() {
        let mut watched = watched(u32::MAX);
        for _ in 0..3 {
            watched.on_send(P[0], P[1], "M", 1);
        }
        for wave in 1..=50 {
            says(&mut watched, P[0], "Cut", &format!("{wave}@p0"));
            says(&mut watched, P[2], "Cut", &format!("{wave}@p0"));
            says(&mut watched, P[2], "Recorded", &format!("{wave}@p0, worth 0"));
        }
        let kept = watched.waves.values().map(|progress| progress.channels.len());
        assert_eq!(kept.collect::<Vec<_>>(), [1; 50], "only that on which messages are in transit");
        assert_eq!((watched.compared, watched.violation()), (50, None));
    }

    #[test]
    fn what_is_lost_is_not_in_transit_and_is_forgotten() {
        let mut watched = watched(2);
        let lost = watched.on_send(P[0], P[1], "M", 1);
        let late = watched.on_send(P[0], P[1], "M", 2);
        says(&mut watched, P[0], "Cut", "1@p0");
        watched.on_drop(P[0], P[1], "M", 3, lost);
        says(&mut watched, P[1], "Cut", "1@p0");
        watched.on_receive(P[0], P[1], "M", 2, late);
        says(&mut watched, P[1], "Recorded", "1@p0, worth 0, p0: 1");
        says(&mut watched, P[0], "Recorded", "1@p0, worth 0");
        let verdict = watched.verdict(&End::Complete);
        assert_eq!(verdict.holds, Some(true), "{}", verdict.detail);
        assert_eq!(verdict.detail, "1 message in transit on 2 channels");
        assert!(watched.under_way.is_empty() && watched.waves.is_empty());
    }

    #[test]
    fn what_never_arrived_cannot_be_recorded() {
        for channel in ["p1: 1", "p0: 1", "p9: 1"] {
            let mut watched = watched(2);
            says(&mut watched, P[0], "Cut", "1@p0");
            says(&mut watched, P[0], "Recorded", &format!("1@p0, worth 0, {channel}"));
            assert!(watched.violation().is_some(), "{channel}");
        }
    }
}
