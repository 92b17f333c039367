//! Each monitor against traces written by hand: one that is right, and each way to be wrong.

mod snapshots;

use super::{End, Spec, StreamJudge, Verdict};
use crate::process::ProcessId;
use crate::trace::{MessageId, MessageNote, Note, TraceEvent, What};

/// A run in the making, written event by event.
struct Story {
    judge: StreamJudge,
    n: Vec<u64>,
}

impl Story {
    fn of(processes: u32, spec: Spec) -> Self {
        Self { judge: StreamJudge::new(&[spec], processes), n: vec![0; processes as usize] }
    }

    fn event(mut self, process: u32, what: impl FnOnce(u64) -> What) -> Self {
        let n = &mut self.n[process as usize];
        *n += 1;
        let what = what(*n);
        let process = ProcessId(process);
        let event = TraceEvent { process, n: *n, clock: None, lamport: 0, at_us: 0, what };
        self.judge.observe(&event).unwrap();
        self
    }

    fn says(self, process: u32, kind: &str) -> Self {
        self.event(process, |_| {
            What::Indication(Note { kind: kind.to_owned(), text: String::new() })
        })
    }

    fn tells(self, process: u32, kind: &str, number: u64) -> Self {
        let note = Note { kind: kind.to_owned(), text: format!("{kind}({number})") };
        self.event(process, |_| What::Indication(note))
    }

    fn sends(self, from: u32, to: u32, kind: &str) -> Self {
        let message = |n| message(from, n, kind);
        self.event(from, |n| What::Send { peer: ProcessId(to), message: message(n) })
    }

    /// `to` receives what `from` sent as its `n`-th event.
    fn receives(self, to: u32, from: u32, n: u64, kind: &str) -> Self {
        self.event(to, |_| What::Receive { peer: ProcessId(from), message: message(from, n, kind) })
    }

    fn loses(self, from: u32, to: u32, n: u64, kind: &str) -> Self {
        self.event(from, |_| What::Drop { peer: ProcessId(to), message: message(from, n, kind) })
    }

    fn verdict(&self, end: &End) -> Verdict {
        self.judge.judge().verdicts(end).remove(0)
    }

    fn holds(&self) -> Option<bool> {
        self.verdict(&End::Complete).holds
    }
}

fn message(from: u32, n: u64, kind: &str) -> MessageNote {
    let id = MessageId { process: ProcessId(from), n };
    MessageNote { id, kind: kind.to_owned(), text: String::new(), bytes: 0 }
}

fn mutex(processes: u32) -> Story {
    let (enter, exit) = ("Entered".to_owned(), "Left".to_owned());
    Story::of(processes, Spec::MutualExclusion { enter, exit })
}

#[test]
fn sections_with_a_message_between_are_in_order() {
    let story = mutex(2).says(0, "Entered").says(0, "Left").sends(0, 1, "TOKEN");
    let story = story.receives(1, 0, 3, "TOKEN").says(1, "Entered").says(1, "Left");
    assert_eq!(story.holds(), Some(true));
    assert_eq!(story.verdict(&End::Complete).detail, "2 critical sections, pairwise ordered");
}

#[test]
fn order_passes_through_processes_that_never_enter() {
    let story = mutex(3).says(0, "Entered").says(0, "Left").sends(0, 2, "X");
    let story = story.receives(2, 0, 3, "X").sends(2, 1, "X").receives(1, 2, 2, "X");
    assert_eq!(story.says(1, "Entered").holds(), Some(true));
}

#[test]
fn sections_one_after_the_other_with_no_message_between_are_concurrent() {
    let story = mutex(2).says(0, "Entered").says(0, "Left").says(1, "Entered").says(1, "Left");
    let verdict = story.verdict(&End::Complete);
    assert_eq!(verdict.holds, Some(false));
    let witnesses: Vec<_> = verdict.witnesses.iter().map(ToString::to_string).collect();
    assert_eq!(witnesses, ["p0#1", "p0#2", "p1#1"]);
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
    assert_eq!(story.verdict(&End::Complete).detail, "p1 enters while p0 is inside");
}

#[test]
fn knowing_an_older_exit_is_not_enough() {
    let story = mutex(3).says(0, "Entered").says(0, "Left").sends(0, 1, "X").sends(0, 2, "X");
    let story = story.receives(1, 0, 3, "X").says(1, "Entered").says(1, "Left");
    let story = story.receives(2, 0, 4, "X").says(2, "Entered");
    assert_eq!(story.holds(), Some(false));
}

