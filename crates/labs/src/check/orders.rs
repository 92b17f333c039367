//! Whether a verdict depends on the order of steps that are independent of each other.
//!
//! Of orders that no process can tell apart the search tries one (`reduction`), and that is sound because a property
//! judges by happened-before. A property that sees more, such as who spoke first of two that know nothing of each other,
//! may then hold of the order that is tried, and not of one that is left out. Nobody would notice.
//!
//! So a run that was found goes on for some steps, for somebody may have been silent so far. Then it is told to fresh
//! monitors in other orders of the same steps: as far as causality lets it, each process in turn goes first, and those of
//! greater rank behind it, or those of smaller. If a property is violated in one of them and not in another, the fault
//! is the property's.
//!
//! Left out are runs with a crash: what is on its way to a process that dies is lost at that moment, which messages
//! do not tell. And runs without end.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::counterexample::Counterexample;
use crate::process::Process;
use crate::trace::{MessageId, TraceEvent, What};
use crate::verdict::{End, Property, StreamJudge, Verdict};

/// How many steps a run goes on at the most: each process of a small system acts within them.
const MORE_STEPS: usize = 50;

/// The names of the properties whose verdicts on this run depend on the order of independent steps.
pub(super) fn seen_by<P: Process>(
    properties: &[Property],
    found: &Counterexample<P>,
) -> BTreeSet<String> {
    if found.is_endless() || !properties.iter().any(|property| property.name == found.property) {
        return BTreeSet::new();
    }
    let (events, end) = found.events_and_more(MORE_STEPS);
    if events.iter().any(|event| matches!(event.what, What::Crash(_))) {
        return BTreeSet::new();
    }
    let judge = |events: &[TraceEvent]| violated(properties, events, &end);
    let Some(before) = judge(&events) else { return BTreeSet::new() };
    let processes = events.iter().map(|event| event.process.0 + 1).max().unwrap_or(0);
    let preferences = (0..processes).flat_map(|first| {
        let upwards = move |rank: u32| (rank + processes - first) % processes;
        let downwards = move |rank: u32| (first + processes - rank) % processes;
        [reordered(&events, &upwards), reordered(&events, &downwards)]
    });
    let others = preferences.filter_map(|events| judge(&events));
    others.flat_map(|after| &before ^ &after).collect()
}

/// The names of the properties that these events violate; nothing if they are no run.
fn violated(properties: &[Property], events: &[TraceEvent], end: &End) -> Option<BTreeSet<String>> {
    let processes = events.iter().map(|event| event.process.0 + 1).max()?;
    let mut judge = StreamJudge::new(properties, processes);
    events.iter().try_for_each(|event| judge.observe(event)).ok()?;
    let verdicts = judge.judge().verdicts(end).into_iter().filter(Verdict::is_violated);
    Some(verdicts.map(|verdict| verdict.name).collect())
}

/// One step of a process: what happens to it, and what it does then.
type Step = Vec<TraceEvent>;

/// The same steps in another order that causality allows: of the processes that can act, the one goes first of whose rank
/// `place` makes the smallest number. All processes start before, as they do in every search.
fn reordered(events: &[TraceEvent], place: &dyn Fn(u32) -> u32) -> Vec<TraceEvent> {
    let is_start = |event: &TraceEvent| matches!(event.what, What::Init);
    let steps = steps(events);
    let started = steps.iter().rposition(|step| is_start(&step[0])).map_or(0, |last| last + 1);
    let mut order: Vec<TraceEvent> = steps[..started].concat();
    let mut left: BTreeMap<u32, VecDeque<&Step>> = BTreeMap::new();
    for step in &steps[started..] {
        left.entry(step[0].process.0).or_default().push_back(step);
    }
    let mut sent: BTreeSet<MessageId> = order.iter().filter_map(sending).collect();
    loop {
        let can = |(_, steps): &(&u32, &VecDeque<&Step>)| {
            steps.front().is_some_and(|step| receipt(&step[0]).is_none_or(|id| sent.contains(&id)))
        };
        let able = left.iter().filter(can).map(|(&rank, _)| rank);
        let next = able.min_by_key(|&rank| place(rank));
        let Some(step) = next.and_then(|rank| left.get_mut(&rank)?.pop_front()) else {
            return order;
        };
        sent.extend(step.iter().filter_map(sending));
        order.extend_from_slice(step);
    }
}

fn steps(events: &[TraceEvent]) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for event in events {
        let follows = matches!(event.what, What::Send { .. } | What::Indication(_));
        match steps.last_mut().filter(|step| follows && step[0].process == event.process) {
            Some(step) => step.push(event.clone()),
            None => steps.push(vec![event.clone()]),
        }
    }
    steps
}

fn sending(event: &TraceEvent) -> Option<MessageId> {
    match &event.what {
        What::Send { message, .. } => Some(message.id),
        _ => None,
    }
}

fn receipt(event: &TraceEvent) -> Option<MessageId> {
    match &event.what {
        What::Receive { message, .. } => Some(message.id),
        _ => None,
    }
}
