use labs::testing::Story;
use labs::verdict::Property;

use super::Indication::{Dropped, Granted, Queued};
use super::*;

fn line() -> Story {
    Story::of(1, Property::safety("first come", FirstComeFirstServed::default()))
}

#[test]
fn a_line_is_served_from_its_front() {
    let two = || line().tells(0, &Queued(1)).tells(0, &Queued(2));
    assert_eq!(two().tells(0, &Granted(1)).tells(0, &Granted(2)).holds(), Some(true));
    let detail = two().tells(0, &Granted(2)).detail();
    assert_eq!(detail, "p2 is served before p1, who came first");
    assert_eq!(line().tells(0, &Granted(2)).holds(), Some(false));
}

#[test]
fn a_client_that_leaves_the_line_is_not_passed_over() {
    let story = line().tells(0, &Queued(1)).tells(0, &Queued(2)).tells(0, &Dropped(1));
    assert_eq!(story.tells(0, &Granted(2)).holds(), Some(true));
}

#[test]
fn a_line_dies_with_its_keeper() {
    let story = line().tells(0, &Queued(1)).dies(0).recovers(0);
    let story = story.tells(0, &Queued(2)).tells(0, &Queued(1)).tells(0, &Granted(2));
    assert_eq!(story.holds(), Some(true));
}
