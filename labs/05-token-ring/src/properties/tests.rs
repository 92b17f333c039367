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

#[test]
fn a_hop_costs_one_message() {
    let property = || Property::safety::<Indication>("hops", OneMessageAHop::default());
    let hops = || Story::of(3, property()).sends(0, 1, "ROLL");
    assert_eq!(hops().passes(0, 1, TOKEN).holds(), Some(true));
    assert_eq!(hops().sends(0, 1, TOKEN).sends(0, 2, TOKEN).holds(), Some(false));
    assert_eq!(hops().sends(0, 1, "ACK").sends(0, 2, TOKEN).holds(), Some(false));
}
