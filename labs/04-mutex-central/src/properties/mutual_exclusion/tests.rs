use labs::testing::Story;
use labs::verdict::Property;

use super::Indication::{Entered, Left, Revoked};
use super::*;

fn sections(processes: u32) -> Story {
    Story::of(processes, Property::safety("exclusion", MutualExclusion::new(processes)))
}

/// p1 has left its section, and its RELEASE has the number 3 among its events.
fn left() -> Story {
    sections(3).tells(1, &Entered(1)).tells(1, &Left(1)).sends(1, 0, RELEASE)
}

#[test]
fn sections_with_a_chain_between_them_are_apart() {
    let story = left().receives(0, 1, 3, RELEASE).passes(0, 2, "GRANT").tells(2, &Entered(2));
    assert_eq!(story.holds(), Some(true));
    assert_eq!(story.detail(), "2 critical sections, pairwise ordered");
    // By how much tokens grow does not matter.
    let story = left().receives(0, 1, 3, RELEASE).passes(0, 2, "GRANT").tells(2, &Entered(7));
    assert_eq!(story.holds(), Some(true));
}

#[test]
fn sections_without_a_chain_overlap() {
    let story = left().passes(0, 2, "GRANT").tells(2, &Entered(2));
    assert!(
        story.detail().starts_with("the sections of p1 and p2 are concurrent"),
        "{}",
        story.detail()
    );
    let inside = sections(3).tells(1, &Entered(1)).passes(0, 2, "GRANT").tells(2, &Entered(2));
    assert_eq!(inside.detail(), "p2 enters while p1 is inside");
}

/// p1 sleeps in its section, and p2 enters twice.
#[test]
fn a_revoked_section_is_not_forgiven_and_all_pairs_count() {
    let story = sections(3).tells(1, &Entered(1)).tells(0, &Revoked(1)).passes(0, 2, "GRANT");
    let story = story.tells(2, &Entered(2)).tells(2, &Left(2)).passes(2, 0, RELEASE);
    let story = story.passes(0, 2, "GRANT").tells(2, &Entered(3)).tells(1, &Left(1));
    assert_eq!(story.holds(), Some(false));
    let what = "2 pairs of sections overlap under happened-before, and their leases were revoked: that of p1#1 and \
                that of p2#2; that of p1#1 and that of p2#6; what keeps them apart is fencing";
    assert_eq!(story.detail(), what);
}

/// RELEASE is under way for so long that the lease is over before.
#[test]
fn a_late_release_leaves_sections_unordered() {
    let story = left().tells(0, &Revoked(1)).passes(0, 2, "GRANT").tells(2, &Entered(2));
    assert_eq!(story.holds(), Some(false));
    assert!(story.detail().starts_with("1 pair of sections overlap"), "{}", story.detail());
}

#[test]
fn a_lost_release_and_a_death_are_no_overlap() {
    let next = |story: Story| {
        let story = story.tells(0, &Revoked(1)).passes(0, 2, "GRANT").tells(2, &Entered(2));
        (story.holds(), story.detail())
    };
    let apart = (Some(true), "2 critical sections, pairwise ordered".to_owned());
    assert_eq!(next(left().loses(1, 0, 3, RELEASE)), apart);
    assert_eq!(next(sections(3).tells(1, &Entered(1)).dies(1)), apart);
    // What was lost was no RELEASE: it is still inside.
    let inside = sections(3).tells(1, &Entered(1)).sends(1, 0, "RETRY").loses(1, 0, 2, "RETRY");
    assert_eq!(next(inside).0, Some(false));
}

#[test]
fn leaving_a_section_of_another_is_a_violation() {
    let story = sections(2).tells(1, &Entered(1)).tells(1, &Left(2));
    assert_eq!(story.detail(), "p1 leaves the section of token 2, and was not in it");
    let story = sections(2).tells(1, &Entered(1)).tells(1, &Left(1)).tells(1, &Left(1));
    assert_eq!(story.holds(), Some(false));
}

/// In a real run it is known at the end only that the coordinator was down when RELEASE came.
#[test]
fn a_release_that_is_found_to_be_lost_is_no_overlap_either() {
    let next = || left().tells(0, &Revoked(1)).passes(0, 2, "GRANT").tells(2, &Entered(2));
    assert_eq!(next().holds(), Some(false));
    assert_eq!(next().loses(1, 0, 3, RELEASE).holds(), Some(true));
    // It was inside when the other began.
    let inside = sections(3).tells(1, &Entered(1)).tells(0, &Revoked(1)).passes(0, 2, "GRANT");
    let inside = inside.tells(2, &Entered(2)).tells(1, &Left(1)).sends(1, 0, RELEASE);
    assert_eq!(inside.loses(1, 0, 3, RELEASE).holds(), Some(false));
}

/// However many sections there are, a process that slept since the first is noticed.
#[test]
fn what_is_known_goes_on_for_more_sections_than_there_are_bits() {
    let mut story = sections(3);
    for token in 1..100 {
        let (one, two) = (1 + token as u32 % 2, 2 - token as u32 % 2);
        story = story.tells(one, &Entered(token)).tells(one, &Left(token)).passes(one, 0, RELEASE);
        story = story.passes(0, two, "GRANT");
    }
    assert_eq!(story.clone().tells(1, &Entered(100)).holds(), Some(true));
    assert_eq!(story.tells(0, &Entered(100)).holds(), Some(true));
    let mut asleep = sections(3).tells(2, &Entered(1)).tells(0, &Revoked(1));
    for token in 2..102 {
        asleep = asleep.tells(1, &Entered(token)).tells(1, &Left(token));
    }
    assert!(asleep.detail().contains("and 97 more"), "{}", asleep.detail());
}
