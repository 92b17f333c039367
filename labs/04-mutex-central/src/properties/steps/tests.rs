use std::collections::VecDeque;

use labs::testing::Story;
use labs::verdict::Property;

use super::*;
use crate::book::{Book, Wish};
use crate::messages::Request;
use Indication::{Asked, Entered, Expired, GaveUp, Granted, Left, Queued, Revoked, Stored};

/// A client gives up after one try in vain.
fn steps() -> Story {
    Story::of(3, Property::safety("steps", Steps::new(true, 1)))
}

/// The book in which p1 is inside.
fn stored() -> Indication {
    let inside = Some(Wish { client: ProcessId(1), ask: 1 });
    Stored(Book { inside, line: VecDeque::new(), ..Book::default() })
}

fn asks(story: Story) -> Story {
    story.tells(1, &Asked(1)).passes(1, 0, "REQUEST")
}

#[test]
fn what_is_granted_is_stored_before() {
    let queued = || asks(steps()).tells(0, &Queued(1)).tells(0, &Granted(1));
    assert_eq!(queued().tells(0, &stored()).passes(0, 1, "GRANT").holds(), Some(true));
    assert_eq!(queued().sends(0, 1, "GRANT").detail(), "p0 lets p1 in, and has not stored that");
    assert_eq!(queued().detail(), "p0 changes its line, and does not store that");
    let other = queued().tells(0, &stored()).sends(0, 2, "GRANT");
    assert_eq!(other.detail(), "p0 lets p2 in, and has not stored that");
    // Without stable storage there is nothing to be stored.
    let forgets = Story::of(3, Property::safety("steps", Steps::new(false, 1)));
    let forgets = asks(forgets).tells(0, &Queued(1)).tells(0, &Granted(1));
    assert_eq!(forgets.sends(0, 1, "GRANT").holds(), Some(true));
}

#[test]
fn only_who_asks_again_is_told_to_wait() {
    let waits = || {
        let story = asks(steps()).tells(0, &Queued(1)).tells(0, &Stored(Book::default()));
        story.times_out(1, "Retry")
    };
    assert_eq!(waits().detail(), "p1 does not send RETRY");
    let again = || waits().passes(1, 0, "RETRY").sends(0, 1, "WAIT");
    assert_eq!(again().holds(), Some(true));
    assert_eq!(
        again().sends(0, 1, "WAIT").detail(),
        "p0 tells p1 to wait, which did not ask again"
    );
    let stranger = waits().passes(1, 0, "RETRY").sends(0, 2, "WAIT");
    assert_eq!(stranger.detail(), "p0 tells p2 to wait, which does not stand in the line");
    let own = asks(steps()).tells(0, &stored()).times_out(1, "Retry").passes(1, 0, "RETRY");
    assert_eq!(own.clone().sends(0, 1, "REGRANT").holds(), Some(true));
    let other = own.times_out(2, "Rest").passes(2, 0, "RETRY").sends(0, 2, "REGRANT");
    assert_eq!(other.holds(), Some(false), "it is that of p1");
    let regranted = asks(steps()).passes(2, 0, "RELEASE").sends(0, 1, "REGRANT");
    assert_eq!(regranted.holds(), Some(false));
}

#[test]
fn a_grant_is_revoked_when_its_lease_is_over_or_its_client_lost() {
    let revoked = |story: Story| story.tells(0, &Revoked(1)).tells(0, &Stored(Book::default()));
    assert_eq!(revoked(steps().times_out(0, "Lease")).holds(), Some(true));
    assert_eq!(revoked(steps().is_asked(0, &Request::Lost(ProcessId(1)))).holds(), Some(true));
    let why = "p0 revokes grant 1, and its lease is not over";
    assert_eq!(revoked(steps().passes(2, 0, "RETRY")).holds(), Some(false));
    assert_eq!(revoked(asks(steps())).detail(), why);
}

#[test]
fn a_client_says_each_thing_once() {
    assert_eq!(steps().tells(1, &Asked(1)).detail(), "p1 does not send REQUEST");
    assert_eq!(asks(steps()).sends(1, 0, "REQUEST").holds(), Some(false));
    let left = || steps().tells(1, &Entered(1)).times_out(1, "Work").tells(1, &Left(1));
    assert_eq!(left().detail(), "p1 does not send RELEASE");
    assert_eq!(left().sends(1, 0, "RELEASE").holds(), Some(true));
    let twice = left().sends(1, 0, "RELEASE").sends(1, 0, "RELEASE");
    assert_eq!(twice.detail(), "p1 sends one too many: RELEASE");
    let inside = asks(steps()).tells(0, &Stored(Book::default())).tells(1, &Entered(1));
    assert_eq!(inside.times_out(1, "Retry").holds(), Some(true), "it does not wait");
}

#[test]
fn a_client_gives_up_after_its_tries_and_not_before() {
    let once = || {
        let story = asks(steps()).tells(0, &Queued(1)).tells(0, &Stored(Book::default()));
        story.times_out(1, "Retry").sends(1, 0, "RETRY")
    };
    assert_eq!(once().times_out(1, "Retry").tells(1, &GaveUp).holds(), Some(true));
    let early = once().tells(1, &GaveUp);
    assert_eq!(early.detail(), "p1 gives up after 1 timeout without an answer");
    let told = once().passes(0, 1, "M").times_out(1, "Retry").tells(1, &GaveUp);
    assert_eq!(told.holds(), Some(true), "that was no answer");
}

#[test]
fn a_client_gives_up_when_it_must() {
    let silent = || {
        let story = asks(steps()).tells(0, &Queued(1)).tells(0, &Stored(Book::default()));
        story.times_out(1, "Retry").sends(1, 0, "RETRY").times_out(1, "Retry")
    };
    assert_eq!(silent().detail(), "p1 does not give up after 2 timeouts without an answer");
    assert_eq!(silent().sends(1, 0, "RETRY").holds(), Some(false));
}

#[test]
fn a_section_ends_when_its_work_is_done_or_its_lease_over() {
    let inside = || steps().tells(1, &Entered(1));
    let leaves = |story: Story, how: &Indication| story.tells(1, how).sends(1, 0, "RELEASE");
    let (work, lease) = (|| inside().times_out(1, "Work"), || inside().times_out(1, "Lease"));
    assert_eq!(leaves(work(), &Left(1)).holds(), Some(true));
    assert_eq!(leaves(lease(), &Expired(1)).holds(), Some(true));
    let refused = inside().is_asked(1, &Request::Refused(1));
    assert_eq!(leaves(refused, &Expired(1)).holds(), Some(true));
    assert_eq!(leaves(lease(), &Left(1)).detail(), "p1 says Left, and it is not time");
    assert_eq!(leaves(work(), &Expired(1)).detail(), "p1 says Expired, and it is not time");
    assert_eq!(leaves(inside(), &Left(1)).holds(), Some(false));
    assert_eq!(lease().detail(), "p1 does not say Expired, and it is time");
    let outside = leaves(work(), &Left(1)).times_out(1, "Lease");
    assert_eq!(outside.holds(), Some(true), "it is out already");
}
