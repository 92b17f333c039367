use labs::testing::Story;
use labs::verdict::Property;

use super::Indication::{Counted, Elected, Numbered, Won};
use super::*;

#[test]
fn one_leader_is_one_process_and_one_name_for_it() {
    let story = || Story::of(3, Property::safety("one leader", OneLeader::default()));
    let led = || story().tells(1, &Won(7)).tells(1, &Elected(7)).tells(0, &Elected(7));
    assert_eq!((led().holds(), led().detail().as_str()), (Some(true), "p1 with identity 7"));
    assert_eq!(led().tells(2, &Won(7)).holds(), Some(false));
    assert_eq!(led().tells(1, &Won(7)).detail(), "p1 says twice that it leads");
    assert_eq!(led().tells(2, &Elected(8)).holds(), Some(false));
    assert_eq!(story().tells(1, &Won(7)).tells(0, &Elected(8)).holds(), Some(false));
    assert_eq!(story().holds(), Some(false));
    let late = story().verdict(&End::CutShort("time-out".to_owned()));
    assert_eq!((late.holds(), late.detail()), (None, "not yet: nobody leads (time-out)"));
}

#[test]
fn the_right_leader_is_the_process_with_the_identity() {
    let story = |elect| {
        let initiators = [(5, ProcessId(2)), (7, ProcessId(1)), (6, ProcessId(0))];
        Story::of(3, Property::safety("it leads", RightLeader::new(elect, initiators.into_iter())))
    };
    let greatest = || story(Elect::Max);
    assert_eq!(greatest().tells(1, &Won(7)).holds(), Some(true));
    assert_eq!(greatest().tells(1, &Won(6)).holds(), Some(false));
    assert_eq!(greatest().tells(0, &Won(7)).holds(), Some(false));
    assert_eq!(greatest().tells(1, &Won(7)).tells(0, &Won(7)).holds(), Some(false));
    assert_eq!(greatest().holds(), Some(false));
    assert_eq!(story(Elect::Min).tells(2, &Won(5)).holds(), Some(true));
    let detail = story(Elect::Min).tells(1, &Won(7)).detail();
    assert_eq!(detail, "p1 leads with identity 7, and p2 has 5, the smallest of all initiators");
}

#[test]
fn ranks_follow_the_message_that_carries_them() {
    let story = || Story::of(2, Property::safety("ranks", Ranks::new(2))).tells(1, &Numbered(0));
    let passed = || story().passes(1, 0, NUMBER);
    assert_eq!(passed().tells(0, &Numbered(1)).holds(), Some(true));
    assert_eq!(story().detail(), "p0 has no rank");
    let gap = "p0 takes rank 2, and p1 in front of it has rank 0";
    assert_eq!(passed().tells(0, &Numbered(2)).detail(), gap);
    let twice = passed().tells(1, &Numbered(1)).detail();
    assert_eq!(twice, "p1 takes rank 1, and has 0 already");
    let both = story().tells(0, &Numbered(0)).detail();
    assert_eq!(both, "p0 begins with rank 0, and p1 began");
    assert_eq!(passed().tells(0, &Numbered(u64::MAX)).holds(), Some(false));
}

#[test]
fn a_count_is_true_or_not() {
    let story = || Story::of(3, Property::safety("the count is N", TrueCount::new(3)));
    assert_eq!(story().tells(0, &Counted(3)).holds(), Some(true));
    assert_eq!(story().tells(0, &Counted(5)).holds(), Some(false));
    let twice = story().tells(0, &Counted(3)).tells(1, &Counted(3));
    assert_eq!(twice.detail(), "p1 counts, and p0 counted before");
    assert_eq!(story().holds(), Some(false));
}

#[test]
fn all_know_the_leader_before_the_first_rank() {
    let story =
        || Story::of(2, Property::safety("known", KnownFirst::new(2))).tells(1, &Elected(7));
    let round = || story().passes(1, 0, "ELECTED").tells(0, &Elected(7)).passes(0, 1, "ELECTED");
    assert_eq!(round().tells(1, &Numbered(0)).holds(), Some(true));
    let early = story().passes(1, 0, "ELECTED").tells(0, &Elected(7)).tells(1, &Numbered(0));
    let said = "p1 takes rank 0, and has heard of 0 of 2 that know the leader";
    assert_eq!(early.detail(), said, "that p0 was observed first makes no difference");
    assert_eq!(round().tells(0, &Numbered(1)).holds(), Some(false), "p0 has not heard of itself");
    assert_eq!(story().holds(), Some(false));
}
