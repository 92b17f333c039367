//! p0 writes mail 0 to p2 and mail 1 to p1, and p1 answers to p2 with mail 2.

use labs::process::ProcessId;
use labs::testing::Story;
use labs::verdict::{End, Property};

use super::*;
use crate::causal_mail::Indication::{Arrived, Read, Wrote};

fn addressees() -> Addressees {
    vec![vec![ProcessId(2)], vec![ProcessId(1)], vec![ProcessId(2)]].into()
}

fn mails(property: Property) -> Story {
    Story::of(3, property).tells(0, &Wrote(0)).tells(0, &Wrote(1))
}

fn causal() -> Story {
    mails(Property::safety("causal", CausalDelivery::new(3, &addressees())))
}

fn held() -> Story {
    mails(Property::safety("held", NotHeld::new(3, &addressees())))
}

fn once() -> Story {
    mails(Property::liveness("once", ReadOnce::new(3, &addressees())))
}

fn holds_if_cut_short(story: &Story) -> Option<bool> {
    story.verdict(&End::CutShort("cut".to_owned())).holds()
}

#[test]
fn an_answer_read_after_what_it_answers_is_in_causal_order() {
    let story = causal().tells(1, &Read(1)).tells(1, &Wrote(2));
    let story = story.tells(2, &Read(0)).tells(2, &Read(2));
    assert_eq!(story.holds(), Some(true));
    assert_eq!(story.detail(), "3 readings, 1 of them after another that happened before it");
}

#[test]
fn an_answer_read_before_what_it_answers_is_a_violation() {
    let story = causal().tells(1, &Read(1)).tells(1, &Wrote(2)).tells(2, &Read(2));
    assert_eq!(story.detail(), "p2 reads mail 2 before mail 0, which happened before it");
    assert_eq!(story.holds(), Some(false));
}

#[test]
fn concurrent_mails_have_no_order() {
    // p1 writes before it reads: its mail has nothing before it.
    let story = causal().tells(1, &Wrote(2)).tells(1, &Read(1)).tells(2, &Read(2));
    assert_eq!(story.tells(2, &Read(0)).holds(), Some(true));
}

#[test]
fn what_waits_for_its_past_is_held_with_need() {
    let story = held().tells(1, &Arrived(1)).tells(1, &Read(1)).tells(1, &Wrote(2));
    let story = story.tells(2, &Arrived(2)).sends(2, 0, "ACK");
    let story = story.tells(2, &Arrived(0)).tells(2, &Read(0)).tells(2, &Read(2));
    assert_eq!(story.holds(), Some(true));
}

#[test]
fn what_waits_for_nothing_is_a_violation() {
    let at_the_end = held().tells(2, &Arrived(0));
    assert_eq!(at_the_end.holds(), Some(false));
    assert_eq!(holds_if_cut_short(&at_the_end), None);
    // A message that arrives is the beginning of the next step.
    let later = held().tells(2, &Arrived(0)).passes(0, 2, "HAND").tells(2, &Read(0));
    let detail = later.detail();
    assert_eq!(detail, "p2 holds mail 0 though it has read all that happened before it");
}

#[test]
fn every_mail_is_read_once_by_those_it_is_for() {
    let almost = once().tells(2, &Read(0)).tells(1, &Read(1));
    assert_eq!(almost.detail(), "p2 did not read mail 2");
    assert_eq!(holds_if_cut_short(&almost), None);
    assert_eq!(almost.tells(2, &Read(2)).holds(), Some(true));
    assert_eq!(once().tells(2, &Read(0)).tells(2, &Read(0)).holds(), Some(false));
    assert_eq!(once().tells(0, &Read(1)).holds(), Some(false));
}

/// What stands in a file may name mails that are not there.
#[test]
fn mails_that_do_not_exist_are_not_judged() {
    let stray = |story: Story| story.tells(1, &Read(99)).tells(1, &Wrote(u32::MAX));
    assert_eq!(stray(causal()).holds(), Some(true));
    assert_eq!(stray(held().tells(2, &Arrived(u32::MAX))).holds(), Some(true));
    assert_eq!(stray(once()).detail(), "p2 did not read mail 0, and 2 readings more missing");
}
