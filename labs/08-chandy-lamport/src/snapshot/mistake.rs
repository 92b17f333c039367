//! Snapshots that are wrong, one mistake each: what the properties must notice.
//!
//! All processes make the mistake, so that it shows whoever initiates.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use clap::ValueEnum;
use clap::builder::PossibleValue;
use labs::mutant::{self, Needs};
use labs::process::{Context, Effect, Event, EventOf, Process, ProcessId};

use super::{Indication, Message, Part, Snapshot, Worth};
use crate::wave::Wave;

/// The mistakes.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, ValueEnum)]
pub enum Slip {
    /// Sends the marker of a channel after the next message on it, instead of before.
    MarkerAfterMessage,
    /// Sends its markers at once, but records its state after what happens next.
    StateRecordedLate,
    /// Records nothing of one channel on which something is in transit.
    ChannelForgotten,
    /// Takes a marker for one of every wave that it is recording.
    WavesMixed,
    /// Sends messages again after any marker, instead of after all.
    ResumesEarly,
    /// Loses what it held back, instead of sending it when it goes on.
    LosesHeld,
    /// Sends two markers of its second wave on each channel, and none of its first.
    MarkerTwice,
}

/// A mistake that a process makes, and what it remembers meanwhile.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Mistake {
    slip: Slip,
    /// Markers that wait for a message, or for the next marker.
    late: BTreeMap<ProcessId, Vec<Wave>>,
    /// The marker of a wave that is recorded after the next event.
    postponed: Option<(ProcessId, Wave)>,
    /// The waves of which markers are sent already.
    marked: BTreeSet<Wave>,
}

impl From<Slip> for Mistake {
    fn from(slip: Slip) -> Self {
        Self { slip, late: BTreeMap::new(), postponed: None, marked: BTreeSet::new() }
    }
}

/// On the command line a mistake is named by what slips.
impl ValueEnum for Mistake {
    fn value_variants<'a>() -> &'a [Self] {
        static ALL: LazyLock<Vec<Mistake>> =
            LazyLock::new(|| Slip::value_variants().iter().copied().map(Mistake::from).collect());
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        self.slip.to_possible_value()
    }
}

impl<A: Worth> mutant::Mistake<Snapshot<A>> for Mistake {
    fn happen(
        &mut self,
        snapshot: &mut Snapshot<A>,
        ctx: &mut Context<Snapshot<A>>,
        event: EventOf<Snapshot<A>>,
    ) {
        match event {
            Event::Message { from, message: Message::Marker(wave) } => {
                self.on_marker(snapshot, ctx, from, wave);
            }
            event => {
                self.properly(ctx, |ctx| event.happen_to(snapshot, ctx));
                self.catch_up(snapshot, ctx);
            }
        }
    }

    fn needs(&self) -> Needs {
        const TWO: &[&str] = &["--initiators", "0,1"];
        // On one machine messages are so fast that waves do not meet.
        const TWO_SLOW: &[&str] = &["--initiators", "0,1", "--faults", "delay 1ms..20ms"];
        const BLOCKING: &[&str] = &["--protocol", "blocking"];
        const SLOW_BLOCKING: &[&str] = &["--protocol", "blocking", "--faults", "delay 1ms..20ms"];
        const SLOW: &[&str] = &["--faults", "delay 1ms..20ms"];
        const WAVES: &[&str] = &["--waves", "3"];
        match self.slip {
            Slip::WavesMixed => Needs { simulate: TWO, check: TWO, run: TWO_SLOW },
            Slip::ResumesEarly | Slip::LosesHeld => {
                Needs { simulate: BLOCKING, check: BLOCKING, run: SLOW_BLOCKING }
            }
            Slip::MarkerTwice => Needs { simulate: WAVES, check: WAVES, run: WAVES },
            Slip::ChannelForgotten => Needs { run: SLOW, ..Needs::NOTHING },
            Slip::MarkerAfterMessage | Slip::StateRecordedLate => Needs::NOTHING,
        }
    }
}

