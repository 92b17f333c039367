//! Each pattern against runs written by hand: one that keeps it, and each way to break it.

use serde::{Deserialize, Serialize};

use super::{
    Cost, End, Judgement, PROPERTIES_MAX, Property, PropertyKind, StreamError, StreamJudge, TAGS,
    Times,
};
use super::{Judge, Verdict, Violation, Watch, Witness};
use crate::process::{Kind, ProcessId};
use crate::testing::Story;
use crate::trace::{Happening, MessageId, MessageNote, Note, Noted, TraceEvent, What};

/// What processes say with a value.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
enum Said {
    Elected(u64),
    Listed(Vec<u64>),
}

fn cut_short() -> End {
    End::CutShort("time-out".to_owned())
}

fn witnesses(verdict: &Verdict) -> Vec<String> {
    verdict.witnesses().iter().map(ToString::to_string).collect()
}

fn mutex(processes: u32) -> Story {
    Story::of(processes, Property::pairwise_ordered("mutual exclusion", "Entered", "Left"))
}

#[test]
fn sections_with_a_message_between_are_in_order() {
    let story = mutex(2).says(0, "Entered").says(0, "Left").passes(0, 1, "TOKEN");
    let story = story.says(1, "Entered").says(1, "Left");
    assert_eq!(story.holds(), Some(true));
    assert_eq!(story.detail(), "2 critical sections, pairwise ordered");
}

#[test]
fn order_passes_through_processes_that_never_enter() {
    let story = mutex(3).says(0, "Entered").says(0, "Left").passes(0, 2, "X").passes(2, 1, "X");
    assert_eq!(story.says(1, "Entered").holds(), Some(true));
}

#[test]
fn sections_with_no_message_between_are_concurrent() {
    let story = mutex(2).says(0, "Entered").says(0, "Left").says(1, "Entered").says(1, "Left");
    let verdict = story.verdict(&End::Complete);
    assert_eq!(verdict.holds(), Some(false));
    assert_eq!(witnesses(&verdict), ["p0#1", "p0#2", "p1#1"]);
}

#[test]
fn a_message_sent_before_the_exit_orders_nothing() {
    let story = mutex(2).says(0, "Entered").sends(0, 1, "X").says(0, "Left");
    let story = story.receives(1, 0, 2, "X").says(1, "Entered");
    assert_eq!(story.holds(), Some(false));
}

#[test]
fn entering_while_another_is_inside_is_a_violation() {
    let story = mutex(2).says(0, "Entered").says(1, "Entered");
    assert_eq!(story.detail(), "p1 enters while p0 is inside");
}

#[test]
fn knowing_an_older_exit_is_not_enough() {
    let story = mutex(3).says(0, "Entered").says(0, "Left").sends(0, 1, "X").sends(0, 2, "X");
    let story = story.receives(1, 0, 3, "X").says(1, "Entered").says(1, "Left");
    let story = story.receives(2, 0, 4, "X").says(2, "Entered");
    assert_eq!(story.holds(), Some(false));
}

#[test]
fn each_enters_as_often_as_it_wants() {
    let entries = |times| {
        Story::of(2, Property::each("every process enters", "Entered", Times::Exactly(times)))
    };
    let both = |story: Story| story.says(0, "Entered").says(1, "Entered");
    assert_eq!(both(entries(1)).holds(), Some(true));
    assert_eq!(both(entries(1)).detail(), "each 1 time");
    assert_eq!(both(entries(2)).holds(), Some(false));
    let short = both(entries(2)).verdict(&End::CutShort("p1 died".to_owned()));
    assert_eq!(short.holds(), None);
    assert_eq!(
        short.detail(),
        "not yet: p0 entered 1 of 2 times, and 1 process more fell short (p1 died)"
    );
    assert_eq!(both(both(entries(1))).verdict(&cut_short()).holds(), Some(false));
    assert_eq!(both(both(entries(1))).detail(), "p0 entered more than 1 time");
}