fn token(processes: u32) -> Story {
    let (created, message) = ("Created".to_owned(), "TOKEN".to_owned());
    Story::of(processes, Spec::OneToken { created, message })
}

#[test]
fn one_token_moves() {
    let story = token(2).says(0, "Created").sends(0, 1, "TOKEN").receives(1, 0, 2, "TOKEN");
    assert_eq!(story.sends(1, 0, "TOKEN").holds(), Some(true));
}

#[test]
fn a_second_token_is_a_violation() {
    assert_eq!(token(2).says(0, "Created").says(1, "Created").holds(), Some(false));
}

#[test]
fn a_token_sent_twice_is_a_violation() {
    let story = token(3).says(0, "Created").sends(0, 1, "TOKEN").sends(0, 2, "TOKEN");
    let detail = story.verdict(&End::Complete).detail;
    assert_eq!(detail, "p0 sends p2 a token that it does not hold");
}

#[test]
fn a_lost_token_is_a_violation() {
    let story = token(2).says(0, "Created").sends(0, 1, "TOKEN").loses(0, 1, 2, "TOKEN");
    assert_eq!(story.holds(), Some(false));
    let dies = token(2).says(0, "Created").event(0, |_| What::Crash);
    assert_eq!(dies.holds(), Some(false));
}

#[test]
fn a_token_that_arrives_twice_is_a_violation() {
    let story = token(2).says(0, "Created").sends(0, 1, "TOKEN").receives(1, 0, 2, "TOKEN");
    assert_eq!(story.receives(1, 0, 2, "TOKEN").holds(), Some(false));
}

#[test]
fn no_token_at_all_is_not_yet_a_violation() {
    assert_eq!(token(2).holds(), Some(false));
    assert_eq!(token(2).verdict(&End::CutShort("time-out".to_owned())).holds, None);
}

#[test]
fn each_enters_as_often_as_it_wants() {
    let entries = |times| Story::of(2, Spec::Entries { enter: "Entered".to_owned(), times });
    let both = |story: Story| story.says(0, "Entered").says(1, "Entered");
    assert_eq!(both(entries(1)).holds(), Some(true));
    assert_eq!(both(entries(2)).holds(), Some(false));
    let short = both(entries(2)).verdict(&End::CutShort("p1 died".to_owned()));
    assert_eq!(short.holds, None);
    assert_eq!(
        short.detail,
        "not yet: p0 entered 1 of 2 times, and 1 process more fell short (p1 died)"
    );
    assert_eq!(both(both(entries(1))).verdict(&End::CutShort(String::new())).holds, Some(false));
}

#[test]
fn a_hop_costs_one_message() {
    let hops = || {
        let (message, besides) = ("TOKEN".to_owned(), vec!["ROLL".to_owned()]);
        Story::of(3, Spec::OneMessageAHop { message, besides }).sends(0, 1, "ROLL")
    };
    let story = hops().sends(0, 1, "TOKEN").receives(1, 0, 2, "TOKEN");
    assert_eq!(story.holds(), Some(true));
    assert_eq!(hops().sends(0, 1, "TOKEN").sends(0, 2, "TOKEN").holds(), Some(false));
    assert_eq!(hops().sends(0, 1, "ACK").sends(0, 2, "TOKEN").holds(), Some(false));
}

fn ring(hops: &[(u32, u32)]) -> Verdict {
    let story = Story::of(4, Spec::SingleRing { message: "ROLL".to_owned() });
    let story = hops.iter().fold(story, |story, &(from, to)| story.sends(from, to, "ROLL"));
    story.verdict(&End::Complete)
}

#[test]
fn a_ring_is_one_cycle() {
    assert_eq!(ring(&[(3, 2), (2, 1), (1, 0), (0, 3)]).holds, Some(true));
    assert_eq!(ring(&[(0, 1), (1, 0), (2, 3), (3, 2)]).detail, "p0 is in a cycle of 2 among 4");
    assert_eq!(ring(&[(0, 1), (1, 2)]).detail, "p2 has no successor");
    assert_eq!(ring(&[(0, 1), (0, 2)]).detail, "p0 has two successors, p1 and p2");
    assert_eq!(ring(&[(0, 1), (2, 1)]).detail, "p1 has two predecessors, p0 and p2");
}

