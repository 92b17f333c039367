use labs::testing::Story;
use labs::verdict::Property;

use super::*;

fn token(processes: u32) -> Story {
    Story::of(processes, Property::safety("one token", OneToken::new(processes)))
}

fn made(processes: u32) -> Story {
    token(processes).tells(0, &Indication::Created)
}

#[test]
fn one_token_moves() {
    assert_eq!(made(2).passes(0, 1, TOKEN).sends(1, 0, TOKEN).holds(), Some(true));
}

#[test]
fn a_second_token_is_a_violation() {
    assert_eq!(made(2).tells(1, &Indication::Created).holds(), Some(false));
}

#[test]
fn a_token_sent_twice_is_a_violation() {
    let story = made(3).sends(0, 1, TOKEN).sends(0, 2, TOKEN);
    assert_eq!(story.detail(), "p0 sends p2 a token that it does not hold");
}

#[test]
fn a_lost_token_is_a_violation() {
    assert_eq!(made(2).sends(0, 1, TOKEN).loses(0, 1, 2, TOKEN).holds(), Some(false));
    assert_eq!(made(2).dies(0).holds(), Some(false));
}

#[test]
fn a_token_that_arrives_twice_is_a_violation() {
    assert_eq!(made(2).passes(0, 1, TOKEN).receives(1, 0, 2, TOKEN).holds(), Some(false));
}

#[test]
fn no_token_at_all_is_not_yet_a_violation() {
    assert_eq!(token(2).holds(), Some(false));
    assert_eq!(token(2).verdict(&End::CutShort("time-out".to_owned())).holds(), None);
}

fn hops() -> Story {
    Story::of(3, Property::safety::<Indication>("hops", OneMessageAHop::new(3)))
}

/// Whether two tokens go round must not depend on which of them is told first.
#[test]
fn a_hop_that_nobody_knows_of_does_not_count() {
    let first = hops().passes(0, 1, TOKEN).sends(2, 0, TOKEN);
    let second = hops().sends(2, 0, TOKEN).sends(0, 1, TOKEN);
    assert_eq!((first.holds(), second.holds()), (Some(false), Some(false)));
    let detail = "p2 sends p0 a second TOKEN before the first has made its hop";
    assert_eq!(first.detail(), detail);
    let round = hops().passes(0, 1, TOKEN).passes(1, 2, TOKEN).passes(2, 0, TOKEN);
    assert_eq!(round.holds(), Some(true));
}

#[test]
fn a_hop_costs_one_message() {
    let hops = || hops().sends(0, 1, "ROLL");
    assert_eq!(hops().passes(0, 1, TOKEN).holds(), Some(true));
    assert_eq!(hops().sends(0, 1, TOKEN).sends(0, 2, TOKEN).holds(), Some(false));
    assert_eq!(hops().sends(0, 1, "ACK").sends(0, 2, TOKEN).holds(), Some(false));
}

fn visits() -> Story {
    let story = Story::of(2, Property::safety("visits", Visits::new(2)));
    story.tells(0, &Indication::Created)
}

fn inside() -> Story {
    visits().tells(0, &Indication::Entered)
}

#[test]
fn a_section_is_entered_and_left_with_the_token() {
    let left = inside().tells(0, &Indication::Left).passes(0, 1, TOKEN).passes(1, 0, TOKEN);
    assert_eq!(left.holds(), Some(true));
    let again = left.tells(0, &Indication::Entered).tells(0, &Indication::Left);
    assert_eq!(again.tells(0, &Indication::Finished).holds(), Some(true));
    assert_eq!(visits().passes(0, 1, TOKEN).holds(), Some(true), "nobody must enter");
}

#[test]
fn whoever_enters_or_leaves_out_of_turn_is_named() {
    use Indication::{Entered, Finished, Left};
    assert_eq!(visits().tells(1, &Entered).detail(), "p1 enters without the token");
    let twice = inside().tells(0, &Left).tells(0, &Entered);
    assert_eq!(twice.detail(), "p0 enters twice in one visit of the token");
    let left = inside().tells(0, &Left).tells(0, &Left);
    assert_eq!(left.detail(), "p0 leaves, and is not in its section");
    let passed = inside().sends(0, 1, TOKEN);
    assert_eq!(passed.detail(), "p0 passes the token on in its section");
    assert_eq!(inside().detail(), "p0 does not leave its section");
    assert_eq!(inside().tells(0, &Finished).detail(), "p0 finishes in its section");
    let late = visits().tells(1, &Finished).passes(0, 1, TOKEN);
    assert_eq!(late.detail(), "p1 gets the token, and has finished");
}

#[test]
fn the_roll_is_called_once_and_names_all() {
    let story = || Story::of(2, Property::liveness("roll", RollCall::new(2)));
    let called = |names: &[&str]| {
        let names = names.iter().map(|&name| name.to_owned()).collect();
        story().tells(1, &Indication::RollCall(names))
    };
    assert_eq!(called(&["a/1", "a/2"]).holds(), Some(true));
    assert_eq!(called(&["a/1"]).detail(), "p1 calls 1 names, and there are 2 processes");
    assert_eq!(called(&["a/1", "a/1"]).detail(), "p1 calls a name twice: a/1, a/1");
    let twice = called(&["a/1", "a/2"]).tells(0, &Indication::RollCall(Vec::new()));
    assert_eq!(twice.detail(), "p0 calls the roll, and it was called before");
    assert_eq!(story().detail(), "the roll was not called");
}
