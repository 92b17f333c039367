use labs::testing::Story;
use labs::verdict::Property;

use super::Indication::{Declined, Entered, Left, Revoked};
use super::*;

fn grants(processes: u32) -> Story {
    Story::of(processes, Property::safety("one grant", OneGrant::new(processes)))
}

#[test]
fn a_revoked_section_is_over_for_a_process_that_hears_of_it() {
    let story = grants(3).tells(1, &Entered(1)).tells(0, &Revoked(1)).passes(0, 2, "GRANT");
    let story = story.tells(2, &Entered(2)).tells(1, &Left(1));
    assert_eq!(story.holds(), Some(true));
    assert_eq!(story.detail(), "2 sections, each by a grant of its own; 1 grant revoked");
}

#[test]
fn entering_before_the_last_section_is_known_to_be_over_is_wrong() {
    let story = grants(3).tells(1, &Entered(1)).passes(0, 2, "GRANT").tells(2, &Entered(2));
    assert_eq!(story.holds(), Some(false));
    let what = "p2 enters section 2, and cannot know that section 1 of p1 is over";
    assert_eq!(story.detail(), what);
}

#[test]
fn a_grant_that_was_not_wanted_is_over() {
    assert_eq!(grants(2).tells(1, &Declined(1)).tells(1, &Entered(2)).holds(), Some(true));
}

#[test]
fn leaving_a_section_of_another_is_a_violation() {
    let story = grants(2).tells(1, &Entered(1)).tells(1, &Left(2));
    assert_eq!(story.detail(), "p1 leaves section 2, and was not in it");
    let story = grants(2).tells(1, &Entered(1)).tells(1, &Left(1)).tells(1, &Left(1));
    assert_eq!(story.holds(), Some(false));
}

fn known_to_be_over() -> Story {
    grants(2).tells(1, &Entered(1)).tells(1, &Left(1)).passes(1, 0, "RELEASE")
}

#[test]
fn revoking_what_is_known_to_be_over_is_a_violation() {
    assert_eq!(known_to_be_over().tells(0, &Revoked(1)).holds(), Some(false));
}

/// What it heard may not have been on its disk when it died.
#[test]
fn a_process_that_died_may_revoke_what_it_knew_to_be_over() {
    let story = known_to_be_over().dies(0).recovers(0);
    assert_eq!(story.tells(0, &Revoked(1)).holds(), Some(true));
}

#[test]
fn tokens_may_leave_numbers_out() {
    let story = grants(3).tells(1, &Entered(2)).tells(1, &Left(2)).passes(1, 0, "RELEASE");
    let story = story.passes(0, 2, "GRANT").tells(2, &Entered(4));
    assert_eq!(story.holds(), Some(true), "{}", story.detail());
}

#[test]
fn an_older_grant_counts_only_if_it_is_not_revoked() {
    let story = grants(3).tells(2, &Entered(2)).tells(1, &Entered(1));
    assert_eq!(story.detail(), "p1 enters section 1, and p2 is in section 2 by a later grant");
    let story = grants(3).tells(0, &Revoked(1)).tells(2, &Entered(2)).tells(1, &Entered(1));
    assert_eq!(story.holds(), Some(true), "that is a matter of mutual exclusion");
}
