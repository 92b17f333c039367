//! What watches a run for one property.
//!
//! A *monitor* is a small automaton. It is told the events of a run in any order that respects
//! causality, and says which is the first that breaks its property. It is data like a process, so that
//! the checker can make it part of its states.

use std::any::Any;
use std::borrow::Cow;
use std::cell::Cell;
use std::fmt::Debug;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

use super::{End, Judgement, Violation, Witness, counted};
use crate::process::{Kind, ProcessId};
use crate::trace::{Data, Happening, Mishap, Noted};

/// Whether an event leaves a property unbroken.
pub type Check = Result<(), Violation>;

/// Watches a run whose indications are of type `I`: a lab's own, or `dyn Noted` for any lab's.
///
/// The first event that breaks the property is the last that a monitor is told.
pub trait Watch<I: ?Sized> {
    /// A message is sent. Returns its *tag*: what the receiver shall know of the sender.
    ///
    /// # Errors
    ///
    /// If that breaks the property; so do the others.
    fn on_send(
        &mut self,
        from: Witness,
        to: ProcessId,
        message: &dyn Noted,
    ) -> Result<u64, Violation> {
        let _ = (from, to, message);
        Ok(0)
    }

    /// A message arrives, with its tag.
    fn on_receive(&mut self, from: ProcessId, to: Witness, message: &dyn Noted, tag: u64) -> Check {
        let _ = (from, to, message, tag);
        Ok(())
    }

    /// The network lost a message.
    fn on_drop(&mut self, from: Witness, to: ProcessId, message: &dyn Noted, tag: u64) -> Check {
        let _ = (from, to, message, tag);
        Ok(())
    }

    /// The network did something to messages that arrive. Told before anything that comes of it.
    fn on_mishap(&mut self, mishap: Mishap) {
        let _ = mishap;
    }

    /// A process told its application something.
    fn on_indication(&mut self, at: Witness, indication: &I) -> Check {
        let _ = (at, indication);
        Ok(())
    }

    /// Whether the monitor makes anything of indications of this kind. That a trace has cut others does
    /// not keep it from judging.
    fn reads(&self, kind: &str) -> bool {
        let _ = kind;
        true
    }

    /// Whether the monitor reads what messages say. A run without a trace keeps that only if some does.
    fn reads_messages(&self) -> bool {
        false
    }

    /// Something else happened to a process: it started, died, was asked, a timer ran out.
    fn on_other(&mut self, at: Witness, happening: Happening<'_>) -> Check {
        let _ = (at, happening);
        Ok(())
    }

    /// What became of the property at the end of a run, no event having broken it.
    fn at_end(&self, end: &End) -> Judgement;

    /// Whether messages carry a tag for this monitor.
    fn uses_tags(&self) -> bool {
        false
    }

    /// Whether anything happened yet that could have broken the property. The checker says so where
    /// nothing ever does: then the property holds of nothing.
    fn is_put_to_the_test(&self) -> bool {
        true
    }

    /// Makes equal what no longer makes a difference: states of the checker that differ only in old
    /// history become one. `tags` calls its argument with each message under way, as often as it is
    /// called, each time in the same order, which is the same in equal states.
    fn forget_history(&mut self, tags: &mut TagsUnderWay<'_>) {
        let _ = tags;
    }
}

/// Visits the tag of each message under way, with its sender and its receiver.
pub type TagsUnderWay<'a> = dyn FnMut(&mut dyn FnMut(ProcessId, ProcessId, &mut u64)) + 'a;

/// What monitors are made of.
pub trait State: Clone + Debug + Eq + Hash + Send + Sync + 'static {}

impl<T: Clone + Debug + Eq + Hash + Send + Sync + 'static> State for T {}

/// A monitor of any type.
pub(super) trait Monitor: for<'a> Watch<dyn Noted + 'a> + Send + Sync + Debug {
    fn copied(&self) -> Box<dyn Monitor>;
    fn is_equal(&self, other: &dyn Any) -> bool;
    fn add_to(&self, hasher: &mut dyn Hasher);
    fn as_any(&self) -> &dyn Any;
}

impl<T: for<'a> Watch<dyn Noted + 'a> + State> Monitor for T {
    fn copied(&self) -> Box<dyn Monitor> {
        Box::new(self.clone())
    }

    fn is_equal(&self, other: &dyn Any) -> bool {
        other.downcast_ref::<Self>().is_some_and(|other| self == other)
    }

