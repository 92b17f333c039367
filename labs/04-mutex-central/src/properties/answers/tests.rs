use labs::testing::Story;
use labs::verdict::Property;

use super::*;
use Indication::{Granted, Over, Queued, Revoked};

const LEASE: Duration = Duration::from_millis(100);

fn answers() -> Story {
    let rules = Rules { is_atomic: true, lease: LEASE, waits_max: Some(2) };
    Story::of(4, Property::safety("answers", Answers::new(rules)))
}

fn asks(story: Story, client: u32, ask: u64) -> Story {
    story.passes_this(client, 0, &Message::Request { ask })
}

fn asks_again(story: Story, client: u32, ask: u64) -> Story {
    story.times_out(client, "Retry").passes_this(client, 0, &Message::Retry { ask })
}

fn is_let_in(story: Story, client: u32, ask: u64, token: u64) -> Story {
    let granted = story.tells(0, &Granted(client));
    granted.sends_this(0, client, &Message::Grant { ask, token, lease: LEASE })
}

/// p1 is inside with grant 1, and p2 stands in the line.
fn one_inside() -> Story {
    let story = is_let_in(asks(answers(), 1, 1).tells(0, &Queued(1)), 1, 1, 1);
    asks(story, 2, 1).tells(0, &Queued(2))
}

fn releases(story: Story) -> Story {
    story.passes_this(1, 0, &Message::Release { token: 1 })
}

fn regrants(story: Story, client: u32, token: u64) -> Story {
    story.sends_this(0, client, &Message::Regrant { ask: 1, token, lease: LEASE })
}

#[test]
fn who_asks_gets_a_place_and_nobody_else() {
    assert_eq!(is_let_in(releases(one_inside()), 2, 1, 2).holds(), Some(true));
    let left_out = asks(one_inside(), 3, 1);
    assert_eq!(left_out.detail(), "p0 does not put p3 in the line, which has a new wish");
    let stranger = one_inside().tells(0, &Queued(3));
    assert_eq!(stranger.detail(), "p0 puts p3 in the line, which did not ask");
    // A request that comes twice is the same one.
    assert_eq!(asks(one_inside(), 2, 1).holds(), Some(true));
}

#[test]
fn a_new_wish_says_that_the_grant_before_is_over() {
    let revoked = one_inside().times_out(0, "Lease").tells(0, &Revoked(1));
    assert_eq!(is_let_in(revoked, 2, 1, 2).holds(), Some(true));
    let anew = || asks(one_inside(), 1, 2).tells(0, &Over(1)).tells(0, &Queued(1));
    assert_eq!(is_let_in(anew(), 2, 1, 2).holds(), Some(true));
    let over = asks_again(one_inside(), 2, 1).tells(0, &Over(1));
    assert_eq!(over.detail(), "p0 takes the grant of p1 for over, which has no new wish");
    let released = asks_again(one_inside().passes_this(1, 0, &Message::Release { token: 7 }), 1, 1);
    assert_eq!(released.detail(), "p0 owes p1 a REGRANT, and does not send it");
}

#[test]
fn a_wish_is_granted_once_unless_that_was_revoked() {
    let again = |story: Story| is_let_in(asks(story, 1, 1).tells(0, &Queued(1)), 1, 1, 2);
    let story = || is_let_in(asks(answers(), 1, 1).tells(0, &Queued(1)), 1, 1, 1);
    assert_eq!(again(releases(story())).detail(), "p0 grants wish 1 of p1 after wish 1");
    let revoked = || story().times_out(0, "Lease").tells(0, &Revoked(1));
    assert_eq!(again(revoked()).holds(), Some(true));
    let unheard = asks_again(revoked(), 1, 1);
    assert_eq!(unheard.detail(), "p0 does not put p1 in the line, which has a new wish");
}

#[test]
fn a_grant_says_whose_it_is_and_for_how_long() {
    let granted = |to: u32, ask: u64, lease: Duration| {
        let story = asks(answers(), 1, 1).tells(0, &Queued(1)).tells(0, &Granted(1));
        story.sends_this(0, to, &Message::Grant { ask, token: 1, lease })
    };
    assert_eq!(granted(1, 1, LEASE).holds(), Some(true));
    assert_eq!(granted(2, 1, LEASE).detail(), "p0 grants wish 1 of p2, which is not the next");
    assert_eq!(granted(1, 2, LEASE).detail(), "p0 grants wish 2 of p1, which is not the next");
    let long = granted(1, 1, 2 * LEASE);
    assert_eq!(long.detail(), "p0 grants for 200ms, and a lease is 100ms");
    let again = |token| regrants(asks_again(one_inside(), 1, 1), 1, token);
    assert_eq!(again(1).holds(), Some(true));
    assert_eq!(
        again(2).detail(),
        "p0 gives p1 grant 2 for wish 1 once more, and that was not given"
    );
}

#[test]
fn a_client_that_asks_again_is_answered() {
    let waits = || asks_again(one_inside(), 2, 1);
    assert_eq!(waits().detail(), "p0 owes p2 a WAIT, and does not send it");
    assert_eq!(waits().sends_this(0, 2, &Message::Wait).holds(), Some(true));
    let inside = asks_again(one_inside(), 1, 1);
    assert_eq!(inside.detail(), "p0 owes p1 a REGRANT, and does not send it");
    let old = asks_again(releases(one_inside()), 1, 1);
    assert_eq!(old.holds(), Some(true), "that wish was fulfilled");
}

#[test]
fn nobody_waits_for_much_longer_than_a_lease() {
    let waits = |story: Story| asks_again(story, 2, 1).sends_this(0, 2, &Message::Wait);
    let twice = || waits(waits(one_inside()));
    assert_eq!(twice().holds(), Some(true));
    let what = "p0 tells p2 to wait 3 times, and the lease of p1 is long over";
    assert_eq!(waits(twice()).detail(), what);
    let doubled = twice().passes_this(2, 0, &Message::Retry { ask: 1 });
    assert_eq!(doubled.sends_this(0, 2, &Message::Wait).holds(), Some(true), "it came twice");
    let anew = regrants(asks_again(twice(), 1, 1), 1, 1);
    assert_eq!(waits(anew).holds(), Some(true), "the lease began anew");
}

#[test]
fn one_that_starts_again_goes_on_where_it_was() {
    let again = || one_inside().dies(0).recovers(0);
    assert_eq!(regrants(again().tells(0, &Queued(2)), 1, 1).holds(), Some(true));
    let forgot = regrants(again(), 1, 1);
    assert_eq!(forgot.detail(), "p0 starts again, and p2 stands in the line no more");
    let silent = again().tells(0, &Queued(2));
    assert_eq!(silent.detail(), "p0 owes p1 a REGRANT, and does not send it");
    let wrong = again().tells(0, &Queued(3));
    assert_eq!(wrong.detail(), "p0 starts again, and has p3 where it did not stand");
    let rules = Rules { is_atomic: false, lease: LEASE, waits_max: None };
    let unknown = Story::of(4, Property::safety("answers", Answers::new(rules)));
    let unknown = asks(unknown, 1, 1).tells(0, &Queued(1)).dies(0).recovers(0);
    assert_eq!(asks(unknown, 2, 1).holds(), Some(true), "nobody knows what it had stored");
}
