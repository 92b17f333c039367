//! Snapshots that are wrong, one mistake each: what the properties must notice.
//!
//! All processes make the mistake, so that it shows whoever initiates.

use std::collections::{BTreeMap, BTreeSet};

use labs::process::{Context, Effect, Process, ProcessId};
use labs::snapshot::Wave;
use serde::{Deserialize, Serialize};

use crate::snapshot::{Indication, Message, Request, Snapshot, Timer};
use crate::work::{self, Work};

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
    /// Sends the marker of a channel after the next message on it, instead of before.
    MarkerAfterMessage,
    /// Sends its markers at once, but records its state after what happens next.
    StateRecordedLate,
    /// Records nothing of one channel on which something is in transit.
    ChannelForgotten,
    /// Takes a marker for one of every wave that it is recording: needs --initiators, two or more
    WavesMixed,
    /// Sends messages again after any marker, instead of after all: needs --protocol blocking
    ResumesEarly,
    /// Sends two markers of its second wave on each channel, and none of its first.
    MarkerTwice,
}

/// What some mistakes need to show: options without which the command line refuses them.
///
/// They are added to the option for the mistake, which is the same in all labs.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub struct Needs;

/// The option that names a mistake, and the options that some need.
const OPTION: &str = "broken";
const NEEDS: [(&str, &str); 2] = [("waves-mixed", "initiators"), ("resumes-early", "protocol")];

impl clap::Args for Needs {
    fn augment_args(command: clap::Command) -> clap::Command {
        if command.get_arguments().all(|argument| argument.get_id() != OPTION) {
            return command;
        }
        NEEDS.into_iter().fold(command, |command, (mistake, option)| {
            command.mut_arg(OPTION, |argument| argument.requires_if(mistake, option))
        })
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for Needs {
    fn from_arg_matches(_: &clap::ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self)
    }

    fn update_from_arg_matches(&mut self, _: &clap::ArgMatches) -> Result<(), clap::Error> {
        Ok(())
    }
}

/// A process with a mistake in it.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct BrokenSnapshot {
    snapshot: Snapshot<Work>,
    broken: Broken,
    /// Markers that wait for a message, or for the next marker.
    late: BTreeMap<ProcessId, Vec<Wave>>,
    /// The marker of a wave that is recorded after the next event.
    postponed: Option<(ProcessId, Wave)>,
    /// The waves of which markers are sent already.
    marked: BTreeSet<Wave>,
}

impl BrokenSnapshot {
    /// Puts a mistake into a process.
    pub fn new(snapshot: Snapshot<Work>, broken: Broken) -> Self {
        let (late, postponed, marked) = (BTreeMap::new(), None, BTreeSet::new());
        Self { snapshot, broken, late, postponed, marked }
    }

    /// Lets an event happen, and then what was postponed because of it.
    fn happen(
        &mut self,
        ctx: &mut Context<Self>,
        event: impl FnOnce(&mut Snapshot<Work>, &mut Context<Snapshot<Work>>),
    ) {
        self.properly(ctx, event);
        if let Some((from, wave)) = self.postponed.take() {
            let marker = Message::Marker(wave);
            self.properly(ctx, |snapshot, ctx| snapshot.on_message(ctx, from, marker));
        }
    }

    fn properly(
        &mut self,
        ctx: &mut Context<Self>,
        event: impl FnOnce(&mut Snapshot<Work>, &mut Context<Snapshot<Work>>),
    ) {
        for effect in ctx.inside(|ctx| event(&mut self.snapshot, ctx)) {
            match effect {
                Effect::Send { to, message } => self.send(ctx, to, message),
                Effect::StartTimer { timer, after } => ctx.start_timer(timer, after),
                Effect::StopTimer { timer } => ctx.stop_timer(timer),
                Effect::Indicate(indication) => self.indicate(ctx, indication),
            }
        }
    }

