use std::time::Duration;

use labs::testing::Story;
use labs::verdict::Property;

use super::*;
use Indication::{Asked, Declined, Entered, GaveUp};

fn asked(ask: u64) -> Story {
    let story = Story::of(2, Property::safety("taking", Taking::default()));
    story.tells(1, &Asked(ask))
}

fn granted(story: Story, ask: u64, token: u64) -> Story {
    story.passes_this(0, 1, &Message::Grant { ask, token, lease: Duration::ZERO })
}

#[test]
fn the_grant_of_its_wish_is_taken() {
    let grant = || granted(asked(1), 1, 1);
    assert_eq!(grant().tells(1, &Entered(1)).holds(), Some(true));
    assert_eq!(grant().detail(), "p1 does not enter by grant 1");
    let other = grant().tells(1, &Entered(2));
    assert_eq!(other.detail(), "p1 enters by grant 2, which it must not");
    assert_eq!(grant().tells(1, &Declined(1)).holds(), Some(false));
    let again = granted(grant().tells(1, &Entered(1)), 1, 1);
    assert_eq!(again.clone().holds(), Some(true), "the same grant came twice");
    assert_eq!(again.tells(1, &Declined(1)).holds(), Some(false));
}

#[test]
fn the_grant_of_an_old_wish_is_declined() {
    let old = || granted(asked(2), 1, 1);
    assert_eq!(old().tells(1, &Declined(1)).holds(), Some(true));
    let what = "p1 does not decline grant 1, and has not the wish any more";
    assert_eq!(old().detail(), what);
    assert_eq!(old().tells(1, &Entered(1)).holds(), Some(false));
    let gone = granted(asked(1).tells(1, &GaveUp), 1, 1);
    assert_eq!(gone.clone().detail(), what);
    assert_eq!(gone.dies(1).holds(), Some(true));
}
