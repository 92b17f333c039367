use serde::{Deserialize, Serialize};

use super::*;
use crate::process::Kind;
use crate::testing::FileInMemory;
use crate::trace::format::Reader;
use crate::trace::{Identity, Meaning};
use crate::verdict::{Check, End, Judgement, Property, StreamJudge, Violation, Watch};

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
enum Said {
    Listed(Vec<u32>),
}

/// No list has a number twice: a property that must read the values.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
struct NoRepetition {
    numbers: usize,
}

impl Watch<Said> for NoRepetition {
    fn on_indication(&mut self, at: Witness, Said::Listed(list): &Said) -> Check {
        self.numbers += list.len();
        match list.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Violation::check(format!("{} is there twice", pair[0]), [at]),
            None => Ok(()),
        }
    }

    fn at_end(&self, _: &End) -> Judgement {
        Judgement::Holds(format!("{} numbers", self.numbers))
    }
}

fn properties() -> [Property; 2] {
    [
        Property::safety::<Said>("no repetition", NoRepetition::default()),
        Property::one("one lists", "Listed"),
    ]
}

/// What the run itself says of a list, and what is said of the file that it wrote.
fn live_and_from_file(list: Vec<u32>) -> [[(Option<bool>, String); 2]; 2] {
    let identity = Identity {
        lab: "lists".to_owned(),
        verb: "simulate".to_owned(),
        run: "test".to_owned(),
        processes: 1,
        seed: 0,
    };
    let header = Header::new(identity, Vec::new(), properties().to_vec(), Meaning::default());
    let file = FileInMemory::default();
    let judge = Judge::new(&properties(), 1);
    let mut recorder = Recorder::writing(&header, judge, Box::new(file.clone())).unwrap();
    let said = Said::Listed(list);
    recorder.on_happening(0, ProcessId(0), Happening::Indication(&said));
    let live = recorder.finish().unwrap();
    let bytes = file.take();
    let mut judge = StreamJudge::new(&properties(), 1);
    for event in Reader::new(bytes.as_slice()).unwrap() {
        judge.observe(&event.unwrap()).unwrap();
    }
    [&live, judge.judge()].map(|judge| {
        let verdicts = judge.verdicts(&End::Complete).into_iter();
        let said = verdicts.map(|v| (v.holds(), v.detail().to_owned()));
        said.collect::<Vec<_>>().try_into().unwrap()
    })
}

#[test]
fn a_file_is_judged_as_the_run_was() {
    let [live, from_file] = live_and_from_file((0..100).collect());
    assert_eq!(live, from_file);
    assert_eq!(live[0], (Some(true), "100 numbers".to_owned()));
    let [live, from_file] = live_and_from_file(vec![1, 2, 2]);
    assert_eq!(live, from_file);
    assert_eq!(live[0], (Some(false), "2 is there twice".to_owned()));
}

#[test]
fn a_value_that_a_file_cuts_is_judged_whole_by_the_run() {
    let [live, from_file] = live_and_from_file((0..5_000).collect());
    assert_eq!(live[0], (Some(true), "5000 numbers".to_owned()));
    let why = "not judged: 1 time what a process said cannot be read in the trace";
    assert_eq!(from_file[0], (None, why.to_owned()));
    // What looks at kinds alone is judged from the file too.
    assert_eq!((&live[1], live[1].0), (&from_file[1], Some(true)));
}
