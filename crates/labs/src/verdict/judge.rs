//! The monitors of one run together, and the count of its messages.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::watch::{Check, Monitor, TagsUnderWay};
use super::{End, Judgement, Misstep, Property, Verdict, Violation, Witness};
use crate::process::ProcessId;
use crate::trace::{Happening, Mishap, Noted};

/// How many monitors of one run can let messages carry a tag. The lab with the most has four; a
/// fixed number keeps a message's tags out of the heap.
pub const TAGS: usize = 4;

/// How many properties a run may be judged by: no lab has half as many, and each looks at each event.
pub const PROPERTIES_MAX: usize = 32;

/// What a message carries on behalf of the monitors.
pub type Tags = [u64; TAGS];

/// Visits the tags of each message under way, with its sender and its receiver.
pub type AllTagsUnderWay<'a> = dyn FnMut(&mut dyn FnMut(ProcessId, ProcessId, &mut Tags)) + 'a;

/// The monitors of one run.
///
/// They are data like a process, so that the checker can make them part of its states.
#[derive(Clone, Debug, Default)]
pub struct Monitors {
    properties: Arc<[Property]>,
    processes: u32,
    watched: Vec<Watched>,
}

/// One monitor, until an event breaks its property.
#[derive(Debug)]
struct Watched {
    monitor: Box<dyn Monitor>,
    /// Its place among the tags of a message, if it uses one.
    tag: Option<usize>,
    /// Whether anything happened that could have broken the property. Not part of what is compared: it is
    /// history, and must not keep states of the checker apart.
    tested: bool,
    violation: Option<Violation>,
}

impl Clone for Watched {
    fn clone(&self) -> Self {
        let Self { monitor, tag, tested, violation } = self;
        let (tag, tested) = (*tag, *tested);
        Self { monitor: monitor.copied(), tag, tested, violation: violation.clone() }
    }
}

/// What a property says does not change during a run.
impl Eq for Monitors {}

impl PartialEq for Monitors {
    fn eq(&self, other: &Self) -> bool {
        let mut both = self.watched.iter().zip(&other.watched);
        self.watched.len() == other.watched.len()
            && both.all(|(one, other)| {
                one.violation == other.violation && one.monitor.is_equal(other.monitor.as_any())
            })
    }
}

impl Hash for Monitors {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        for watched in &self.watched {
            watched.monitor.add_to(hasher);
            watched.violation.is_some().hash(hasher);
        }
    }
}

impl Watched {
    /// Tells the monitor something, unless its property is broken.
    fn tell<T: Default>(
        &mut self,
        what: impl FnOnce(&mut dyn Monitor) -> Result<T, Violation>,
    ) -> T {
        if self.violation.is_some() {
            return T::default();
        }
        let told = what(&mut *self.monitor).unwrap_or_else(|violation| {
            self.violation = Some(violation);
            T::default()
        });
        self.tested = self.tested || self.violation.is_some() || self.monitor.is_put_to_the_test();
        told
    }

    /// The verdict on its property, which is judged so unless an event broke it.
    fn verdict(&self, property: &Property, unbroken: impl FnOnce() -> Judgement) -> Verdict {
        let judgement = match &self.violation {
            Some(violation) => Judgement::Violated(violation.clone()),
            None => unbroken(),
        };
        let tested = self.tested || matches!(judgement, Judgement::Violated(_));
        Verdict { name: property.name.clone(), kind: property.kind, tested, judgement }
    }
}

impl Monitors {
    /// The monitors of these properties before a run of so many processes.
    ///
    /// # Panics
    ///
    /// If they cannot be judged together (see [`check`](Self::check)): a lab demands what it demands at
    /// compile time.
    pub fn new(properties: &[Property], processes: u32) -> Self {
        if let Err(why) = Self::check(properties) {
            panic!("{why}");
        }
        let mut tags = 0..;
        let watched = |property: &Property| {
            let monitor = property.monitor(processes);
            let tag = if monitor.uses_tags() { tags.next() } else { None };
            Watched { monitor, tag, tested: false, violation: None }
        };
        let watched = properties.iter().map(watched).collect();
        Self { properties: properties.into(), processes, watched }
    }

    /// Whether these properties can be judged together.
    ///
    /// # Errors
    ///
    /// Says why not.
    pub fn check(properties: &[Property]) -> Result<(), String> {
        if properties.len() > PROPERTIES_MAX {
            let n = properties.len();
            return Err(format!("{n} properties, and the limit is {PROPERTIES_MAX}"));
        }
        match properties.iter().filter(|property| property.monitor(1).uses_tags()).count() {
            tags if tags > TAGS => {
                Err(format!("{tags} properties want tags, and a message carries {TAGS}"))
            }
            _ => Ok(()),
        }
    }

    /// What is demanded.
    pub fn properties(&self) -> &[Property] {
        &self.properties
    }

