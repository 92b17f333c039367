//! One process at most says something; all that say something tell the same value.

use super::Name;
use crate::trace::Noted;
use crate::verdict::watch::{Check, Watch};
use crate::verdict::{End, Judgement, Violation, Witness, counted};

/// The monitor of [`Pattern::One`](super::Pattern::One).
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct One {
    says: Name,
    first: Option<Witness>,
}

impl One {
    pub(super) fn new(says: Name) -> Self {
        Self { says, first: None }
    }
}

impl Watch<dyn Noted + '_> for One {
    fn on_indication(&mut self, at: Witness, indication: &(dyn Noted + '_)) -> Check {
        if !self.says.is(indication) {
            return Ok(());
        }
        let first = *self.first.get_or_insert(at);
        if first.process == at.process {
            return Ok(());
        }
        let (one, other, says) = (first.process, at.process, &*self.says);
        Violation::check(format!("{one} and {other} both say {says}"), [first, at])
    }

    fn at_end(&self, end: &End) -> Judgement {
        match self.first {
            Some(first) => Judgement::Holds(format!("said by {} alone", first.process)),
            None => Judgement::not_yet(end, format!("nobody says {}", &*self.says)),
        }
    }

    fn is_put_to_the_test(&self) -> bool {
        self.first.is_some()
    }
}

/// The monitor of [`Pattern::Agree`](super::Pattern::Agree).
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct Agree {
    says: Name,
    /// What was said first, and where.
    first: Option<(Witness, String)>,
    times: u64,
}

impl Agree {
    pub(super) fn new(says: Name) -> Self {
        Self { says, first: None, times: 0 }
    }
}

impl Watch<dyn Noted + '_> for Agree {
    fn on_indication(&mut self, at: Witness, indication: &(dyn Noted + '_)) -> Check {
        if !self.says.is(indication) {
            return Ok(());
        }
        self.times += 1;
        let value = indication.data().to_string();
        let Some((first, said)) = &self.first else {
            self.first = Some((at, value));
            return Ok(());
        };
        if *said == value {
            return Ok(());
        }
        let what = format!("{} says {value}, and {} said {said}", at.process, first.process);
        Violation::check(what, [*first, at])
    }

    fn at_end(&self, end: &End) -> Judgement {
        match &self.first {
            Some((_, said)) => {
                Judgement::Holds(format!("{said}, said {}", counted(self.times, "time")))
            }
            None => Judgement::not_yet(end, format!("nobody says {}", &*self.says)),
        }
    }

    fn is_put_to_the_test(&self) -> bool {
        self.times > 1
    }
}