impl Mistake {
    fn on_marker<A: Worth>(
        &mut self,
        snapshot: &mut Snapshot<A>,
        ctx: &mut Context<Snapshot<A>>,
        from: ProcessId,
        wave: Wave,
    ) {
        ctx.indicate(Indication::Marked(wave));
        if self.slip == Slip::LosesHeld {
            snapshot.held.clear();
        }
        let is_first = self.slip == Slip::StateRecordedLate && self.marked.insert(wave);
        if is_first && !waiting_for(snapshot, from).contains(&wave) {
            ctx.send_to_others(Message::Marker(wave));
            // What was postponed before must not wait for ever.
            let before = self.postponed.replace((from, wave));
            self.mark(snapshot, ctx, before);
            return;
        }
        self.mark(snapshot, ctx, [(from, wave)]);
        self.catch_up(snapshot, ctx);
        match self.slip {
            // It is taken for one of every wave that still waits for one of this channel.
            Slip::WavesMixed => {
                let waves = waiting_for(snapshot, from).into_iter();
                self.mark(snapshot, ctx, waves.map(|wave| (from, wave)));
            }
            Slip::ResumesEarly => self.properly(ctx, |ctx| snapshot.resume(ctx)),
            _ => {}
        }
    }

    /// Lets happen what was postponed.
    fn catch_up<A: Worth>(&mut self, snapshot: &mut Snapshot<A>, ctx: &mut Context<Snapshot<A>>) {
        let postponed = self.postponed.take();
        self.mark(snapshot, ctx, postponed);
    }

    /// Lets markers reach the process.
    fn mark<A: Worth>(
        &mut self,
        snapshot: &mut Snapshot<A>,
        ctx: &mut Context<Snapshot<A>>,
        markers: impl IntoIterator<Item = (ProcessId, Wave)>,
    ) {
        for (from, wave) in markers {
            self.properly(ctx, |ctx| snapshot.on_message(ctx, from, Message::Marker(wave)));
        }
    }

    /// Does what a process asks for, but for the mistake.
    fn properly<A: Worth>(
        &mut self,
        ctx: &mut Context<Snapshot<A>>,
        event: impl FnOnce(&mut Context<Snapshot<A>>),
    ) {
        for effect in ctx.inside(event) {
            match effect {
                Effect::Send { to, message: Message::Marker(wave) } => self.send(ctx, to, wave),
                Effect::Send { to, message } => {
                    let is_late = self.slip == Slip::MarkerAfterMessage
                        && matches!(message, Message::Application(_));
                    ctx.send(to, message);
                    let late = if is_late { self.late.remove(&to) } else { None };
                    for wave in late.into_iter().flatten() {
                        ctx.send(to, Message::Marker(wave));
                    }
                }
                Effect::StartTimer { timer, after } => ctx.start_timer(timer, after),
                Effect::StopTimer { timer } => ctx.stop_timer(timer),
                // Which markers reach it is told right, and when they do, whatever is made of them.
                Effect::Indicate(Indication::Marked(_)) => {}
                Effect::Indicate(Indication::Recorded(Part {
                    recording: Some(mut all), ..
                })) if self.slip == Slip::ChannelForgotten => {
                    all.channels.pop_first();
                    ctx.indicate(Indication::Recorded(all.into()));
                }
                Effect::Indicate(indication) => ctx.indicate(indication),
            }
        }
    }

    /// Sends a marker, at once or not, or not this one.
    fn send<A: Worth>(&mut self, ctx: &mut Context<Snapshot<A>>, to: ProcessId, wave: Wave) {
        let markers = match self.slip {
            Slip::MarkerAfterMessage => {
                self.late.entry(to).or_default().push(wave);
                0
            }
            Slip::MarkerTwice => {
                // Of the first wave it is kept, and taken for one of the second when that comes.
                let kept = self.late.entry(to).or_default();
                kept.push(wave);
                match kept.len() {
                    1 => 0,
                    2 => 2,
                    _ => 1,
                }
            }
            Slip::StateRecordedLate if self.marked.contains(&wave) => 0,
            _ => 1,
        };
        for _ in 0..markers {
            ctx.send(to, Message::Marker(wave));
        }
    }
}

/// The waves that are being recorded and for which the marker of this channel has not arrived.
fn waiting_for<A: Worth>(snapshot: &Snapshot<A>, from: ProcessId) -> Vec<Wave> {
    let waiting = snapshot.recordings.values().filter(|recording| recording.waits_for(from));
    waiting.map(|recording| recording.wave).collect()
}
