use labs::testing::Story;
use labs::verdict::Property;

use super::Indication::Entered;
use super::*;

fn growing() -> Story {
    Story::of(2, Property::safety("fencing tokens grow", GrowingTokens::new(2)))
}

#[test]
fn tokens_grow_along_happened_before() {
    let story = growing().tells(0, &Entered(1)).passes(0, 1, "X").tells(1, &Entered(2));
    assert_eq!(story.holds(), Some(true));
    let story = growing().tells(0, &Entered(5)).passes(0, 1, "X").tells(1, &Entered(4));
    assert_eq!(story.holds(), Some(false));
    assert_eq!(story.detail(), "p1 enters with token 4 after token 5");
}

/// A section that nobody knows to be over may begin late: its token is stale, and that is what tokens are
/// for.
#[test]
fn a_stale_token_that_is_concurrent_is_no_violation() {
    assert_eq!(growing().tells(0, &Entered(2)).tells(1, &Entered(1)).holds(), Some(true));
}

#[test]
fn no_two_sections_have_one_token() {
    assert_eq!(growing().tells(0, &Entered(1)).tells(1, &Entered(1)).holds(), Some(false));
}