#[test]
fn fifo_notices_overtaking() {
    let two = || Story::of(2, Spec::Fifo).sends(0, 1, "A").sends(0, 1, "B");
    assert_eq!(two().receives(1, 0, 1, "A").receives(1, 0, 2, "B").holds(), Some(true));
    assert_eq!(two().receives(1, 0, 2, "B").receives(1, 0, 1, "A").holds(), Some(false));
    // Losing one is not overtaking, and other channels have an order of their own.
    assert_eq!(two().receives(1, 0, 2, "B").holds(), Some(true));
    assert_eq!(two().sends(1, 0, "C").receives(0, 1, 1, "C").holds(), Some(true));
}

#[test]
fn exactly_once_notices_loss_and_duplication() {
    let two = || Story::of(2, Spec::ExactlyOnce).sends(0, 1, "A").sends(0, 1, "B");
    let both = || two().receives(1, 0, 2, "B").receives(1, 0, 1, "A");
    assert_eq!(both().holds(), Some(true));
    assert_eq!(both().receives(1, 0, 1, "A").holds(), Some(false));
    assert_eq!(two().receives(1, 0, 1, "A").holds(), Some(false));
    assert_eq!(two().receives(1, 0, 1, "A").loses(0, 1, 2, "B").holds(), Some(false));
    let late = two().receives(1, 0, 1, "A").verdict(&End::CutShort("time-out".to_owned()));
    assert_eq!(
        (late.holds, late.detail.as_str()),
        (None, "not yet: 1 message did not arrive (time-out)")
    );
}

#[test]
fn one_leader_is_one_process_and_one_name_for_it() {
    let text = str::to_owned;
    let story = || Story::of(3, Spec::OneLeader { won: text("Won"), learned: text("Elected") });
    let led = || story().tells(1, "Won", 7).tells(1, "Elected", 7).tells(0, "Elected", 7);
    assert_eq!(led().holds(), Some(true));
    assert_eq!(led().verdict(&End::Complete).detail, "p1 with identity 7");
    assert_eq!(led().tells(2, "Won", 7).holds(), Some(false));
    assert_eq!(led().tells(2, "Elected", 8).holds(), Some(false));
    assert_eq!(story().tells(1, "Won", 7).tells(0, "Elected", 8).holds(), Some(false));
    assert_eq!(story().holds(), Some(false));
    let late = story().verdict(&End::CutShort("time-out".to_owned()));
    assert_eq!((late.holds, late.detail.as_str()), (None, "not yet: nobody leads (time-out)"));
}

#[test]
fn the_right_leader_is_the_process_with_the_identity() {
    let story = || {
        let (won, which) = ("Won".to_owned(), "greatest".to_owned());
        Story::of(3, Spec::RightLeader { won, which, process: ProcessId(1), identity: 7 })
    };
    assert_eq!(story().tells(1, "Won", 7).holds(), Some(true));
    assert_eq!(story().tells(1, "Won", 6).holds(), Some(false));
    assert_eq!(story().tells(0, "Won", 7).holds(), Some(false));
    assert_eq!(story().tells(1, "Won", 7).tells(0, "Won", 7).holds(), Some(false));
    assert_eq!(story().holds(), Some(false));
}

#[test]
fn everyone_learns_the_leader_or_not_yet() {
    let story = || Story::of(2, Spec::EveryoneLearns { learned: "Elected".to_owned() });
    let one = || story().tells(1, "Elected", 7);
    assert_eq!(one().tells(0, "Elected", 7).holds(), Some(true));
    assert_eq!(one().verdict(&End::Complete).detail, "p0 does not know the leader");
    assert_eq!(one().holds(), Some(false));
    assert_eq!(one().verdict(&End::CutShort("time-out".to_owned())).holds, None);
    // A text without a number says no leader.
    assert_eq!(one().says(0, "Elected").holds(), Some(false));
}

#[test]
fn ranks_follow_the_message_that_carries_them() {
    let story = || {
        let (numbered, message) = ("Numbered".to_owned(), "NUMBER".to_owned());
        Story::of(2, Spec::Ranks { numbered, message }).tells(1, "Numbered", 0)
    };
    let passed = || story().sends(1, 0, "NUMBER").receives(0, 1, 2, "NUMBER");
    assert_eq!(passed().tells(0, "Numbered", 1).holds(), Some(true));
    let detail = |story: Story| story.verdict(&End::Complete).detail;
    assert_eq!(detail(story()), "p0 has no rank");
    let gap = "p0 takes rank 2, and p1 in front of it has rank 0";
    assert_eq!(detail(passed().tells(0, "Numbered", 2)), gap);
    assert_eq!(detail(passed().tells(1, "Numbered", 1)), "p1 takes rank 1, and has 0 already");
    assert_eq!(detail(story().tells(0, "Numbered", 0)), "p0 begins with rank 0, and p1 began");
    assert_eq!(passed().tells(0, "Numbered", u64::MAX).holds(), Some(false));
}

