use super::*;
use crate::testing::Story;
use crate::verdict::{Property, Verdict};

fn cost(messages: &[(&str, Times)]) -> Cost {
    let messages = messages.iter().map(|&(kind, times)| (kind.to_owned(), times)).collect();
    Cost { messages, ..Cost::default() }
}

fn story(cost: Cost) -> Story {
    Story::of(2, Property::as_predicted(cost))
}

fn two_of_a() -> Story {
    story(cost(&[("A", Times::Exactly(2)), ("C", Times::Exactly(0))]))
}

fn at_the_end(story: &Story) -> Verdict {
    story.verdict(&End::Complete)
}

#[test]
fn a_run_that_costs_what_is_predicted_holds() {
    let story = two_of_a().passes(0, 1, "A").passes(0, 1, "B").passes(1, 0, "A");
    assert_eq!((story.holds(), &*story.detail()), (Some(true), "2 A, 0 C"));
}

#[test]
fn one_message_too_many_is_a_violation_at_once() {
    let story = two_of_a().sends(0, 1, "A").sends(1, 0, "A").sends(1, 0, "A");
    let verdict = story.verdict(&End::CutShort("time-out".to_owned()));
    let detail = "p1 sends p0 one too many: 3 A, predicted 2";
    assert_eq!((verdict.holds(), verdict.detail()), (Some(false), detail));
    assert_eq!(verdict.witnesses().len(), 1);
    assert_eq!(two_of_a().sends(0, 1, "C").holds(), Some(false), "none is predicted");
}

#[test]
fn too_few_messages_are_a_violation_at_the_end() {
    let story = two_of_a().passes(0, 1, "A");
    let verdict = at_the_end(&story);
    assert_eq!((verdict.holds(), verdict.detail()), (Some(false), "1 A, predicted 2"));
    let cut_short = story.verdict(&End::CutShort("time-out".to_owned()));
    assert_eq!(cut_short.holds(), None);
}

#[test]
fn bounds_are_bounds() {
    let within = || story(cost(&[("A", Times::Within(1, 2))]));
    assert_eq!(within().detail(), "0 A, predicted 1 to 2");
    assert_eq!(within().passes(0, 1, "A").holds(), Some(true));
    let three = within().sends(0, 1, "A").sends(0, 1, "A").sends(0, 1, "A");
    assert_eq!(three.holds(), Some(false));
    let at_least = || story(cost(&[("A", Times::AtLeast(1))]));
    assert_eq!(at_least().holds(), Some(false));
    let two = at_least().sends(0, 1, "A").sends(0, 1, "A");
    assert_eq!((two.holds(), &*two.detail()), (Some(true), "at least 1 A"));
}

#[test]
fn nothing_is_predicted_where_something_goes_wrong() {
    let three = |story: Story| story.sends(1, 0, "A").sends(1, 0, "A").sends(1, 0, "A");
    let said = |story: Story| three(story).detail();
    let of = |why: &str| format!("nothing is predicted of such a run ({why})");
    assert_eq!(said(two_of_a().dies(0)), of("p0 died"));
    let lost = two_of_a().sends(0, 1, "B").loses(0, 1, 1, "B");
    assert_eq!(said(lost), of("B from p0 to p1 was lost"));
    let doubled = two_of_a().passes(0, 1, "B").receives(1, 0, 1, "B");
    assert_eq!(said(doubled), of("a message arrived twice"));
    let before = two_of_a().sends(0, 1, "C").dies(0);
    assert_eq!(before.holds(), Some(false), "what was too much before still is");
}

#[test]
fn a_process_that_asks_again_costs_more() {
    let unless = BTreeSet::from(["GaveUp".to_owned()]);
    let story = story(Cost { unless, ..cost(&[("A", Times::Exactly(0))]) });
    assert_eq!(story.clone().says(1, "Went").sends(0, 1, "A").holds(), Some(false));
    let gave_up = story.says(1, "GaveUp").sends(0, 1, "A");
    assert_eq!(gave_up.detail(), "nothing is predicted of such a run (p1: GaveUp)");
}

#[test]
fn only_an_algorithm_that_assumes_order_is_excused_by_overtaking() {
    for in_order in [true, false] {
        let story = story(Cost { in_order, ..cost(&[("A", Times::Exactly(2))]) });
        let story = story.sends(0, 1, "A").sends(0, 1, "A");
        let story = story.receives(1, 0, 2, "A").receives(1, 0, 1, "A").sends(0, 1, "A");
        assert_eq!(story.holds(), Some(in_order));
    }
}

#[test]
fn a_copy_that_is_overtaken_is_still_a_copy() {
    let story = two_of_a().sends(0, 1, "A").passes(0, 1, "A").receives(1, 0, 1, "A");
    let story = story.receives(1, 0, 1, "A").sends(1, 0, "A");
    assert_eq!(story.detail(), "nothing is predicted of such a run (a message arrived twice)");
}

#[test]
fn disturbed_runs_are_equal_whatever_they_cost() {
    let died = |sent: u64| {
        let mut monitor = AsPredicted::new(&cost(&[("A", Times::Exactly(2))]));
        monitor.sent = vec![sent];
        let at = Witness { process: ProcessId(sent as u32), n: 0 };
        monitor.on_other(at, Happening::Crash).unwrap();
        monitor
    };
    assert_eq!(died(0), died(1));
}