    /// A message is sent. Returns what it carries.
    pub fn on_send(&mut self, from: Witness, to: ProcessId, message: &dyn Noted) -> Tags {
        let mut tags = Tags::default();
        // What is sent to nobody is the algorithm's mistake, and no monitor has a place for it.
        if to.0 >= self.processes {
            return tags;
        }
        for watched in &mut self.watched {
            let tag = watched.tell(|monitor| monitor.on_send(from, to, message));
            if let Some(place) = watched.tag {
                tags[place] = tag;
            }
        }
        tags
    }

    /// A message arrives, with what it carried.
    pub fn on_receive(&mut self, from: ProcessId, to: Witness, message: &dyn Noted, tags: Tags) {
        self.each(tags, |monitor, tag| monitor.on_receive(from, to, message, tag));
    }

    /// The network lost a message.
    pub fn on_drop(&mut self, from: Witness, to: ProcessId, message: &dyn Noted, tags: Tags) {
        self.each(tags, |monitor, tag| monitor.on_drop(from, to, message, tag));
    }

    /// The network did something to messages that arrive.
    pub fn on_mishap(&mut self, mishap: Mishap) {
        self.watched.iter_mut().for_each(|watched| watched.monitor.on_mishap(mishap));
    }

    /// Something else happened to a process.
    pub fn on_event(&mut self, at: Witness, happening: Happening<'_>) {
        self.each(Tags::default(), |monitor, _| match happening {
            Happening::Indication(indication) => monitor.on_indication(at, indication),
            other => monitor.on_other(at, other),
        });
    }

    /// The first property that some event broke, with its name.
    pub fn violation(&self) -> Option<(&str, &Violation)> {
        let mut all = self.properties.iter().zip(&self.watched);
        all.find_map(|(property, watched)| {
            Some((property.name.as_str(), watched.violation.as_ref()?))
        })
    }

    /// Of each property, whether anything happened that could have broken it.
    pub fn put_to_the_test(&self) -> impl Iterator<Item = bool> + '_ {
        self.watched.iter().map(|watched| watched.tested)
    }

    /// The verdicts on a run that ended so, in the order of the properties.
    pub fn verdicts(&self, end: &End) -> Vec<Verdict> {
        let judged = |(property, watched): (&Property, &Watched)| {
            watched.verdict(property, || watched.monitor.at_end(end))
        };
        self.properties.iter().zip(&self.watched).map(judged).collect()
    }

    /// The verdicts on a run of which only a part is known: what some event broke is broken, and all else is
    /// unknown for this reason.
    pub fn verdicts_on_part(&self, why: &str) -> Vec<Verdict> {
        let unknown = || Judgement::Unknown(format!("not judged to the end: {why}"));
        let judged =
            |(property, watched): (&Property, &Watched)| watched.verdict(property, unknown);
        self.properties.iter().zip(&self.watched).map(judged).collect()
    }

    /// The same, one by one, in the order of the properties: what each is told is told to it alone.
    pub(crate) fn split(&self) -> Vec<Self> {
        let one = |(property, watched): (&Property, &Watched)| Self {
            properties: [property.clone()].into(),
            processes: self.processes,
            watched: vec![watched.clone()],
        };
        self.properties.iter().zip(&self.watched).map(one).collect()
    }

    /// The monitors that were split, together.
    pub(crate) fn join<'a>(parts: impl Iterator<Item = &'a Self>) -> Self {
        let (mut properties, mut watched, mut processes) = (Vec::new(), Vec::new(), 0);
        for part in parts {
            processes = part.processes;
            properties.extend_from_slice(&part.properties);
            watched.extend_from_slice(&part.watched);
        }
        Self { properties: properties.into(), processes, watched }
    }

    /// What is still owed, and to whom: 0 if all that must happen has happened. See
    /// [`Watch::owes`](super::Watch::owes).
    pub(crate) fn owe(&self) -> u64 {
        self.watched.iter().fold(0, |all, watched| all | watched.monitor.owes())
    }

    /// The monitor of one property alone, as it is now.
    pub(crate) fn alone(&self, property: &str) -> Option<Self> {
        let index = self.properties.iter().position(|own| own.name == property)?;
        Some(Self {
            properties: [self.properties[index].clone()].into(),
            processes: self.processes,
            watched: vec![self.watched[index].clone()],
        })
    }

    /// Whether messages carry a tag for one of them.
    pub(crate) fn uses_tags(&self) -> bool {
        self.watched.iter().any(|watched| watched.tag.is_some())
    }

    /// Makes states equal that differ only in old history: see
    /// [`Watch::forget_history`](super::Watch::forget_history). `tags` visits the tags of each message
    /// under way.
    pub fn forget_history(&mut self, tags: &mut AllTagsUnderWay<'_>) {
        for watched in &mut self.watched {
            let place = watched.tag;
            let visit: &mut TagsUnderWay<'_> = &mut |visitor| {
                if let Some(place) = place {
                    tags(&mut |from, to, tags| visitor(from, to, &mut tags[place]));
                }
            };
            watched.monitor.forget_history(visit);
        }
    }

    fn each(&mut self, tags: Tags, mut tell: impl FnMut(&mut dyn Monitor, u64) -> Check) {
        for watched in &mut self.watched {
            let tag = watched.tag.map_or(0, |place| tags[place]);
            watched.tell(|monitor| tell(monitor, tag));
        }
    }
}