#[test]
fn a_count_is_true_or_not() {
    let story = || Story::of(3, Spec::TrueCount { counted: "Counted".to_owned() });
    assert_eq!(story().tells(0, "Counted", 3).holds(), Some(true));
    assert_eq!(story().tells(0, "Counted", 5).holds(), Some(false));
    assert_eq!(story().holds(), Some(false));
}

#[test]
fn messages_are_as_many_as_predicted() {
    let story = || Story::of(2, Spec::AsPredicted { message: "A".to_owned(), times: 2 });
    let two = || story().sends(0, 1, "A").sends(0, 1, "B").sends(1, 0, "A");
    assert_eq!(two().holds(), Some(true));
    assert_eq!(two().sends(1, 0, "A").holds(), Some(false));
    assert_eq!(story().sends(0, 1, "A").verdict(&End::Complete).detail, "1 of 2 predicted");
    assert_eq!(story().verdict(&End::CutShort("time-out".to_owned())).holds, None);
}

#[test]
fn what_no_run_can_do_is_refused() {
    let mut judge = StreamJudge::new(&[], 2);
    let event = |process, n, what| TraceEvent {
        process: ProcessId(process),
        n,
        clock: None,
        lamport: 0,
        at_us: 0,
        what,
    };
    judge.observe(&event(0, 1, What::Init)).unwrap();
    let error = |judge: &mut StreamJudge, e| judge.observe(&e).unwrap_err().to_string();
    assert!(error(&mut judge, event(2, 1, What::Init)).contains("p2 is not one of the 2"));
    assert!(
        error(&mut judge, event(0, 3, What::Init)).contains("event 3 of p0 follows its event 1")
    );
    let receive = What::Receive { peer: ProcessId(0), message: message(0, 1, "A") };
    assert!(error(&mut judge, event(1, 1, receive)).contains("was not sent"));
}

/// Two detectors, p0 and p1, that watch each other; p0 watches p2, and p1 watches p3.
mod two_levels {
    use super::*;

    const ROUND: &str = "Round { round: 1, alive: 4, dead: 0, unknown: 0, answered: {} }";

    fn text() -> [String; 3] {
        ["HEARTBEAT", "ALIVE", "Round"].map(str::to_owned)
    }

    /// Threshold 1; a change is settled after the next round.
    fn completeness() -> Spec {
        let [heartbeat, answer, round] = text();
        Spec::StrongCompleteness { heartbeat, answer, round, threshold: 1, settle: 1 }
    }

    fn accuracy() -> Spec {
        let [heartbeat, answer, round] = text();
        Spec::EventualAccuracy { heartbeat, answer, round, threshold: 1 }
    }

    fn agreement() -> Spec {
        Spec::ListsAgree { round: "Round".to_owned(), settle: 1 }
    }

    fn one_list() -> Spec {
        Spec::OneList { round: "Round".to_owned() }
    }

    impl Story {
        fn says_text(self, process: u32, kind: &str, text: &str) -> Self {
            let note = Note { kind: kind.to_owned(), text: text.to_owned() };
            self.event(process, |_| What::Indication(note))
        }

        fn round(self, detector: u32) -> Self {
            self.says_text(detector, "Round", ROUND)
        }

        /// A round in which the other detector answers at once.
        fn round_with_answer(self, detector: u32, to: u32) -> Self {
            let first = self.n[detector as usize] + 1;
            let this = self.sends(detector, to, "HEARTBEAT").round(detector);
            let answer = this.n[to as usize] + 2;
            this.receives(to, detector, first, "HEARTBEAT")
                .sends(to, detector, "ALIVE")
                .receives(detector, to, answer, "ALIVE")
        }

        fn lists(self, detector: u32, process: u32, on: &str) -> Self {
            let by = process % 2;
            let text = format!("Suspect(Listed {{ process: p{process}, by: p{by}, on: [{on}] }})");
            self.says_text(detector, "Suspect", &text)
        }

