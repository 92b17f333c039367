use labs::testing::Story;
use labs::verdict::Property;

use super::*;
use Indication::{Asked, Expired, GaveUp, Left, Stopped};

fn asked() -> Story {
    Story::of(3, Property::liveness("served", Served::new(Some(2)))).tells(1, &Asked(1))
}

#[test]
fn who_asks_is_served_in_the_end() {
    assert_eq!(asked().detail(), "p1 waits");
    assert_eq!(asked().tells(2, &Asked(1)).detail(), "p1 waits, and 1 process more");
    assert_eq!(asked().tells(1, &Left(1)).detail(), "1 request, each served");
    let undone = asked().tells(1, &Expired(1)).tells(1, &Asked(2));
    assert_eq!(undone.clone().detail(), "p1 waits");
    assert_eq!(undone.tells(1, &Left(2)).holds(), Some(true));
    assert_eq!(asked().dies(1).holds(), Some(true));
    assert_eq!(asked().tells(1, &Stopped).holds(), Some(true));
}

#[test]
fn who_gives_up_was_served_by_nobody_if_the_coordinator_is_dead() {
    let gave_up = || asked().sends(1, 0, "RETRY").tells(1, &GaveUp);
    assert_eq!(gave_up().detail(), "1 request; 1 given up, each other served");
    assert_eq!(gave_up().dies(0).detail(), "p1 waits");
    assert_eq!(gave_up().dies(0).recovers(0).holds(), Some(true));
}

#[test]
fn nobody_gives_up_without_a_reason() {
    let asked_again = || asked().sends(1, 0, "RETRY");
    let unheard = asked_again().receives(0, 1, 2, "RETRY").tells(1, &GaveUp);
    assert_eq!(unheard.detail(), "p1 waits");
    let lost = asked_again().loses(1, 0, 2, "RETRY").tells(1, &GaveUp);
    assert_eq!(lost.holds(), Some(true));
    let doubled = asked().passes(1, 0, "RETRY").receives(0, 1, 2, "RETRY").sends(1, 0, "RETRY");
    assert_eq!(doubled.tells(1, &GaveUp).holds(), Some(true), "the second is under way");
    let late = asked().passes(1, 0, "RETRY").tells(1, &GaveUp).passes(0, 1, "GRANT");
    assert_eq!(late.holds(), Some(true), "the answer came too late");
    assert_eq!(asked().dies(0).recovers(0).tells(1, &GaveUp).holds(), Some(true));
}

#[test]
fn nobody_asks_again_for_ever() {
    let waits = asked().times_out(1, "Retry").times_out(1, "Retry");
    assert_eq!(waits.clone().tells(1, &Left(1)).holds(), Some(true));
    let long = waits.times_out(1, "Retry").tells(1, &Left(1));
    assert_eq!(long.detail(), "p1 waits through 3 timeouts of its own, and may wait 2");
}
