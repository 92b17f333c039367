//! p0 writes mail 0 to p2 and mail 1 to p1, and p1 answers to p2 with mail 2.

use labs::process::ProcessId;
use labs::testing::Story;
use labs::verdict::{End, Property};

use super::*;
use crate::causal_mail::Indication::{Arrived, Finished, Read, Wrote};
use crate::correspondence::Planned;

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

/// p0 writes mail 0 to p2 and mail 1 to p1, and p1 answers to p2 with mail 2.
fn plan() -> Vec<Planned> {
    let planned = |from, to, after| {
        let (from, to) = (ProcessId(from), [ProcessId(to)].into());
        Planned { from, to, after }
    };
    vec![planned(0, 2, None), planned(0, 1, None), planned(1, 2, Some(1))]
}

fn in_turn() -> Story {
    Story::of(3, Property::safety("in turn", InTurn::new(3, &plan())))
}

#[test]
fn a_mail_is_written_arrives_and_is_read() {
    let both = in_turn().tells(0, &Wrote(0)).tells(0, &Wrote(1));
    let read = both.tells(1, &Arrived(1)).tells(1, &Read(1)).tells(1, &Wrote(2));
    assert_eq!(read.holds(), Some(true));
    assert_eq!(in_turn().detail(), "p0 does not write mail 0");
    assert_eq!(holds_if_cut_short(&in_turn()), None);
}

#[test]
fn whatever_is_out_of_turn_is_named() {
    let written = || in_turn().tells(0, &Wrote(0));
    let all = [
        (in_turn().tells(1, &Wrote(0)), "p1 writes mail 0, which is p0's to write"),
        (written().tells(0, &Wrote(0)), "p0 writes mail 0 twice"),
        (
            written().tells(1, &Wrote(2)),
            "p1 writes mail 2 before it has read mail 1, which it answers",
        ),
        (written().tells(1, &Arrived(0)), "mail 0 arrives with p1, and is not for it"),
        (in_turn().tells(2, &Arrived(0)), "mail 0 arrives with p2, and nobody wrote it"),
        (written().tells(2, &Arrived(0)).tells(2, &Arrived(0)), "mail 0 arrives with p2 twice"),
        (written().tells(2, &Read(0)), "p2 reads mail 0, which has not arrived with it"),
        (
            written().tells(1, &Finished).passes(1, 2, "ACK").sends(1, 2, "HAND"),
            "p1 has finished, and sends p2 a HAND",
        ),
        (
            written().tells(2, &Finished).tells(2, &Arrived(0)),
            "p2 has finished, and goes on with mail 0",
        ),
    ];
    for (story, what) in all {
        assert_eq!((story.holds(), &*story.detail()), (Some(false), what));
    }
}

#[test]
fn mails_of_one_writer_are_read_in_its_order() {
    let to = vec![vec![ProcessId(1)]; 3].into();
    let story = || {
        let story = Story::of(3, Property::safety("in order", InOrderOfWriting::new(3, &to)));
        story.tells(0, &Wrote(1)).tells(0, &Wrote(0)).tells(2, &Wrote(2))
    };
    let read =
        |mails: &[u32]| mails.iter().fold(story(), |story, &mail| story.tells(1, &Read(mail)));
    assert_eq!(
        read(&[1, 2, 0]).holds(),
        Some(true),
        "as they were written, not as they are numbered"
    );
    assert_eq!(read(&[0, 2]).holds(), Some(true), "the other is not read yet");
    let late = read(&[0, 1]);
    assert_eq!(late.detail(), "p1 reads mail 1 of p0 after a later one of it");
}