        fn crashes(self, process: u32) -> Self {
            self.event(process, |_| What::Crash)
        }
    }

    #[test]
    fn whoever_is_silent_must_be_suspected_at_once() {
        // p2 answers, p1 does not: after two rounds it is one behind too many.
        let story = Story::of(4, completeness()).round_with_answer(0, 2).round(0);
        let late = story.round_with_answer(0, 2);
        let verdict = late.verdict(&End::Complete);
        assert_eq!(verdict.holds, Some(false));
        assert!(verdict.detail.starts_with("p0 does not suspect p1, which is 2 heartbeats behind"));

        let story = Story::of(4, completeness()).round(0).lists(0, 1, "Dead").lists(0, 2, "Dead");
        assert_eq!(story.round(0).round(0).holds(), Some(true));
    }

    #[test]
    fn both_detectors_must_know_who_died() {
        let known_to_p0 = || {
            let story = Story::of(4, completeness()).crashes(2).round_with_answer(0, 1);
            story.lists(0, 2, "Dead").round_with_answer(0, 1)
        };
        assert_eq!(known_to_p0().lists(1, 2, "Dead").holds(), Some(true));
        let ignorant = known_to_p0();
        assert_eq!(ignorant.holds(), Some(false));
        let short = End::CutShort("time-out".to_owned());
        assert_eq!(ignorant.verdict(&short).holds, None);
        // p1 suspects p0, and cannot tell of p2.
        assert_eq!(known_to_p0().lists(1, 0, "Dead").lists(1, 2, "Unknown").holds(), Some(true));
        assert_eq!(known_to_p0().lists(1, 0, "Dead").holds(), Some(false));
        // There was no round since.
        let fresh = Story::of(4, completeness()).crashes(2).lists(0, 2, "Dead");
        assert_eq!(fresh.holds(), Some(true));
        // Nobody is left to know.
        let alone = Story::of(4, completeness()).crashes(0).crashes(1).crashes(2);
        assert_eq!(alone.verdict(&End::Complete).detail, "no detector lives");
    }

    #[test]
    fn who_answers_must_not_be_suspected_in_the_end() {
        let wrong = || Story::of(4, accuracy()).round(0).round(0).lists(0, 2, "Dead");
        assert_eq!(wrong().holds(), Some(true), "it answers nothing");
        let answers = || wrong().round_with_answer(0, 2);
        let verdict = answers().verdict(&End::Complete);
        assert_eq!(verdict.holds, Some(false));
        assert_eq!(
            verdict.detail,
            "p0 still suspects p2, whose last answer is 0 heartbeats behind"
        );
        assert_eq!(answers().verdict(&End::CutShort("time-out".to_owned())).holds, None);
        assert_eq!(answers().lists(0, 2, "Alive").holds(), Some(true));
        assert_eq!(answers().crashes(0).holds(), Some(true), "a dead detector says nothing");
        // The answer is too old by now.
        assert_eq!(answers().round(0).round(0).holds(), Some(true));
    }

    #[test]
    fn lists_agree_once_they_had_time_to() {
        let told = || Story::of(4, agreement()).lists(0, 2, "Dead");
        assert_eq!(told().holds(), Some(true), "it is new");
        let verdict = told().round(0).verdict(&End::Complete);
        assert_eq!(verdict.holds, Some(false));
        assert_eq!(verdict.detail, "p2 is dead to p0 and living to p1");
        assert_eq!(told().lists(1, 2, "Dead").round(0).holds(), Some(true));
        assert_eq!(told().round(0).lists(1, 0, "Dead").holds(), Some(true), "p1 suspects p0");
        assert_eq!(told().round(0).crashes(1).holds(), Some(true));
        // p0 does not watch p2 any more than p1 does: p0's word counts, however late p1 changed.
        assert_eq!(told().round(0).lists(1, 2, "Unknown").holds(), Some(false));
    }