#[test]
fn more_than_at_least_so_many_times_is_enough() {
    let property = || Property::each("every process learns", "Learned", Times::AtLeast(1));
    let one = || Story::of(2, property()).says(0, "Learned").says(0, "Learned");
    assert_eq!(one().detail(), "p1 learned 0 of 1 time");
    assert_eq!(one().holds(), Some(false));
    assert_eq!(one().verdict(&cut_short()).holds(), None);
    let both = one().says(1, "Learned");
    assert_eq!((both.holds(), &*both.detail()), (Some(true), "each 1 time or more"));
}

#[test]
fn what_is_never_said_is_said_by_nobody() {
    let story = || Story::of(2, Property::never("no alarm", "Alarm"));
    assert_eq!(story().says(0, "Calm").passes(0, 1, "Alarm").holds(), Some(true));
    let broken = story().says(1, "Alarm").verdict(&cut_short());
    assert_eq!((broken.holds(), broken.detail()), (Some(false), "p1 says Alarm"));
    assert_eq!(witnesses(&broken), ["p1#1"]);
}

#[test]
fn what_is_said_between_two_things_is_said_there_alone() {
    let story = || Story::of(2, Property::between("works inside", "Worked", "Entered", "Left"));
    let inside = || story().says(0, "Entered").says(0, "Worked").says(0, "Worked");
    assert_eq!(inside().says(0, "Left").holds(), Some(true));
    assert_eq!(inside().detail(), "said 2 times, each time between them");
    let outside = "p0 says Worked outside of what lies between Entered and Left";
    assert_eq!(story().says(0, "Worked").detail(), outside);
    assert_eq!(inside().says(0, "Left").says(0, "Worked").detail(), outside);
    // Each process has intervals of its own.
    assert_eq!(story().says(0, "Entered").says(1, "Worked").holds(), Some(false));
    // One that entered again is inside again.
    let again = inside().says(0, "Left").says(0, "Entered").says(0, "Worked");
    assert_eq!(again.holds(), Some(true));
    let once = || Story::of(2, Property::between("end", "End", "Begin", "End")).says(0, "Begin");
    assert_eq!(once().says(0, "End").holds(), Some(true));
    let twice = once().says(0, "End").says(0, "End");
    assert_eq!(twice.detail(), "p0 says End without Begin before it");
    assert_eq!(once().says(1, "End").holds(), Some(false));
}

#[test]
fn what_precedes_happened_before() {
    let story = || Story::of(3, Property::precedes("asked first", "Asked", "Granted"));
    let told = || story().says(0, "Asked").passes(0, 1, "X").passes(1, 2, "X");
    assert_eq!(told().says(2, "Granted").holds(), Some(true));
    assert_eq!(told().says(2, "Granted").detail(), "Granted 1 time, each after Asked");
    let broken = story().says(0, "Granted");
    assert_eq!(broken.detail(), "p0 says Granted, and no Asked happened before");
    assert_eq!(broken.holds(), Some(false));
    // It was said earlier in the file, and no chain of messages tells of it.
    assert_eq!(story().says(0, "Asked").says(1, "Granted").holds(), Some(false));
    // The message was sent too early to tell of it.
    let early = story().sends(0, 1, "X").says(0, "Asked").receives(1, 0, 1, "X");
    assert_eq!(early.says(1, "Granted").holds(), Some(false));
}

#[test]
fn a_process_that_asks_and_is_not_served_waits() {
    let property = Property::responds("every request is served", "Asked", "Left");
    let story = Story::of(2, property).says(0, "Asked").says(1, "Asked");
    assert_eq!(story.detail(), "p0 waits, and 1 process more");
    let story = story.says(0, "Left");
    assert_eq!(story.detail(), "p1 waits");
    assert_eq!(story.holds(), Some(false));
    assert_eq!(story.verdict(&cut_short()).holds(), None);
    let served = story.clone().says(1, "Left");
    assert_eq!((served.holds(), &*served.detail()), (Some(true), "2 requests, each served"));
    assert_eq!(story.dies(1).holds(), Some(true));
}

