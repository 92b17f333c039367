//! Properties that see the order of independent steps.

use serde::{Deserialize, Serialize};

use crate::check::{Options, Outcome, check};
use crate::process::{Context, Kind, Process, ProcessId};
use crate::verdict::{Check, End, Judgement, Property, Violation, Watch, Witness};

/// Each is asked to speak, and knows nothing of the others; what p0 said p1 is told.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct Speaker;

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
enum Speak {
    Please,
}

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
enum Told {
    Spoke,
}

impl Process for Speaker {
    type Request = Speak;
    type Indication = Told;
    type Message = Speak;
    type Timer = ();

    fn on_request(&mut self, ctx: &mut Context<Self>, _: Speak) {
        ctx.indicate(Told::Spoke);
        if ctx.me().0 == 0 {
            ctx.send(ProcessId(1), Speak::Please);
        }
    }

    fn on_message(&mut self, ctx: &mut Context<Self>, _: ProcessId, _: Speak) {
        ctx.indicate(Told::Spoke);
    }
}

/// That one process is the first to speak: a matter of the order in which a monitor hears of it.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct First {
    rank: u32,
    has_spoken: bool,
}

impl Watch<Told> for First {
    fn on_indication(&mut self, at: Witness, _: &Told) -> Check {
        self.has_spoken |= at.process.0 == self.rank;
        match self.has_spoken {
            true => Ok(()),
            false => Violation::check(format!("{} was first", at.process), [at]),
        }
    }

    fn at_end(&self, _: &End) -> Judgement {
        Judgement::Holds("in this order".to_owned())
    }
}

fn speaking(properties: &[Property], asked: usize, reduction: bool) -> Outcome<Speaker> {
    let requests = (0..3).map(|rank| vec![Speak::Please; usize::from(rank < asked)]).collect();
    let options = Options { reduction, ..Options::default() };
    check(vec![Speaker; 3], requests, properties, &options, |_| ())
}

fn first(rank: u32) -> Property {
    Property::safety("first", First { rank, has_spoken: false })
}

#[test]
fn a_property_that_sees_the_order_is_named() {
    for (rank, reduction) in [(0, false), (1, false), (2, false), (2, true)] {
        let outcome = speaking(&[first(rank)], 3, reduction);
        assert!(outcome.verdicts[0].is_violated(), "{rank}: {:?}", outcome.verdicts);
        assert_eq!(Vec::from_iter(&outcome.sees_order), ["first"], "{rank}");
    }
}

/// p1 speaks because p0 told it to: no order of these steps has p1 first.
#[test]
fn a_violation_in_every_order_accuses_no_property() {
    let never = Property::never("silence", "Spoke");
    for properties in [vec![first(1)], vec![never]] {
        let outcome = speaking(&properties, 1, false);
        assert!(outcome.verdicts[0].is_violated(), "{:?}", outcome.verdicts);
        assert!(outcome.sees_order.is_empty(), "{:?}", outcome.sees_order);
    }
}
