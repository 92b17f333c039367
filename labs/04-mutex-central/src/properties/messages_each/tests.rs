use labs::testing::Story;
use labs::verdict::Property;

use super::Indication::{Asked, Left, Revoked};
use super::*;

fn asked() -> Story {
    let property = Property::safety("3 messages an entry", MessagesEach::default());
    Story::of(2, property).tells(1, &Asked(1)).sends(1, 0, "REQUEST")
}

#[test]
fn an_entry_costs_one_message_of_each_kind() {
    let left = || asked().sends(0, 1, "GRANT").tells(1, &Left(1));
    let right = left().sends(1, 0, "RELEASE");
    assert_eq!((right.holds(), right.detail().as_str()), (Some(true), "1 entry"));
    let story = asked().sends(1, 0, "REQUEST").sends(0, 1, "GRANT").tells(1, &Left(1));
    let detail = story.sends(1, 0, "RELEASE").detail();
    assert_eq!(detail, "an entry of p1 took 2 REQUEST, 1 GRANT, 1 RELEASE");
    assert_eq!(left().tells(1, &Asked(2)).holds(), Some(false));
}

#[test]
fn an_entry_in_trouble_may_cost_more() {
    let story = asked().tells(0, &Revoked(1)).sends(1, 0, "REQUEST").tells(1, &Left(1));
    let detail = story.sends(1, 0, "RELEASE").detail();
    assert_eq!(detail, "0 entries; 1 in trouble, and not counted");
}