    fn send(&mut self, ctx: &mut Context<Self>, to: ProcessId, message: Message<work::Message>) {
        match (self.broken, &message) {
            (Broken::MarkerAfterMessage, Message::Marker(wave)) => {
                self.late.entry(to).or_default().push(*wave);
            }
            (Broken::MarkerAfterMessage, Message::Application(_)) => {
                ctx.send(to, message);
                for wave in self.late.remove(&to).unwrap_or_default() {
                    ctx.send(to, Message::Marker(wave));
                }
            }
            (Broken::MarkerTwice, Message::Marker(wave)) => {
                // Of the first wave it is kept, and taken for one of the second when that comes.
                let kept = self.late.entry(to).or_default();
                kept.push(*wave);
                match kept.len() {
                    1 => {}
                    2 => {
                        [*wave; 2].into_iter().for_each(|wave| ctx.send(to, Message::Marker(wave)))
                    }
                    _ => ctx.send(to, message),
                }
            }
            (Broken::StateRecordedLate, Message::Marker(wave)) if self.marked.contains(wave) => {}
            _ => ctx.send(to, message),
        }
    }

    fn indicate(&self, ctx: &mut Context<Self>, mut indication: Indication<Work>) {
        // Which markers reach it is told right, and when they do, whatever is made of them.
        if matches!(indication, Indication::Marked(_)) {
            return;
        }
        if let (Broken::ChannelForgotten, Indication::Recorded(recording)) =
            (self.broken, &mut indication)
            && let Some(channel) =
                recording.channels.values_mut().find(|channel| !channel.messages.is_empty())
        {
            channel.messages.clear();
        }
        ctx.indicate(indication);
    }

    /// Takes a marker for one of every wave that still waits for one of this channel.
    fn mark_all(&mut self, ctx: &mut Context<Self>, from: ProcessId) {
        let waiting: Vec<_> = self.snapshot.waiting_for(from).collect();
        for wave in waiting {
            let marker = Message::Marker(wave);
            self.properly(ctx, |snapshot, ctx| snapshot.on_message(ctx, from, marker));
        }
    }

    fn on_marker(&mut self, ctx: &mut Context<Self>, from: ProcessId, wave: Wave) {
        ctx.indicate(Indication::Marked(wave));
        let is_first = self.broken == Broken::StateRecordedLate && self.marked.insert(wave);
        if is_first && self.snapshot.waiting_for(from).all(|open| open != wave) {
            ctx.send_to_others(Message::Marker(wave));
            // What was postponed before must not wait for ever.
            if let Some((from, wave)) = self.postponed.replace((from, wave)) {
                let marker = Message::Marker(wave);
                self.properly(ctx, |snapshot, ctx| snapshot.on_message(ctx, from, marker));
            }
            return;
        }
        let marker = Message::Marker(wave);
        self.happen(ctx, |snapshot, ctx| snapshot.on_message(ctx, from, marker));
        match self.broken {
            Broken::WavesMixed => self.mark_all(ctx, from),
            Broken::ResumesEarly => self.properly(ctx, Snapshot::resume),
            _ => {}
        }
    }
}

impl Process for BrokenSnapshot {
    type Request = Request<<Work as Process>::Request>;
    type Indication = Indication<Work>;
    type Message = Message<work::Message>;
    type Timer = Timer<<Work as Process>::Timer>;

    fn on_init(&mut self, ctx: &mut Context<Self>) {
        self.properly(ctx, Snapshot::on_init);
    }

    fn on_request(&mut self, ctx: &mut Context<Self>, request: Self::Request) {
        self.happen(ctx, |snapshot, ctx| snapshot.on_request(ctx, request));
    }

    fn on_message(&mut self, ctx: &mut Context<Self>, from: ProcessId, message: Self::Message) {
        match message {
            Message::Marker(wave) => self.on_marker(ctx, from, wave),
            message => self.happen(ctx, |snapshot, ctx| snapshot.on_message(ctx, from, message)),
        }
    }

    fn on_timeout(&mut self, ctx: &mut Context<Self>, timer: Self::Timer) {
        self.happen(ctx, |snapshot, ctx| snapshot.on_timeout(ctx, timer));
    }
}
