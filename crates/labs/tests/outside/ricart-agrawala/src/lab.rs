//! What is demanded of the algorithm, and what it costs.

use labs::faults::Assumption;
use labs::lab::{Lab, Place, Predictions, World, exactly};
use labs::verdict::{Property, Times};
use serde::{Deserialize, Serialize};

use crate::properties::EarlierFirst;
use crate::ricart_agrawala::{Mistake, RicartAgrawala};

#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct RicartAgrawalaLab {
    processes: u32,
    entries: u32,
}

#[derive(clap::Args)]
pub struct Options {
    /// How many times each process enters its critical section
    #[arg(long, value_name = "K", default_value_t = 1)]
    entries: u32,
}

impl Lab for RicartAgrawalaLab {
    const NAME: &'static str = "ricart-agrawala";
    const ABOUT: &'static str = "Mutual exclusion by permission";
    const ASSUMES: &'static [Assumption] =
        &[Assumption::Reliable, Assumption::NoDuplicates, Assumption::NoCrash];

    type Options = Options;
    type Process = RicartAgrawala;
    type Mistake = Mistake;

    fn plan(Options { entries }: Options, world: &World) -> Result<Self, String> {
        Ok(Self { processes: world.processes::<Self>(None)?, entries })
    }

    fn processes(&self) -> u32 {
        self.processes
    }

    fn process(&self, _: &Place) -> RicartAgrawala {
        RicartAgrawala::new(self.entries)
    }

    fn properties(&self) -> Vec<Property> {
        let entries = Times::Exactly(self.entries.into());
        vec![
            Property::pairwise_ordered("mutual exclusion", "Entered", "Left"),
            Property::safety("earlier requests come first", EarlierFirst::default()),
            Property::responds("every request is served", "Asked", "Entered"),
            Property::each("every process enters K times", "Entered", entries),
            Property::exactly_once(),
        ]
    }

    fn predicted(&self) -> Predictions {
        exactly([("ASK", self.questions()), ("AGREE", self.questions())])
    }

    fn timeouts(&self) -> u32 {
        self.entries
    }
}

impl RicartAgrawalaLab {
    /// Each process asks each other one before each of its sections.
    fn questions(&self) -> u64 {
        let n = u64::from(self.processes);
        n * (n - 1) * u64::from(self.entries)
    }
}
