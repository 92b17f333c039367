//! What a lab demands of its runs.

mod general;

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};

use super::pattern::{Cost, Pattern};
use super::watch::{Monitor, OfLab, State, Watch};
use super::{End, Judgement};
use crate::process::Kind;
use crate::trace::Noted;

/// A property that a lab demands of its runs.
///
/// It is one of the general [patterns](Pattern), which stand in the header of a trace as data, so that
/// the file alone can be judged; or a lab's own, with a monitor that stands beside the algorithm.
#[derive(Clone, Debug, Serialize)]
pub struct Property {
    /// Its name. Names are stable: programs look for them in reports.
    pub name: String,
    /// What kind of claim it makes.
    pub kind: PropertyKind,
    /// What it says, if it is general.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<Pattern>,
    /// Its monitor before a run, if it is a lab's own and this is the program of the lab.
    #[serde(skip)]
    own: Option<Arc<dyn Monitor>>,
}

/// What kind of claim a property makes.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PropertyKind {
    /// Something bad never happens.
    Safety,
    /// Something good happens in the end.
    Liveness,
}

impl Property {
    /// A property of the lab's own: something bad never happens. `watch` is its monitor before a run.
    pub fn safety<I: Kind>(name: impl Into<String>, watch: impl Watch<I> + State) -> Self {
        Self::own(name.into(), PropertyKind::Safety, watch)
    }

    /// A property of the lab's own: something good happens in the end. `watch` is its monitor before a
    /// run.
    pub fn liveness<I: Kind>(name: impl Into<String>, watch: impl Watch<I> + State) -> Self {
        Self::own(name.into(), PropertyKind::Liveness, watch)
    }

    fn own<I: Kind>(name: String, kind: PropertyKind, watch: impl Watch<I> + State) -> Self {
        let own: Arc<dyn Monitor> = Arc::new(OfLab::<_, I>::new(watch));
        Self { name, kind, pattern: None, own: Some(own) }
    }

    /// As many messages of each kind are sent as theory predicts. Every lab that predicts something has it:
    /// see [`Lab::demanded`](crate::lab::Lab::demanded).
    pub fn as_predicted(cost: Cost) -> Self {
        let pattern = Pattern::AsPredicted(cost);
        Self::general("messages as predicted", PropertyKind::Safety, pattern)
    }

    /// A general property, under the name that it has in this lab.
    fn general(name: impl Into<String>, kind: PropertyKind, pattern: Pattern) -> Self {
        Self { name: name.into(), kind, pattern: Some(pattern), own: None }
    }

    /// Of a [response](Self::responds): the answer comes before more than so many timers of the process that asked
    /// have run out since. For an algorithm that asks again: a process that does so for ever breaks the property in
    /// a run that has no end. Other properties stay as they are.
    #[must_use]
    pub fn within_timeouts(mut self, timeouts: u32) -> Self {
        if let Some(Pattern::Responds { within_timeouts, .. }) = &mut self.pattern {
            *within_timeouts = Some(timeouts);
        }
        self
    }

    /// Whether only the lab's program can judge it, and this is not that program.
    pub fn is_foreign(&self) -> bool {
        self.pattern.is_none() && self.own.is_none()
    }

    /// Whether it is judged by what messages say.
    pub(crate) fn reads_messages(&self) -> bool {
        self.own.as_ref().is_some_and(|own| own.reads_messages())
    }

    /// Its monitor before a run of so many processes.
    pub(super) fn monitor(&self, processes: u32) -> Box<dyn Monitor> {
        match (&self.pattern, &self.own) {
            (Some(pattern), _) => pattern.monitor(processes),
            (None, Some(own)) => own.copied(),
            (None, None) => Box::new(Foreign),
        }
    }
}

/// Equal properties say the same of the same lab.
impl Eq for Property {}

impl PartialEq for Property {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, self.kind, &self.pattern) == (&other.name, other.kind, &other.pattern)
    }
}

impl<'de> Deserialize<'de> for Property {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Written {
            name: String,
            kind: PropertyKind,
            #[serde(default)]
            pattern: Option<Pattern>,
        }
        let Written { name, kind, pattern } = Written::deserialize(deserializer)?;
        Ok(Self { name, kind, pattern, own: None })
    }
}

/// Stands for the monitor of a property that another program knows.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct Foreign;

impl Watch<dyn Noted + '_> for Foreign {
    fn is_put_to_the_test(&self) -> bool {
        false
    }

    fn at_end(&self, _: &End) -> Judgement {
        Judgement::Unknown("not judged: only the lab's own program knows this property".to_owned())
    }
}