/// Judges a run while it happens: monitors, and the count of its messages by kind.
#[derive(Clone, Debug, Default)]
pub struct Judge {
    monitors: Monitors,
    messages: BTreeMap<String, u64>,
    events: u64,
    /// The first handler that did what none may do.
    misstep: Option<(Witness, Misstep)>,
}

impl Judge {
    /// A judge of these properties, before a run of so many processes.
    pub fn new(properties: &[Property], processes: u32) -> Self {
        Self { monitors: Monitors::new(properties, processes), ..Self::default() }
    }

    /// A message is sent. Returns what it carries.
    pub fn on_send(&mut self, from: Witness, to: ProcessId, message: &dyn Noted) -> Tags {
        self.count(Some(message));
        self.monitors.on_send(from, to, message)
    }

    /// Counts an event, and the message that is sent with it, without judging it.
    pub fn count(&mut self, sent: Option<&dyn Noted>) {
        self.events += 1;
        let Some(kind) = sent.map(Noted::kind) else { return };
        match self.messages.get_mut(&*kind) {
            Some(count) => *count += 1,
            None => {
                self.messages.insert(kind.into_owned(), 1);
            }
        }
    }

    /// A message arrives, with what it carried.
    pub fn on_receive(&mut self, from: ProcessId, to: Witness, message: &dyn Noted, tags: Tags) {
        self.events += 1;
        self.monitors.on_receive(from, to, message, tags);
    }

    /// The network lost a message.
    pub fn on_drop(&mut self, from: Witness, to: ProcessId, message: &dyn Noted, tags: Tags) {
        self.events += 1;
        self.monitors.on_drop(from, to, message, tags);
    }

    /// The network did something to messages that arrive. It is no event.
    pub fn on_mishap(&mut self, mishap: Mishap) {
        self.monitors.on_mishap(mishap);
    }

    /// Something else happened to a process.
    pub fn on_event(&mut self, at: Witness, happening: Happening<'_>) {
        self.events += 1;
        let Happening::Misstep(note) = happening else {
            return self.monitors.on_event(at, happening);
        };
        self.note_misstep(at, note);
        self.monitors.on_event(at, Happening::Crash);
    }

    /// What a handler did that none may do, and at which event.
    pub fn misstep(&self) -> Option<&(Witness, Misstep)> {
        self.misstep.as_ref()
    }

    /// A handler did what none may do, and its process died of it.
    pub fn note_misstep(&mut self, at: Witness, note: &dyn Noted) {
        if self.misstep.is_none() {
            self.misstep = Misstep::from_note(note).map(|misstep| (at, misstep));
        }
    }

    /// How many events were seen.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// How many messages of each kind were sent.
    pub fn messages(&self) -> &BTreeMap<String, u64> {
        &self.messages
    }

    /// The monitor of one property alone, as it is now.
    pub(crate) fn alone(&self, property: &str) -> Option<Monitors> {
        self.monitors.alone(property)
    }

    /// Whether some event broke a property for good.
    pub fn is_violated(&self) -> bool {
        self.monitors.violation().is_some()
    }

    /// Of each property, whether anything happened that could have broken it.
    pub fn put_to_the_test(&self) -> Vec<bool> {
        self.monitors.put_to_the_test().collect()
    }

    /// The verdicts on a run that ended so, in the order of the properties.
    pub fn verdicts(&self, end: &End) -> Vec<Verdict> {
        match &self.misstep {
            None => self.monitors.verdicts(end),
            Some((_, misstep)) => {
                let why = format!("\"{}\" is violated", misstep.wrong.property());
                self.verdicts_on_part(&why)
            }
        }
    }

    /// The verdicts on a run of which only a part is known.
    pub fn verdicts_on_part(&self, why: &str) -> Vec<Verdict> {
        let verdicts = self.monitors.verdicts_on_part(why);
        self.with_misstep(verdicts)
    }

    /// What a handler did wrong is a verdict of its own.
    fn with_misstep(&self, mut verdicts: Vec<Verdict>) -> Vec<Verdict> {
        verdicts.extend(self.misstep.iter().map(|(at, misstep)| misstep.verdict(*at)));
        verdicts
    }
}
