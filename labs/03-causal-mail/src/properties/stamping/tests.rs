use std::sync::Arc;

use labs::clocks::SparseMatrix;
use labs::testing::Story;
use labs::verdict::Property;

use super::*;
use crate::ordering::{Envelope, Order};
use Indication::{Read, Wrote};

const ALICE: ProcessId = ProcessId(1);
const BOB: ProcessId = ProcessId(2);
const CAROL: ProcessId = ProcessId(3);

/// Alice writes mail 0 to Carol and mail 1 to Bob, who answers with mail 2 to Carol; and mails 3 and 4 to Bob.
const PLAN: [(ProcessId, ProcessId); 5] =
    [(ALICE, CAROL), (ALICE, BOB), (BOB, CAROL), (ALICE, BOB), (ALICE, BOB)];

/// What a stamp says: so many mails from one to another.
type Said = [(ProcessId, ProcessId, u64)];

fn story(stamps: Stamps) -> Story {
    let to: Vec<_> = PLAN.iter().map(|(_, to)| vec![*to]).collect();
    Story::of(4, Property::safety("stamping", Stamping::new(4, &to.into(), stamps)))
}

fn writes(story: Story, number: u32, said: &Said) -> Story {
    let (from, to) = PLAN[number as usize];
    let mut clock = SparseMatrix::new();
    for (from, to, count) in said {
        clock.learn(from, to, *count);
    }
    let envelope = Envelope { from, to: [to].into(), clock: Arc::new(clock) };
    let mail = Mail { number, order: Order::Causal, envelope };
    let story = story.tells(from.0, &Wrote(number));
    story.sends_this(from.0, 0, &Message::Submit(1, mail))
}

fn two(stamps: Stamps) -> Story {
    writes(writes(story(stamps), 0, &[]), 1, &[(ALICE, CAROL, 1)])
}

#[test]
fn a_full_stamp_says_all_that_happened_before() {
    let answer = |said: &Said| writes(two(Stamps::Full).tells(2, &Read(1)), 2, said);
    assert_eq!(answer(&[(ALICE, CAROL, 1), (ALICE, BOB, 1)]).holds(), Some(true));
    let less = answer(&[(ALICE, CAROL, 1)]);
    assert_eq!(less.detail(), "mail 2 does not say that p1 wrote to p2");
    let more = answer(&[(ALICE, CAROL, 2), (ALICE, BOB, 1)]);
    let what = "mail 2 says that p1 wrote 2 mails to p3, and its writer knew of 1";
    assert_eq!(more.detail(), what);
    let early = writes(two(Stamps::Full), 2, &[(ALICE, CAROL, 1)]);
    assert_eq!(early.holds(), Some(false), "Bob has not read mail 1");
}

#[test]
fn an_incremental_stamp_leaves_out_what_is_known() {
    let third = |said: &Said| writes(two(Stamps::Incremental), 3, said);
    assert_eq!(third(&[]).holds(), Some(true), "Bob knows of mail 0, and of mail 1 from itself");
    assert_eq!(third(&[(ALICE, BOB, 1)]).holds(), Some(true), "that is new since mail 1");
    let known = third(&[(ALICE, CAROL, 1)]);
    let what = "mail 3 says that p1 wrote to p3, which all its readers have heard from its writer";
    assert_eq!(known.detail(), what);
    let first = writes(writes(story(Stamps::Incremental), 0, &[]), 1, &[]);
    assert_eq!(first.detail(), "mail 1 does not say that p1 wrote to p3");
}