    #[test]
    fn every_process_is_on_one_list() {
        assert_eq!(Story::of(4, one_list()).round(0).round(1).holds(), Some(true));
        for on in ["Alive, Dead", ""] {
            assert_eq!(Story::of(4, one_list()).lists(0, 3, on).holds(), Some(false), "{on:?}");
        }
        assert_eq!(Story::of(4, one_list()).lists(0, 4, "Dead").holds(), Some(false));
        // A list that changed in silence, or that the round does not tell.
        let changed = || Story::of(4, one_list()).lists(0, 3, "Dead");
        assert_eq!(changed().round(0).holds(), Some(false));
        assert_eq!(changed().round(1).holds(), Some(true), "p1 has lists of its own");
        assert_eq!(changed().says_text(0, "Round", "Round").holds(), Some(false));
        let round = ROUND.replace("alive: 4, dead: 0", "alive: 3, dead: 1");
        assert_eq!(changed().says_text(0, "Round", &round).holds(), Some(true));
    }

    /// What a trace says need not be true.
    #[test]
    fn a_file_that_names_nobody_breaks_nothing() {
        for spec in [completeness(), accuracy(), agreement()] {
            for processes in [1, 2, 4] {
                let story = Story::of(processes, spec.clone()).lists(0, 9, "Dead").round(0);
                assert_eq!(story.verdict(&End::CutShort(String::new())).witnesses.len(), 0);
            }
        }
    }
}

/// p0 writes mail 0 to p2 and mail 1 to p1, and p1 answers to p2 with mail 2.
fn addressees() -> Vec<Vec<ProcessId>> {
    vec![vec![ProcessId(2)], vec![ProcessId(1)], vec![ProcessId(2)]]
}

fn mails(spec: Spec) -> Story {
    Story::of(3, spec).tells(0, "Wrote", 0).tells(0, "Wrote", 1)
}

fn causal() -> Story {
    let (wrote, read) = ("Wrote".to_owned(), "Read".to_owned());
    mails(Spec::CausalDelivery { wrote, read, addressees: addressees() })
}

#[test]
fn an_answer_read_after_what_it_answers_is_in_causal_order() {
    let story = causal().tells(1, "Read", 1).tells(1, "Wrote", 2);
    let story = story.tells(2, "Read", 0).tells(2, "Read", 2);
    assert_eq!(story.holds(), Some(true));
    let detail = story.verdict(&End::Complete).detail;
    assert_eq!(detail, "3 readings, 1 of them after another that happened before it");
}

#[test]
fn an_answer_read_before_what_it_answers_is_a_violation() {
    let story = causal().tells(1, "Read", 1).tells(1, "Wrote", 2).tells(2, "Read", 2);
    let verdict = story.verdict(&End::Complete);
    assert_eq!(verdict.detail, "p2 reads mail 2 before mail 0, which happened before it");
    assert_eq!(verdict.holds, Some(false));
}

#[test]
fn concurrent_mails_have_no_order() {
    // p1 writes before it reads: its mail has nothing before it.
    let story = causal().tells(1, "Wrote", 2).tells(1, "Read", 1).tells(2, "Read", 2);
    assert_eq!(story.tells(2, "Read", 0).holds(), Some(true));
}

fn held() -> Story {
    let [wrote, arrived, read] = ["Wrote", "Arrived", "Read"].map(str::to_owned);
    mails(Spec::NotHeld { wrote, arrived, read, addressees: addressees() })
}

#[test]
fn what_waits_for_its_past_is_held_with_need() {
    let story = held().tells(1, "Arrived", 1).tells(1, "Read", 1).tells(1, "Wrote", 2);
    let story = story.tells(2, "Arrived", 2).sends(2, 0, "ACK");
    let story = story.tells(2, "Arrived", 0).tells(2, "Read", 0).tells(2, "Read", 2);
    assert_eq!(story.holds(), Some(true));
}

#[test]
fn what_waits_for_nothing_is_a_violation() {
    let at_the_end = held().tells(2, "Arrived", 0);
    assert_eq!(at_the_end.holds(), Some(false));
    assert_eq!(at_the_end.verdict(&End::CutShort("cut".to_owned())).holds, None);
    let later = held().tells(2, "Arrived", 0).event(2, |_| What::Init).tells(2, "Read", 0);
    let detail = later.verdict(&End::Complete).detail;
    assert_eq!(detail, "p2 holds mail 0 though it has read all that happened before it");
}

fn once() -> Story {
    mails(Spec::ReadOnce { read: "Read".to_owned(), addressees: addressees() })
}

