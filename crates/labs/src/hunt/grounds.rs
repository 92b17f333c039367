//! What a hunt may draw for a lab.

use super::Dice;

/// What a hunt may draw for a lab, beside what its assumptions leave open.
#[derive(Clone, Copy, Debug)]
pub struct Grounds {
    /// The lab's own options that are drawn.
    pub dials: &'static [Dial],
    /// The most processes: what goes wrong among many mostly goes wrong among few.
    pub processes_max: u32,
    /// The longest that a message is under way, in milliseconds; on a slow channel twice as long.
    pub latency_max_ms: u32,
    /// The largest share of messages that is lost, in percent, where channels are not assumed to be reliable.
    pub loss_max_percent: u32,
    /// What happens to a process happens before, in milliseconds of virtual time.
    pub horizon_ms: u32,
}

impl Grounds {
    /// What fits most algorithms.
    pub const USUAL: Self = Self {
        dials: &[],
        processes_max: 8,
        latency_max_ms: 200,
        loss_max_percent: 20,
        horizon_ms: 2_000,
    };
}

/// An option of a lab that a hunt draws, with its values, the smallest first.
#[derive(Clone, Copy, Debug)]
pub struct Dial {
    /// As it is typed: `--laps`.
    pub option: &'static str,
    /// What it may be.
    pub values: Values,
}

/// The values of an option.
#[derive(Clone, Copy, Debug)]
pub enum Values {
    /// All whole numbers from the first to the second.
    Numbers(u64, u64),
    /// These.
    Words(&'static [&'static str]),
}

impl Dial {
    /// An option that takes whole numbers.
    pub const fn numbers(option: &'static str, least: u64, greatest: u64) -> Self {
        Self { option, values: Values::Numbers(least, greatest) }
    }

    /// An option that takes these values, the smallest first.
    pub const fn words(option: &'static str, values: &'static [&'static str]) -> Self {
        Self { option, values: Values::Words(values) }
    }

    pub(super) fn drawn(&self, dice: &mut Dice) -> String {
        match self.values {
            Values::Numbers(least, greatest) => dice.between(least, greatest).to_string(),
            Values::Words(words) => dice.one_of(words).copied().unwrap_or_default().to_owned(),
        }
    }

    /// Some smaller values, the smallest first; without a value, the smallest ones.
    pub(super) fn smaller(&self, than: Option<&str>) -> Vec<String> {
        match self.values {
            Values::Numbers(least, greatest) => {
                let than = than.and_then(|value| value.parse().ok()).unwrap_or(greatest + 1);
                let between = [least, least + 1, (least + than) / 2];
                let mut smaller: Vec<u64> = between.into_iter().filter(|&v| v < than).collect();
                smaller.dedup();
                smaller.iter().map(u64::to_string).collect()
            }
            Values::Words(words) => {
                let smaller = words.iter().take_while(|&&word| Some(word) != than);
                smaller.map(|&word| word.to_owned()).collect()
            }
        }
    }
}
