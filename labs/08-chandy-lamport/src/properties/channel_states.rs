//! Channel states: what a wave recorded of each channel is what was in transit, exactly and in order.
//!
//! In transit across a cut are the messages of the application that were sent before the sender's cut and
//! received after the receiver's. The monitor numbers messages as they are sent, and messages carry their
//! number, so that it knows this set by itself, whichever of the two processes is cut first. What a
//! process recorded is counted from its own cut on, see [`Recorded::channels`], and must be the same
//! messages in the order of their sending: none is missing, none is there that was not in transit, none
//! twice.
//!
//! A process that is cut and completes its part in one step may say so in either order.
//!
//! A channel is compared as soon as its receiver has said what it recorded and both ends are cut. That the
//! receiver says so before everything in transit has arrived is therefore a violation too.

use std::collections::{BTreeMap, BTreeSet};

use labs::process::ProcessId;
use labs::trace::{Happening, Noted};
use labs::verdict::{Check, End, Judgement, TagsUnderWay, Violation, Watch, Witness, counted};

use super::is_of_application;
use crate::snapshot::{Indication, Recorded, Worth};
use crate::wave::Wave;

/// Watches that what is recorded of each channel is what was in transit.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct ChannelStates {
    processes: u32,
    /// The number of the last message sent.
    sent: u64,
    under_way: BTreeMap<Channel, BTreeSet<u64>>,
    /// The waves that are not compared completely.
    waves: BTreeMap<Wave, Progress>,
    /// What processes said that they recorded in the step that they are in, of a wave that has not cut them.
    early: BTreeMap<ProcessId, (Recorded, Witness)>,
    /// How many channels were compared, and how many messages were in transit on them.
    compared: u64,
    in_transit: u64,
}

/// Sender and receiver.
type Channel = (ProcessId, ProcessId);

/// One wave so far.
///
/// A channel on which nothing is known to be in transit and nothing has arrived is not kept: there are
/// N(N−1) of them, and messages on few.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
struct Progress {
    cut: BTreeSet<ProcessId>,
    /// The processes that have said what they recorded.
    recorded: BTreeSet<ProcessId>,
    /// The channels with messages of which at least one end is cut, until they are compared.
    channels: BTreeMap<Channel, Transit>,
    compared: u64,
}