#[test]
fn every_mail_is_read_once_by_those_it_is_for() {
    let almost = once().tells(2, "Read", 0).tells(1, "Read", 1);
    assert_eq!(almost.verdict(&End::Complete).detail, "p2 did not read mail 2");
    assert_eq!(almost.verdict(&End::CutShort("cut".to_owned())).holds, None);
    assert_eq!(almost.tells(2, "Read", 2).holds(), Some(true));
    assert_eq!(once().tells(2, "Read", 0).tells(2, "Read", 0).holds(), Some(false));
    assert_eq!(once().tells(0, "Read", 1).holds(), Some(false));
}

/// What stands in a file may name mails and processes that are not there.
#[test]
fn mails_that_do_not_exist_are_not_judged() {
    let story = causal().tells(1, "Read", 99).tells(1, "Wrote", u64::MAX);
    assert_eq!(story.holds(), Some(true));
    let spec = Spec::ReadOnce { read: "Read".to_owned(), addressees: vec![vec![ProcessId(77)]] };
    assert_eq!(Story::of(2, spec).holds(), Some(false));
    let many = Spec::ReadOnce { read: "Read".to_owned(), addressees: vec![Vec::new(); 20_000] };
    assert!(super::Monitors::check(&[many]).unwrap_err().contains("the limit is 16384"));
}

fn leased(processes: u32) -> Story {
    let spec = Spec::LeasedExclusion {
        enter: "Entered".to_owned(),
        exits: vec!["Left".to_owned()],
        unused: vec!["Declined".to_owned()],
        revoked: "Revoked".to_owned(),
    };
    Story::of(processes, spec)
}

#[test]
fn a_revoked_section_is_over_for_whoever_hears_of_it() {
    let story = leased(3).tells(1, "Entered", 1).tells(0, "Revoked", 1).sends(0, 2, "GRANT");
    let story = story.receives(2, 0, 2, "GRANT").tells(2, "Entered", 2).tells(1, "Left", 1);
    assert_eq!(story.holds(), Some(true));
    let detail = story.verdict(&End::Complete).detail;
    assert_eq!(detail, "2 critical sections, pairwise ordered; 1 grant revoked");
}

#[test]
fn entering_before_the_section_before_is_known_to_be_over_is_a_violation() {
    let story = leased(3).tells(1, "Entered", 1).sends(0, 2, "GRANT").receives(2, 0, 1, "GRANT");
    let verdict = story.tells(2, "Entered", 2).verdict(&End::Complete);
    assert_eq!(verdict.holds, Some(false));
    assert_eq!(verdict.detail, "p2 enters section 2, and cannot know that section 1 of p1 is over");
}

#[test]
fn a_grant_that_was_not_wanted_is_over() {
    let story = leased(2).tells(1, "Declined", 1).tells(1, "Entered", 2);
    assert_eq!(story.holds(), Some(true));
}

#[test]
fn leaving_a_section_of_another_is_a_violation() {
    let story = leased(2).tells(1, "Entered", 1).tells(1, "Left", 2);
    let verdict = story.verdict(&End::Complete);
    assert_eq!(verdict.detail, "p1 leaves section 2, and was not in it");
    let story = leased(2).tells(1, "Entered", 1).tells(1, "Left", 1).tells(1, "Left", 1);
    assert_eq!(story.holds(), Some(false));
}

#[test]
fn revoking_what_is_known_to_be_over_is_a_violation() {
    let story = leased(2).tells(1, "Entered", 1).tells(1, "Left", 1).sends(1, 0, "RELEASE");
    let story = story.receives(0, 1, 3, "RELEASE").tells(0, "Revoked", 1);
    assert_eq!(story.holds(), Some(false));
}

/// What it heard may not have been on its disk when it died.
#[test]
fn who_died_may_revoke_what_it_knew_to_be_over() {
    let story = leased(2).tells(1, "Entered", 1).tells(1, "Left", 1).sends(1, 0, "RELEASE");
    let story = story.receives(0, 1, 3, "RELEASE").event(0, |_| What::Crash);
    let story = story.event(0, |_| What::Recover).tells(0, "Revoked", 1);
    assert_eq!(story.holds(), Some(true));
}

fn growing(processes: u32) -> Story {
    Story::of(processes, Spec::GrowingTokens { enter: "Entered".to_owned() })
}

#[test]
fn tokens_grow_along_happened_before() {
    let story = growing(2).tells(0, "Entered", 1).sends(0, 1, "X").receives(1, 0, 2, "X");
    assert_eq!(story.tells(1, "Entered", 2).holds(), Some(true));
    let story = growing(2).tells(0, "Entered", 5).sends(0, 1, "X").receives(1, 0, 2, "X");
    let verdict = story.tells(1, "Entered", 4).verdict(&End::Complete);
    assert_eq!(verdict.holds, Some(false));
    assert_eq!(verdict.detail, "p1 enters with token 4 after token 5");
}