#[test]
fn one_process_alone_says_it() {
    let story = || Story::of(3, Property::one("one leader", "Won"));
    let twice = || story().says(1, "Won").says(1, "Won");
    assert_eq!((twice().holds(), &*twice().detail()), (Some(true), "said by p1 alone"));
    let two = twice().says(2, "Won").verdict(&cut_short());
    assert_eq!((two.holds(), two.detail()), (Some(false), "p1 and p2 both say Won"));
    assert_eq!(witnesses(&two), ["p1#1", "p2#1"]);
    assert_eq!((story().holds(), &*story().detail()), (Some(false), "nobody says Won"));
    assert_eq!(story().verdict(&cut_short()).holds(), None);
}

#[test]
fn those_that_agree_tell_the_same_value() {
    let story = || Story::of(3, Property::agree("all know one leader", "Elected"));
    let one = || story().tells(0, &Said::Elected(7)).tells(1, &Said::Listed(vec![8]));
    let same = || one().tells(1, &Said::Elected(7));
    assert_eq!(same().holds(), Some(true));
    assert_eq!(same().detail(), r#"{"Elected":7}, said 2 times"#);
    let other = one().tells(2, &Said::Elected(8));
    assert_eq!(other.holds(), Some(false));
    assert_eq!(other.detail(), r#"p2 says {"Elected":8}, and p0 said {"Elected":7}"#);
    // Not even one process may change its mind.
    assert_eq!(one().tells(0, &Said::Elected(8)).holds(), Some(false));
    assert_eq!((story().holds(), &*story().detail()), (Some(false), "nobody says Elected"));
    assert_eq!(story().verdict(&cut_short()).holds(), None);
}

/// What a trace keeps of a large value is enough to see that two are equal.
#[test]
fn processes_may_agree_on_a_value_that_was_cut() {
    let large = |last| {
        let mut note = Note::of(&Said::Listed((0..2_000).chain([last]).collect()));
        note.data.cut();
        note
    };
    let story = || Story::of(2, Property::agree("one list", "Listed")).tells(0, &large(1));
    assert_eq!(story().tells(1, &large(1)).holds(), Some(true));
    assert_eq!(story().tells(1, &large(2)).holds(), Some(false));
}

fn ring(hops: &[(u32, u32)]) -> Story {
    let story = Story::of(4, Property::one_ring(&["ROLL"]));
    hops.iter().fold(story, |story, &(from, to)| story.sends(from, to, "ROLL"))
}

#[test]
fn a_ring_is_one_cycle() {
    let circle = ring(&[(3, 2), (2, 1), (1, 0), (0, 3)]);
    assert_eq!((circle.holds(), &*circle.detail()), (Some(true), "4 processes in one cycle"));
    assert_eq!(circle.sends(0, 2, "OTHER").holds(), Some(true));
    let broken = |hops: &[(u32, u32)]| {
        assert_eq!(ring(hops).holds(), Some(false));
        ring(hops).detail()
    };
    assert_eq!(broken(&[(0, 1), (1, 0), (2, 3), (3, 2)]), "p0 is in a cycle of 2 among 4");
    assert_eq!(broken(&[(0, 1), (1, 2)]), "p2 has no successor");
    assert_eq!(broken(&[(0, 1), (0, 2)]), "p0 has two successors, p1 and p2");
    assert_eq!(broken(&[(0, 1), (2, 1)]), "p1 has two predecessors, p0 and p2");
    assert_eq!(ring(&[(0, 1), (1, 2)]).verdict(&cut_short()).holds(), None);
}

#[test]
fn fifo_notices_overtaking() {
    let two = || Story::of(2, Property::fifo()).sends(0, 1, "A").sends(0, 1, "B");
    assert_eq!(two().receives(1, 0, 1, "A").receives(1, 0, 2, "B").holds(), Some(true));
    let overtaken = two().receives(1, 0, 2, "B").receives(1, 0, 1, "A");
    assert_eq!(overtaken.holds(), Some(false));
    assert_eq!(overtaken.detail(), "a later message overtook A on its way from p0 to p1");
    // Losing one is not overtaking, and other channels have an order of their own.
    assert_eq!(two().receives(1, 0, 2, "B").holds(), Some(true));
    assert_eq!(two().passes(1, 0, "C").holds(), Some(true));
}

#[test]
fn exactly_once_notices_loss_and_duplication() {
    let two = || Story::of(2, Property::exactly_once()).sends(0, 1, "A").sends(0, 1, "B");
    let both = || two().receives(1, 0, 2, "B").receives(1, 0, 1, "A");
    assert_eq!(
        (both().holds(), &*both().detail()),
        (Some(true), "2 messages, each delivered once")
    );
    let twice = both().receives(1, 0, 1, "A");
    assert_eq!((twice.holds(), &*twice.detail()), (Some(false), "A from p0 arrived at p1 twice"));
    assert_eq!(two().receives(1, 0, 1, "A").holds(), Some(false));
    let lost = two().receives(1, 0, 1, "A").loses(0, 1, 2, "B");
    assert_eq!((lost.holds(), &*lost.detail()), (Some(false), "B from p0 to p1 was lost"));
    let late = two().receives(1, 0, 1, "A").verdict(&cut_short());
    let detail = "not yet: 1 message did not arrive (time-out)";
    assert_eq!((late.holds(), late.detail()), (None, detail));
}

fn event(process: u32, n: u64, what: What) -> TraceEvent {
    TraceEvent { process: ProcessId(process), n, clock: None, lamport: 0, at_us: 0, what }
}

fn message(kind: &str) -> MessageNote {
    let id = MessageId { process: ProcessId(0), n: 2 };
    MessageNote { id, kind: kind.to_owned(), ..MessageNote::new(id, &Said::Elected(1), 0) }
}

#[test]
fn what_no_run_can_do_is_refused() {
    let mut judge = StreamJudge::new(&[], 2);
    judge.observe(&event(0, 1, What::Init)).unwrap();
    let error = |judge: &mut StreamJudge, e| judge.observe(&e).unwrap_err().to_string();
    let stranger = error(&mut judge, event(2, 1, What::Init));
    assert_eq!(stranger, "p2 is not one of the 2 processes of the run");
    let gap = error(&mut judge, event(0, 3, What::Init));
    assert_eq!(gap, "event 3 of p0 follows its event 1");
    let receive = || What::Receive { peer: ProcessId(0), message: message("A") };
    let drop = What::Drop { peer: ProcessId(1), message: message("A") };
    let unsent = error(&mut judge, event(0, 2, drop));
    assert_eq!(unsent, "p0 receives message 0-2, which was not sent to it before this line");
    judge.observe(&event(0, 2, What::Init)).unwrap();
    let unsent = error(&mut judge, event(1, 1, receive()));
    assert_eq!(unsent, "p1 receives message 0-2, which was not sent to it before this line");
}

#[test]
fn where_nothing_arrives_twice_a_message_that_does_is_one_that_nobody_sent() {
    let properties = [Property::exactly_once()];
    let second = |mut judge: StreamJudge| {
        judge.observe(&event(0, 1, What::Init)).unwrap();
        let send = What::Send { peer: ProcessId(1), message: message("A") };
        judge.observe(&event(0, 2, send)).unwrap();
        let receive = || What::Receive { peer: ProcessId(0), message: message("A") };
        judge.observe(&event(1, 1, receive())).unwrap();
        let second = judge.observe(&event(1, 2, receive()));
        (second, judge.verdicts_at(&End::Complete)[0].holds())
    };
    let judge = || StreamJudge::new(&properties, 2);
    assert_eq!(second(judge()), (Ok(()), Some(false)));
    let (refused, holds) = second(judge().delivering_once());
    assert!(matches!(refused, Err(StreamError::NotSent { .. })), "{refused:?}");
    assert_eq!(holds, Some(true), "of what came before");
}

/// Nobody writes down what a real process took along when it died.
#[test]
fn what_is_on_its_way_to_a_dead_process_is_lost() {
    let story = || Story::of(3, Property::exactly_once()).passes(2, 0, "B").sends(0, 1, "A");
    let verdict = story().dies(1).verdict(&cut_short());
    assert_eq!((verdict.holds(), verdict.detail()), (Some(false), "A from p0 to p1 was lost"));
    assert_eq!(witnesses(&verdict), ["p0#2"]);
    assert_eq!(story().dies(2).verdict(&cut_short()).holds(), None, "it may still arrive");
    assert_eq!(story().verdict(&cut_short()).holds(), None, "nobody died");
    let again = story().dies(1).recovers(1);
    assert_eq!(again.verdict(&cut_short()).holds(), None, "it may still arrive");
    assert_eq!(again.detail(), "A from p0 to p1 was lost");
    assert_eq!(story().dies(0).detail(), "A from p0 to p1 was lost", "it never left");
    assert_eq!(story().receives(1, 0, 2, "A").dies(1).holds(), Some(true));
    let told = story().loses(0, 1, 2, "A").dies(1).detail();
    assert_eq!(told, "A from p0 to p1 was lost", "and not twice");
}

/// A message whose sending is missing comes from a process that is missing from there on.
#[test]
fn what_a_missing_process_sent_is_not_judged() {
    let mut judge = StreamJudge::new(&[Property::fifo(), Property::never("n", "Elected")], 3);
    judge.observe(&event(0, 1, What::Init)).unwrap();
    judge.observe(&event(1, 1, What::Init)).unwrap();
    let receive = What::Receive { peer: ProcessId(0), message: message("A") };
    judge.observe(&event(1, 2, receive)).unwrap();
    let elected = || What::Indication(Note::of(&Said::Elected(1)));
    // p1 may have been told to.
    judge.observe(&event(1, 3, elected())).unwrap();
    let why = "not judged to the end: the trace lacks the events of p0 from its event 2 on";
    let is_unknown = |verdict: &Verdict| verdict.holds().is_none() && verdict.detail() == why;
    assert!(judge.verdicts().iter().all(is_unknown), "{:?}", judge.verdicts());
    assert_eq!(judge.judge().events(), 4, "all are counted");
    // p2 heard of nothing.
    judge.observe(&event(2, 1, elected())).unwrap();
    assert!(judge.verdicts()[1].is_violated());
    let error = judge.observe(&event(0, 2, What::Init)).unwrap_err().to_string();
    assert_eq!(error, "event 2 of p0 stands behind the receipt of what p0 sent then or later");
}

#[test]
fn a_message_that_arrives_as_another_kind_is_refused() {
    let mut judge = StreamJudge::new(&[], 2);
    judge.observe(&event(0, 1, What::Init)).unwrap();
    let send = What::Send { peer: ProcessId(1), message: message("A") };
    judge.observe(&event(0, 2, send)).unwrap();
    let receive = What::Receive { peer: ProcessId(0), message: message("B") };
    let error = judge.observe(&event(1, 1, receive)).unwrap_err().to_string();
    assert_eq!(error, "p1 receives message 0-2 as B, and it was sent as A");
}

#[test]
fn a_pattern_is_data_and_survives_a_file() {
    let all = [
        Property::fifo(),
        Property::exactly_once(),
        Property::never("a", "A"),
        Property::between("b", "B", "After", "Until"),
        Property::precedes("c", "First", "Then"),
        Property::responds("d", "Asked", "Served"),
        Property::each("e", "E", Times::AtLeast(3)),
        Property::one("f", "F"),
        Property::agree("g", "G"),
        Property::pairwise_ordered("h", "Enter", "Exit"),
        Property::one_ring(&["ROLL"]),
        Property::as_predicted(Cost {
            messages: [("KIND".to_owned(), Times::Within(7, 8))].into(),
            unless: ["Retry".to_owned()].into(),
            in_order: true,
        }),
    ];
    let json = serde_json::to_string(&all).unwrap();
    let read: Vec<Property> = serde_json::from_str(&json).unwrap();
    assert_eq!(read, all);
    assert!(read.iter().all(|property| !property.is_foreign()));
    let first = r#"[{"name":"FIFO","kind":"safety","pattern":"fifo"},"#;
    assert!(json.starts_with(first), "{json}");
    let seventh =
        r#"{"name":"e","kind":"liveness","pattern":{"each":{"says":"E","times":{"at_least":3}}}}"#;
    assert!(json.contains(seventh), "{json}");
}

/// A lab's own property: no list is longer than this.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct NoLongList {
    max: usize,
}

impl Watch<Said> for NoLongList {
    fn on_indication(&mut self, at: Witness, said: &Said) -> super::Check {
        match said {
            Said::Listed(list) if list.len() > self.max => {
                Violation::check(format!("{} lists {}", at.process, list.len()), [at])
            }
            _ => Ok(()),
        }
    }

    fn at_end(&self, _: &End) -> Judgement {
        Judgement::Holds("all are short".to_owned())
    }
}

fn no_list_longer_than(max: usize) -> Property {
    Property::safety("no long list", NoLongList { max })
}

#[test]
fn an_own_property_reads_values() {
    let story = || Story::of(1, no_list_longer_than(2));
    assert_eq!(story().tells(0, &Said::Listed(vec![1, 2])).holds(), Some(true));
    let long = story().tells(0, &Said::Listed(vec![1, 2, 3]));
    assert_eq!((long.holds(), &*long.detail()), (Some(false), "p0 lists 3"));
}

/// The run itself reads it whole; a file that people keep does not have it.
#[test]
fn an_own_property_is_unknown_where_a_value_was_cut() {
    let list = Said::Listed((0..2_000).collect());
    let mut judge = Judge::new(&[no_list_longer_than(1_999)], 1);
    let at = Witness { process: ProcessId(0), n: 1 };
    judge.on_event(at, Happening::Indication(&list));
    assert_eq!(judge.verdicts(&End::Complete)[0].detail(), "p0 lists 2000");

    let mut note = Note::of(&list);
    note.data.cut();
    let verdict = Story::of(1, no_list_longer_than(1_999)).tells(0, &note).verdict(&End::Complete);
    assert_eq!(verdict.holds(), None);
    let why = "not judged: 1 time what a process said cannot be read in the trace";
    assert_eq!(verdict.detail(), why);
    // A pattern that looks at kinds alone is not concerned.
    assert_eq!(Story::of(1, Property::one("one", "Listed")).tells(0, &note).holds(), Some(true));
}

/// A lab's own property, which reads messages: each says who is elected.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct AllElect;

impl Watch<Said> for AllElect {
    fn on_receive(
        &mut self,
        _: ProcessId,
        at: Witness,
        message: &dyn Noted,
        _: u64,
    ) -> super::Check {
        match message.get().as_deref() {
            Ok(Said::Elected(_)) => Ok(()),
            _ => Violation::check("a message of another kind", [at]),
        }
    }

    fn at_end(&self, _: &End) -> Judgement {
        Judgement::Holds("all elect".to_owned())
    }
}

/// Neither held nor violated: it saw nothing of what it would judge by.
#[test]
fn an_own_property_is_unknown_where_it_cannot_read_a_message() {
    let story = Story::of(2, Property::safety("all elect", AllElect));
    assert_eq!(story.holds(), Some(true));
    let verdict = story.passes(0, 1, "Elected").verdict(&End::Complete);
    assert_eq!(verdict.holds(), None);
    assert!(
        verdict.detail().contains("it reads what messages or requests say"),
        "{}",
        verdict.detail()
    );
}

/// A lab's own property, which reads requests: each asks for an election.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct AllAsk;

impl Watch<Said> for AllAsk {
    fn on_other(&mut self, at: Witness, happening: Happening<'_>) -> super::Check {
        match happening {
            Happening::Request(said) if !matches!(said.get().as_deref(), Ok(Said::Elected(_))) => {
                Violation::check("a request of another kind", [at])
            }
            _ => Ok(()),
        }
    }

    fn at_end(&self, _: &End) -> Judgement {
        Judgement::Holds("all ask".to_owned())
    }
}

#[test]
fn an_own_property_is_unknown_where_it_cannot_read_a_request() {
    let at = Witness { process: ProcessId(0), n: 1 };
    let mut cut = Note::of(&Said::Listed((0..2_000).collect()));
    cut.data.cut();
    for (request, holds) in [
        (&Said::Elected(1) as &dyn Noted, Some(true)),
        (&Said::Listed(vec![]), Some(false)),
        (&cut, None),
    ] {
        let mut judge = Judge::new(&[Property::safety("all ask", AllAsk)], 1);
        judge.on_event(at, Happening::Request(request));
        assert_eq!(judge.verdicts(&End::Complete)[0].holds(), holds);
    }
}

#[test]
fn an_own_property_is_foreign_to_other_programs() {
    let own = no_list_longer_than(2);
    assert!(!own.is_foreign());
    let json = serde_json::to_string(&own).unwrap();
    assert_eq!(json, r#"{"name":"no long list","kind":"safety"}"#);
    let read: Property = serde_json::from_str(&json).unwrap();
    assert!(read.is_foreign());
    assert_eq!((read.kind, &read), (PropertyKind::Safety, &own));
    let verdict = Story::of(1, read).verdict(&End::Complete);
    let why = "not judged: only the lab's own program knows this property";
    assert_eq!((verdict.holds(), verdict.detail()), (None, why));
}

#[test]
fn more_properties_than_can_be_judged_are_refused() {
    let many = vec![Property::one("one", "Won"); PROPERTIES_MAX + 1];
    let error = super::Monitors::check(&many).unwrap_err();
    assert_eq!(error, "33 properties, and the limit is 32");
    let tagged = vec![Property::fifo(); TAGS + 1];
    let error = super::Monitors::check(&tagged).unwrap_err();
    let (wanted, carried) = (TAGS + 1, TAGS);
    assert_eq!(error, format!("{wanted} properties want tags, and a message carries {carried}"));
    assert_eq!(super::Monitors::check(&many[..PROPERTIES_MAX]), Ok(()));
}

#[test]
fn a_verdict_stands_in_reports_as_published() {
    let one = |judgement| Verdict::tested("x", PropertyKind::Safety, judgement);
    let at = Witness { process: ProcessId(1), n: 3 };
    let cases = [
        (
            one(Judgement::Holds("so".to_owned())),
            r#"{"name":"x","kind":"safety","holds":true,"tested":true,"detail":"so"}"#,
        ),
        (
            one(Judgement::Unknown("why".to_owned())),
            r#"{"name":"x","kind":"safety","holds":null,"tested":true,"detail":"why"}"#,
        ),
        (
            one(Judgement::Violated(Violation::new("bad", [at]))),
            concat!(
                r#"{"name":"x","kind":"safety","holds":false,"tested":true,"detail":"bad","#,
                r#""witnesses":[{"process":1,"n":3}]}"#
            ),
        ),
    ];
    for (verdict, json) in cases {
        assert_eq!(serde_json::to_string(&verdict).unwrap(), json);
        assert_eq!(serde_json::from_str::<Verdict>(json).unwrap(), verdict);
    }
}

/// A run that is judged by one property, with whether it puts the property to the test.
fn tested(story: Story) -> bool {
    let verdict = story.verdict(&cut_short());
    let says_never = verdict.said().starts_with("never put to the test: ");
    assert_eq!(says_never, !verdict.tested && verdict.holds().is_some());
    verdict.tested
}

#[test]
fn one_section_is_no_test_of_mutual_exclusion() {
    let one = || mutex(2).says(0, "Entered").says(0, "Left").passes(0, 1, "TOKEN");
    assert!(!tested(mutex(2)) && !tested(one()));
    assert!(tested(one().says(1, "Entered")));
}

#[test]
fn one_message_on_a_channel_is_no_test_of_fifo() {
    let fifo = || Story::of(3, Property::fifo());
    assert!(!tested(fifo().passes(0, 1, "A").passes(0, 2, "B").passes(1, 0, "C")));
    assert!(!tested(fifo().sends(0, 1, "A").loses(0, 1, 1, "A").passes(0, 1, "B")));
    let two = fifo().passes(0, 1, "A").passes(0, 1, "B");
    assert!(tested(two.clone()));
    assert_eq!(two.detail(), "1 channel, each in the order of sending");
}

#[test]
fn a_request_that_was_served_was_a_test() {
    let serves = || Story::of(1, Property::responds("every request is served", "Asked", "Served"));
    assert!(!tested(serves().says(0, "Served")));
    assert!(tested(serves().says(0, "Asked").says(0, "Served")));
}

#[test]
fn a_message_that_arrived_was_a_test_of_its_delivery() {
    assert!(!tested(Story::of(2, Property::exactly_once())));
    assert!(tested(Story::of(2, Property::exactly_once()).passes(0, 1, "A")));
}

#[test]
fn what_nobody_says_tests_no_pattern() {
    let patterns = [
        Property::never("x", "Said"),
        Property::between("x", "Said", "Open", "Shut"),
        Property::precedes("x", "Open", "Said"),
        Property::each("x", "Said", Times::AtLeast(0)),
        Property::one("x", "Said"),
        Property::agree("x", "Said"),
        Property::one_ring(&["ROLL"]),
        Property::as_predicted(Cost {
            messages: [("ROLL".to_owned(), Times::Exactly(2))].into(),
            ..Cost::default()
        }),
    ];
    for property in patterns {
        let story = Story::of(2, property.clone()).passes(0, 1, "OTHER");
        assert!(!tested(story.clone()), "{property:?}");
        let story = story.says(0, "Open").says(0, "Said").says(0, "Said");
        assert!(tested(story.passes(0, 1, "ROLL")), "{property:?}");
    }
}

#[test]
fn what_was_a_test_is_no_part_of_a_state() {
    let monitors = || super::Monitors::new(&[Property::responds("x", "Asked", "Served")], 1);
    let said = |kind: &'static str| Note { kind: kind.into(), ..Note::default() };
    let mut asked = monitors();
    for kind in ["Asked", "Served"] {
        asked.on_event(Witness { process: ProcessId(0), n: 1 }, Happening::Indication(&said(kind)));
    }
    asked.forget_history(&mut |_| {});
    assert!(asked.put_to_the_test().all(|tested| tested));
    assert_eq!(asked, monitors());
}

/// Each counts its own timers, from its asking to its being served.
#[test]
fn a_process_that_waits_through_too_many_timeouts_is_not_served() {
    let asked = || {
        let property = Property::responds("served", "Asked", "Left").within_timeouts(2);
        Story::of(2, property).times_out(0, "T").says(0, "Asked").times_out(0, "T")
    };
    let cut_short = End::CutShort("time-out".to_owned());
    assert_eq!(asked().times_out(0, "T").verdict(&cut_short).holds(), None);
    let late = asked().times_out(0, "T").times_out(0, "T").verdict(&cut_short);
    assert_eq!(late.detail(), "p0 waits through 3 timeouts of its own, and may wait 2");
    assert_eq!(late.witnesses().len(), 2);
    let other = asked().times_out(1, "T").times_out(1, "T");
    assert_eq!(other.verdict(&cut_short).holds(), None, "those of another do not count");
    let again = asked().says(0, "Left").says(0, "Asked").times_out(0, "T").times_out(0, "T");
    assert_eq!(again.says(0, "Left").holds(), Some(true));
    let dead = asked().dies(0).verdict(&End::Complete);
    assert_eq!(dead.holds(), Some(true));
}