/// One channel during one wave, in numbers of messages.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
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
    /// Watches so many processes.
    pub fn new(processes: u32) -> Self {
        Self {
            processes,
            sent: 0,
            under_way: BTreeMap::new(),
            waves: BTreeMap::new(),
            early: BTreeMap::new(),
            compared: 0,
            in_transit: 0,
        }
    }

    fn cut(&mut self, wave: Wave, at: Witness) -> Check {
        let me = at.process;
        let progress = self.waves.entry(wave).or_default();
        if !progress.cut.insert(me) {
            return Ok(());
        }
        let from_me = (me, ProcessId(0))..=(me, ProcessId(u32::MAX));
        for (&channel, under_way) in self.under_way.range(from_me) {
            progress.channels.entry(channel).or_default().in_transit.extend(under_way);
        }
        let to = progress.recorded.iter().filter(|&&to| to != me);
        let known: Vec<_> = to.map(|&to| (me, to)).collect();
        self.compare(wave, known, at)?;
        match self.early.remove(&me) {
            Some((recorded, at)) => self.record(&recorded, at),
            None => Ok(()),
        }
    }

    /// A new step of a process begins.
    fn end_step(&mut self, process: ProcessId) -> Check {
        let Some((recorded, at)) = self.early.remove(&process) else { return Ok(()) };
        let wave = recorded.wave;
        let what = format!("{process} says what it recorded in wave {wave}, and was not cut by it");
        Violation::check(what, [at])
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

    fn record(&mut self, recorded: &Recorded, at: Witness) -> Check {
        let (me, wave) = (at.process, recorded.wave);
        let progress = self.waves.entry(wave).or_default();
        if !progress.cut.contains(&me) {
            self.early.insert(me, (recorded.clone(), at));
            return Ok(());
        }
        if !progress.recorded.insert(me) {
            return Ok(()); // That it says so once is another property's matter.
        }
        for (&from, runs) in &recorded.channels {
            let transit = progress.channels.get_mut(&(from, me));
            let message = |place: u64| {
                let place = usize::try_from(place).ok()?.checked_sub(1)?;
                transit.as_ref()?.arrived.get(place).copied()
            };
            let places = runs.iter().flat_map(|&(first, last)| first..=last);
            let messages = places.map(message).collect::<Option<Vec<_>>>();
            match (messages, transit) {
                (Some(messages), Some(transit)) => transit.recorded = messages,
                (Some(_), None) => {}
                (None, _) => {
                    let what = format!(
                        "{me} recorded more messages from {from} in wave {wave} than arrived since its cut"
                    );
                    return Violation::check(what, [at]);
                }
            }
        }
        let from = progress.cut.iter().filter(|&&from| from != me);
        let known: Vec<_> = from.map(|&from| (from, me)).collect();
        self.compare(wave, known, at)
    }

    /// Compares what was recorded with what was in transit, on channels of which both are known now.
    fn compare(&mut self, wave: Wave, channels: Vec<Channel>, at: Witness) -> Check {
        let Some(progress) = self.waves.get_mut(&wave) else { return Ok(()) };
        let count = channels.len() as u64;
        progress.compared += count;
        self.compared += count;
        let all = u64::from(self.processes) * u64::from(self.processes.saturating_sub(1));
        let is_complete = progress.compared == all;
        for channel in channels {
            let Some(Transit { in_transit, recorded, .. }) = progress.channels.remove(&channel)
            else {
                continue;
            };
            self.in_transit += in_transit.len() as u64;
            if !recorded.iter().eq(&in_transit) {
                let difference = difference(channel, &recorded, &in_transit);
                return Violation::check(format!("in wave {wave}, {difference}"), [at]);
            }
        }
        if is_complete {
            self.waves.remove(&wave);
        }
        Ok(())
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

impl<A: Worth> Watch<Indication<A>> for ChannelStates {
    fn on_send(
        &mut self,
        from: Witness,
        to: ProcessId,
        message: &dyn Noted,
    ) -> Result<u64, Violation> {
        if from.process == to || !is_of_application(message) {
            return Ok(0);
        }
        self.sent += 1;
        self.under_way.entry((from.process, to)).or_default().insert(self.sent);
        Ok(self.sent)
    }

    fn on_receive(&mut self, from: ProcessId, to: Witness, _: &dyn Noted, tag: u64) -> Check {
        self.end_step(to.process)?;
        if tag == 0 {
            return Ok(());
        }
        let channel = (from, to.process);
        self.land(channel, tag);
        for progress in self.waves.values_mut() {
            if !progress.cut.contains(&to.process) {
                progress.forget(channel, tag);
            } else if !progress.is_compared(channel) {
                progress.arrive(channel, tag);
            }
        }
        Ok(())
    }

    /// What is lost is not in transit: nobody could have recorded it.
    fn on_drop(&mut self, from: Witness, to: ProcessId, _: &dyn Noted, tag: u64) -> Check {
        if tag > 0 {
            let channel = (from.process, to);
            self.land(channel, tag);
            self.waves.values_mut().for_each(|progress| progress.forget(channel, tag));
        }
        Ok(())
    }

    fn on_indication(&mut self, at: Witness, indication: &Indication<A>) -> Check {
        match indication {
            Indication::Cut(wave) => self.cut(*wave, at),
            Indication::Recorded(part) => self.record(&part.recorded, at),
            _ => Ok(()),
        }
    }

    fn on_other(&mut self, at: Witness, _: Happening<'_>) -> Check {
        self.end_step(at.process)
    }

    fn at_end(&self, _: &End) -> Judgement {
        let early = self.early.keys().next();
        if let Some(Err(violation)) = early.map(|process| self.clone().end_step(*process)) {
            return Judgement::Violated(violation);
        }
        let messages = counted(self.in_transit, "message");
        let channels = counted(self.compared, "channel");
        Judgement::Holds(format!("{messages} in transit on {channels}"))
    }

    fn is_put_to_the_test(&self) -> bool {
        self.in_transit > 0
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