/// A section that nobody knows to be over may begin late: its token is stale, and that is what tokens are for.
#[test]
fn a_stale_token_that_is_concurrent_is_no_violation() {
    assert_eq!(growing(2).tells(0, "Entered", 2).tells(1, "Entered", 1).holds(), Some(true));
}

#[test]
fn no_two_sections_have_one_token() {
    assert_eq!(growing(2).tells(0, "Entered", 1).tells(1, "Entered", 1).holds(), Some(false));
}

fn line() -> Story {
    let text = str::to_owned;
    Story::of(
        1,
        Spec::FirstComeFirstServed {
            queued: text("Queued"),
            granted: text("Granted"),
            dropped: text("Dropped"),
        },
    )
}

#[test]
fn a_line_is_served_from_its_front() {
    let story = line().tells(0, "Queued", 1).tells(0, "Queued", 2).tells(0, "Granted", 1);
    assert_eq!(story.tells(0, "Granted", 2).holds(), Some(true));
    let story = line().tells(0, "Queued", 1).tells(0, "Queued", 2).tells(0, "Granted", 2);
    let verdict = story.verdict(&End::Complete);
    assert_eq!(verdict.detail, "p2 is served before p1, who came first");
    assert_eq!(line().tells(0, "Granted", 2).holds(), Some(false));
}

#[test]
fn who_leaves_the_line_is_not_passed_over() {
    let story = line().tells(0, "Queued", 1).tells(0, "Queued", 2).tells(0, "Dropped", 1);
    assert_eq!(story.tells(0, "Granted", 2).holds(), Some(true));
}

#[test]
fn a_line_dies_with_its_keeper() {
    let story = line().tells(0, "Queued", 1).event(0, |_| What::Crash).event(0, |_| What::Recover);
    let story = story.tells(0, "Queued", 2).tells(0, "Queued", 1).tells(0, "Granted", 2);
    assert_eq!(story.holds(), Some(true));
}

fn requests() -> Story {
    let (asked, served) = ("Asked".to_owned(), "Left".to_owned());
    Story::of(2, Spec::EveryRequestServed { asked, served })
}

#[test]
fn who_asks_and_is_not_served_waits() {
    let story = requests().says(0, "Asked").says(1, "Asked").says(0, "Left");
    assert_eq!(story.verdict(&End::Complete).detail, "p1 waits");
    assert_eq!(story.holds(), Some(false));
    assert_eq!(story.verdict(&End::CutShort("time-out".to_owned())).holds, None);
    assert_eq!(story.event(1, |_| What::Crash).holds(), Some(true));
}

fn each() -> Story {
    let text = str::to_owned;
    Story::of(
        2,
        Spec::MessagesEach {
            asked: text("Asked"),
            left: text("Left"),
            messages: vec![text("REQUEST"), text("RELEASE")],
            disturbed: vec![text("Revoked")],
        },
    )
}

#[test]
fn an_entry_costs_one_message_of_each_kind() {
    let story = each().says(1, "Asked").sends(1, 0, "REQUEST").says(1, "Left");
    let right = story.sends(1, 0, "RELEASE");
    assert_eq!(right.verdict(&End::Complete).detail, "1 entry");
    assert_eq!(right.holds(), Some(true));
    let story = each().says(1, "Asked").sends(1, 0, "REQUEST").sends(1, 0, "REQUEST");
    let verdict = story.says(1, "Left").sends(1, 0, "RELEASE").verdict(&End::Complete);
    assert_eq!(verdict.detail, "an entry of p1 took 2 REQUEST, 1 RELEASE");
    let story = each().says(1, "Asked").sends(1, 0, "REQUEST").says(1, "Left").says(1, "Asked");
    assert_eq!(story.holds(), Some(false));
}

#[test]
fn an_entry_in_trouble_may_cost_more() {
    let story = each().says(1, "Asked").sends(1, 0, "REQUEST").tells(0, "Revoked", 1);
    let story = story.sends(1, 0, "REQUEST").says(1, "Left").sends(1, 0, "RELEASE");
    assert_eq!(story.verdict(&End::Complete).detail, "0 entries; 1 in trouble, and not counted");
}
