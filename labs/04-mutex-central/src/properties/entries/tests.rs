use labs::testing::Story;
use labs::verdict::Property;

use super::*;
use crate::messages::Request;
use Indication::{Entered, Expired, Finished, GaveUp, Left};

fn twice() -> Story {
    Story::of(2, Property::liveness("entries", Entries::new(2, 2)))
}

fn section(story: Story, token: u64) -> Story {
    story.tells(1, &Entered(token)).tells(1, &Left(token))
}

#[test]
fn as_many_entries_as_are_wanted() {
    let two = || section(section(twice(), 1), 2);
    assert_eq!(two().tells(1, &Finished).holds(), Some(true));
    assert_eq!(two().detail(), "p1 has not finished");
    assert_eq!(section(twice(), 1).detail(), "p1 has 1 section to go");
    let early = section(twice(), 1).tells(1, &Finished);
    assert_eq!(early.detail(), "p1 finishes with 1 section to go");
    assert_eq!(section(two(), 3).detail(), "p1 has entered more often than it wanted");
    let expired = twice().tells(1, &Entered(1)).tells(1, &Expired(1));
    assert_eq!(section(section(expired, 2), 3).tells(1, &Finished).holds(), Some(true));
}

#[test]
fn a_client_that_is_gone_owes_nothing() {
    assert_eq!(twice().dies(1).holds(), Some(true));
    assert_eq!(twice().tells(1, &GaveUp).tells(1, &Finished).holds(), Some(true));
    assert_eq!(twice().tells(1, &GaveUp).detail(), "p1 has not finished");
}

#[test]
fn a_refused_section_is_wanted_once_more() {
    let two = || section(section(twice(), 1), 2);
    let refused = || two().is_asked(1, &Request::Refused(2));
    assert_eq!(refused().detail(), "p1 has 1 section to go");
    assert_eq!(section(refused(), 3).tells(1, &Finished).holds(), Some(true));
}