    fn add_to(&self, mut hasher: &mut dyn Hasher) {
        self.hash(&mut hasher);
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A monitor that reads the indications of one lab, told those of any.
#[derive(Debug)]
pub(super) struct OfLab<W, I> {
    watch: W,
    /// How many indications that it would read were cut, or could not be read.
    unreadable: u64,
    /// It wanted to read what a message or a request says, and could not.
    missed: bool,
    indication: PhantomData<fn(&I)>,
}

/// Why a property was not judged that reads messages or requests.
const MISSED: &str =
    "not judged: it reads what messages or requests say, and not all of that was kept";

impl<W, I> OfLab<W, I> {
    pub(super) fn new(watch: W) -> Self {
        Self { watch, unreadable: 0, missed: false, indication: PhantomData }
    }
}

impl<W: Clone, I> Clone for OfLab<W, I> {
    fn clone(&self) -> Self {
        let Self { unreadable, missed, .. } = *self;
        Self { watch: self.watch.clone(), unreadable, missed, indication: PhantomData }
    }
}

impl<W: Eq, I> Eq for OfLab<W, I> {}

impl<W: PartialEq, I> PartialEq for OfLab<W, I> {
    fn eq(&self, other: &Self) -> bool {
        (&self.watch, self.unreadable, self.missed)
            == (&other.watch, other.unreadable, other.missed)
    }
}

impl<W: Hash, I> Hash for OfLab<W, I> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.watch.hash(hasher);
    }
}

/// A message or a request, of which it is seen whether a monitor wants to know in vain what it says.
struct Passing<'a> {
    message: &'a (dyn Noted + 'a),
    missed: Cell<bool>,
}

impl Noted for Passing<'_> {
    fn kind(&self) -> Cow<'_, str> {
        self.message.kind()
    }

    fn text(&self) -> String {
        self.message.text()
    }

    fn data(&self) -> Data {
        self.message.data()
    }

    fn value(&self) -> Option<&dyn Any> {
        self.message.value()
    }

    fn miss(&self) {
        self.missed.set(true);
    }
}

impl<W, I> OfLab<W, I> {
    /// Tells the monitor of a message or a request. One that has missed something is told nothing more: it would judge by a
    /// part of what was said.
    fn pass<T: Default>(
        &mut self,
        message: &dyn Noted,
        tell: impl FnOnce(&mut W, &dyn Noted) -> Result<T, Violation>,
    ) -> Result<T, Violation> {
        if self.is_blind() {
            return Ok(T::default());
        }
        let passing = Passing { message, missed: Cell::new(false) };
        let told = tell(&mut self.watch, &passing);
        self.missed = passing.missed.get();
        if self.missed { Ok(T::default()) } else { told }
    }

    /// Whether it did not see all that it reads.
    fn is_blind(&self) -> bool {
        self.missed || self.unreadable > 0
    }
}

impl<W: Watch<I>, I: Kind> Watch<dyn Noted + '_> for OfLab<W, I> {
    fn on_send(
        &mut self,
        from: Witness,
        to: ProcessId,
        message: &dyn Noted,
    ) -> Result<u64, Violation> {
        self.pass(message, |watch, message| watch.on_send(from, to, message))
    }

    fn on_receive(&mut self, from: ProcessId, to: Witness, message: &dyn Noted, tag: u64) -> Check {
        self.pass(message, |watch, message| watch.on_receive(from, to, message, tag))
    }

    fn on_drop(&mut self, from: Witness, to: ProcessId, message: &dyn Noted, tag: u64) -> Check {
        self.pass(message, |watch, message| watch.on_drop(from, to, message, tag))
    }

    fn on_mishap(&mut self, mishap: Mishap) {
        self.watch.on_mishap(mishap);
    }

    fn on_indication(&mut self, at: Witness, indication: &(dyn Noted + '_)) -> Check {
        if !self.watch.reads(&indication.kind()) {
            return Ok(());
        }
        match indication.get::<I>() {
            Ok(_) if self.is_blind() => Ok(()),
            Ok(indication) => self.watch.on_indication(at, &indication),
            Err(_) => {
                self.unreadable += 1;
                Ok(())
            }
        }
    }

    fn reads_messages(&self) -> bool {
        self.watch.reads_messages()
    }

    fn on_other(&mut self, at: Witness, happening: Happening<'_>) -> Check {
        match happening {
            Happening::Request(request) => {
                let tell =
                    |watch: &mut W, said: &dyn Noted| watch.on_other(at, Happening::Request(said));
                self.pass(request, tell)
            }
            _ if self.is_blind() => Ok(()),
            other => self.watch.on_other(at, other),
        }
    }

    fn at_end(&self, end: &End) -> Judgement {
        match self.unreadable {
            _ if self.missed => Judgement::Unknown(MISSED.to_owned()),
            0 => self.watch.at_end(end),
            times => Judgement::Unknown(format!(
                "not judged: {} what a process said cannot be read in the trace",
                counted(times, "time")
            )),
        }
    }

    fn uses_tags(&self) -> bool {
        self.watch.uses_tags()
    }

    fn is_put_to_the_test(&self) -> bool {
        self.watch.is_put_to_the_test()
    }

    fn forget_history(&mut self, tags: &mut TagsUnderWay<'_>) {
        self.watch.forget_history(tags);
    }
}
