//! The verdicts on many runs as one list.

use super::{Judgement, Verdict};

/// Of each property, in how many runs it held, or the first run in which it did not.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    runs: u64,
    verdicts: Vec<Verdict>,
}

impl Tally {
    /// Counts the verdicts on a run. `run` says which it was: `with 5 processes and the seed 7`.
    ///
    /// All runs are judged by the same properties, in the same order.
    pub fn count(&mut self, run: &str, verdicts: Vec<Verdict>) {
        self.runs += 1;
        if self.verdicts.is_empty() {
            self.verdicts.clone_from(&verdicts);
        }
        for (all, one) in self.verdicts.iter_mut().zip(verdicts) {
            let tested = one.tested;
            let first_to_fail = one.holds() != Some(true) && all.holds() == Some(true);
            if first_to_fail || self.runs == 1 {
                all.judgement = one.judgement.map(|detail| format!("{run}: {detail}"));
            }
            all.tested |= tested;
            if let Judgement::Holds(detail) = &mut all.judgement {
                *detail = match self.runs {
                    1 => "in the one run".to_owned(),
                    runs => format!("in all {runs} runs"),
                };
            }
        }
    }

    /// What became of each property.
    pub fn into_verdicts(self) -> Vec<Verdict> {
        self.verdicts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::PropertyKind;

    fn verdict(judgement: Judgement) -> Vec<Verdict> {
        vec![Verdict::tested("p", PropertyKind::Safety, judgement)]
    }

    #[test]
    fn one_run_that_tests_a_property_is_enough() {
        let fine = |tested| {
            let mut verdicts = verdict(Judgement::Holds("fine".to_owned()));
            verdicts[0].tested = tested;
            verdicts
        };
        let mut tally = Tally::default();
        tally.count("run 1", fine(false));
        assert!(!tally.clone().into_verdicts()[0].tested);
        tally.count("run 2", fine(true));
        tally.count("run 3", fine(false));
        assert!(tally.into_verdicts()[0].tested);
    }

    #[test]
    fn the_first_run_that_fails_is_named() {
        let fine = || verdict(Judgement::Holds("fine".to_owned()));
        let mut tally = Tally::default();
        tally.count("run 1", fine());
        tally.count("run 2", fine());
        assert_eq!(tally.clone().into_verdicts()[0].detail(), "in all 2 runs");
        tally.count("run 3", verdict(Judgement::violated("lost")));
        tally.count("run 4", verdict(Judgement::violated("lost again")));
        tally.count("run 5", fine());
        let all = tally.into_verdicts().remove(0);
        assert_eq!((all.holds(), all.detail()), (Some(false), "run 3: lost"));
    }
}
