use std::io::{BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Channels, ExploreError, Options, Outcome, check, explore};
use crate::process::{Context, Kind, Process, ProcessId};
use crate::testing::FileInMemory;
use crate::trace::format::Reader;
use crate::trace::{Header, Identity, Meaning};
use crate::verdict::{End, Property, PropertyKind, StreamJudge, Times, Verdict};

/// Does at each process what its application asks for.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct Servant {
    done: u32,
}

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
enum Order {
    /// Send the next process so many letters.
    Send(u32),
    /// Tell one of so many numbers.
    Choose(usize),
    /// Tell one of so many numbers twice.
    ChooseTwice(usize),
    /// Ring again and again.
    Ring,
    /// Ring, unless told otherwise.
    RingOnce,
    /// Do not ring.
    Silence,
    /// Break down.
    Panic,
}

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize)]
struct Letter(u32);

impl From<&Letter> for &'static str {
    fn from(_: &Letter) -> Self {
        "LETTER"
    }
}

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
enum Told {
    Number(usize),
    Rang,
}

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
enum Bell {
    Again,
    Once,
}

impl Process for Servant {
    type Request = Order;
    type Indication = Told;
    type Message = Letter;
    type Timer = Bell;

    fn on_request(&mut self, ctx: &mut Context<Self>, order: Order) {
        let next = ProcessId((ctx.me().0 + 1) % ctx.processes());
        let second = Duration::from_secs(1);
        match order {
            Order::Send(letters) => (0..letters).for_each(|letter| ctx.send(next, Letter(letter))),
            Order::Choose(options) => {
                let number = ctx.choose(options);
                self.done = number as u32;
                ctx.indicate(Told::Number(number));
            }
            Order::ChooseTwice(options) => {
                self.done = (10 * ctx.choose(options) + ctx.choose(options)) as u32;
            }
            Order::Ring => ctx.start_timer(Bell::Again, second),
            Order::RingOnce => ctx.start_timer(Bell::Once, second),
            Order::Silence => ctx.stop_timer(Bell::Once),
            Order::Panic => panic!("broke down after {}", self.done),
        }
    }

    fn on_message(&mut self, _: &mut Context<Self>, _: ProcessId, Letter(letter): Letter) {
        self.done = letter;
    }

    fn on_timeout(&mut self, ctx: &mut Context<Self>, bell: Bell) {
        ctx.indicate(Told::Rang);
        if bell == Bell::Again {
            ctx.start_timer(bell, Duration::from_secs(1));
        }
    }
}

/// Checks processes of which the first gets these orders.
fn checked(
    processes: usize,
    orders: &[Order],
    property: Property,
    options: &Options,
) -> Outcome<Servant> {
    let processes = vec![Servant::default(); processes];
    check(processes, vec![orders.to_vec()], &[property], options, |_| ())
}

fn numbers(times: u64) -> Property {
    Property::each("all get numbers", "Number", Times::Exactly(times))
}

fn rings(times: u64) -> Property {
    Property::each("all bells ring", "Rang", Times::Exactly(times))
}

fn steps(outcome: &Outcome<Servant>) -> Vec<&str> {
    outcome.counterexample.as_ref().unwrap().steps.iter().map(String::as_str).collect()
}

mod endless;
mod orders;
mod reduced;

const UNORDERED: Channels = Channels::Unordered;

#[test]
fn fifo_channels_are_fifo() {
    let outcome = checked(2, &[Order::Send(3)], Property::fifo(), &Options::default());
    assert_eq!((outcome.holds(), outcome.states, outcome.max_depth), (Some(true), 5, 4));
    assert!(outcome.counterexample.is_none());
    assert_eq!(outcome.verdicts[0].detail(), "in each of 5 states");
}

#[test]
fn a_property_that_nothing_puts_to_the_test_says_so() {
    let said = |letters| {
        let orders = [Order::Send(letters)];
        let outcome = checked(2, &orders, Property::fifo(), &Options::default());
        outcome.verdicts[0].said().into_owned()
    };
    assert_eq!(said(1), "never put to the test: in each of 3 states");
    assert_eq!(said(2), "in each of 4 states");
}

#[test]
fn unordered_channels_are_not() {
    let options = Options { channels: UNORDERED, ..Options::default() };
    let outcome = checked(2, &[Order::Send(3)], Property::fifo(), &options);
    assert_eq!(outcome.holds(), Some(false));
    let shortest = ["p0 ? Send(3)", "p0 → p1 Letter(1)", "p0 → p1 Letter(0)"];
    assert_eq!(steps(&outcome), shortest);
}

#[test]
fn a_lost_message_is_found() {
    let property = Property::exactly_once();
    let reliable = checked(2, &[Order::Send(2)], property.clone(), &Options::default());
    assert_eq!(reliable.holds(), Some(true), "{:?}", reliable.verdicts);
    let options = Options { losses: 1, ..Options::default() };
    let outcome = checked(2, &[Order::Send(2)], property, &options);
    assert_eq!(steps(&outcome), ["p0 ? Send(2)", "p0 ⇥ p1 Letter(0)"]);
}

#[test]
fn no_more_messages_are_lost_than_allowed() {
    let all = |losses| {
        let options = Options { losses, ..Options::default() };
        checked(2, &[Order::Send(3)], numbers(0), &options).states
    };
    // Counted by hand: how many of three letters are left, how many were lost, which came last.
    assert_eq!((all(0), all(1), all(3)), (5, 10, 15));
}

#[test]
fn a_doubled_message_is_found() {
    let options = Options { duplicates: 1, ..Options::default() };
    let outcome = checked(2, &[Order::Send(1)], Property::exactly_once(), &options);
    let shortest =
        ["p0 ? Send(1)", "p0 → p1 Letter(0), and a copy stays under way", "p0 → p1 Letter(0)"];
    assert_eq!(steps(&outcome), shortest);
}

#[test]
fn what_is_sent_to_the_dead_is_lost() {
    let options = Options { crashes: 1, ..Options::default() };
    let outcome = checked(2, &[Order::Send(1)], Property::exactly_once(), &options);
    assert_eq!(steps(&outcome), ["p0 ? Send(1)", "p1 crashes"]);
}

#[test]
fn the_dead_do_nothing() {
    let options = Options { crashes: 1, ..Options::default() };
    let orders = [Order::RingOnce];
    let outcome = checked(1, &orders, rings(1), &options);
    assert_eq!(steps(&outcome), ["p0 crashes"]);
    // Started, asked, rung; and dead after each.
    assert_eq!(checked(1, &orders, Property::fifo(), &options).states, 6);
}

#[test]
fn all_choices_are_tried() {
    let outcome = checked(1, &[Order::Choose(3)], numbers(1), &Options::default());
    assert_eq!((outcome.states, outcome.holds()), (4, Some(true)));
    assert_eq!(outcome.verdicts[0].detail(), "at each of 3 ends, in 4 states");
    let twice = checked(1, &[Order::ChooseTwice(3)], Property::fifo(), &Options::default());
    assert_eq!(twice.states, 1 + 9);
}

#[test]
fn a_choice_is_told() {
    let orders = [Order::Choose(2), Order::Panic];
    let outcome = checked(1, &orders, Property::fifo(), &Options::default());
    assert_eq!(steps(&outcome), ["p0 ? Choose(2), choosing [0]", "p0 ? Panic"]);
}

#[test]
fn timers_run_out_at_any_time_until_they_are_stopped() {
    let orders = [Order::RingOnce, Order::Silence];
    let outcome = checked(1, &orders, rings(1), &Options::default());
    assert_eq!(steps(&outcome), ["p0 ? RingOnce", "p0 ? Silence"]);
    let outcome = checked(1, &orders[..1], rings(1), &Options::default());
    assert_eq!(outcome.holds(), Some(true));
}

#[test]
fn a_timer_that_runs_for_ever_is_bounded_and_decides_nothing() {
    let options = |timeouts| Options { timeouts, ..Options::default() };
    let outcome = checked(1, &[Order::Ring], rings(5), &options(3));
    assert_eq!((outcome.states, outcome.holds()), (5, None));
    let detail = "not decided at 1 of 1 end, where only their bound stops timers";
    assert_eq!(outcome.verdicts[0].detail(), detail);
    let outcome = checked(1, &[Order::Ring], rings(3), &options(4));
    assert_eq!(outcome.holds(), Some(false));
}

#[test]
fn a_run_that_ends_too_early_is_found() {
    let outcome = checked(1, &[Order::Choose(1)], numbers(2), &Options::default());
    let verdict = &outcome.verdicts[0];
    assert_eq!((verdict.kind, verdict.holds()), (PropertyKind::Liveness, Some(false)));
    assert_eq!(verdict.detail(), "p0 number 1 of 2 times");
    assert_eq!(steps(&outcome), ["p0 ? Choose(1), choosing [0]"]);
}

#[test]
fn a_panic_is_a_finding() {
    let orders = [Order::Choose(1), Order::Panic];
    let outcome = checked(1, &orders, numbers(1), &Options::default());
    let held: Vec<_> = outcome.verdicts.iter().map(|v| (v.name.as_str(), v.holds())).collect();
    let expected = [("all get numbers", None), ("no panic", Some(false))];
    assert_eq!(held, expected);
    let detail = outcome.verdicts[1].detail();
    assert!(detail.starts_with("p0 panicked when it was asked for Panic at "), "{detail}");
    assert!(
        detail.contains("check/tests.rs:") && detail.ends_with(": broke down after 0"),
        "{detail}"
    );
    assert_eq!(steps(&outcome), ["p0 ? Choose(1), choosing [0]", "p0 ? Panic"]);
}

#[test]
fn several_threads_find_the_same_path() {
    let options = Options { channels: UNORDERED, threads: 2, ..Options::default() };
    let outcome = checked(2, &[Order::Send(6)], Property::fifo(), &options);
    assert_eq!(steps(&outcome).len(), 3);
}

#[test]
fn a_search_that_is_cut_short_decides_nothing() {
    let options = Options { states: 3, ..Options::default() };
    let outcome = checked(2, &[Order::Send(9)], Property::fifo(), &options);
    assert_eq!(outcome.holds(), None);
    let detail = outcome.verdicts[0].detail();
    assert!(detail.contains("(the search ended after 3 states)"), "{detail}");
    assert!(outcome.states < 11);
}

#[test]
fn a_search_ends_in_time() {
    let options = Options { time: Duration::ZERO, channels: UNORDERED, ..Options::default() };
    // More states than can be visited before the clock is looked at.
    let outcome = checked(3, &[Order::Send(24)], Property::exactly_once(), &options);
    assert_eq!(outcome.holds(), None, "{:?}", outcome.verdicts);
    assert!(outcome.verdicts[0].detail().contains("(the search ended after 0ns)"));
}

/// Saves the counterexample as a trace, and judges it from the file alone.
fn judged_from_file(outcome: &Outcome<Servant>, property: Property, processes: u32) -> Verdict {
    let identity = Identity {
        lab: "servant".to_owned(),
        verb: "check".to_owned(),
        run: "test".to_owned(),
        processes,
        seed: 0,
    };
    let header = Header::new(identity, Vec::new(), vec![property], Meaning::default());
    let file = FileInMemory::default();
    let counterexample = outcome.counterexample.as_ref().unwrap();
    let judge = counterexample.save(&header, Box::new(file.clone())).unwrap();
    let bytes = file.take();
    let reader = Reader::new(BufReader::new(bytes.as_slice())).unwrap();
    let mut stream = StreamJudge::new(&reader.header().properties.clone(), processes);
    reader.for_each(|event| stream.observe(&event.unwrap()).unwrap());
    let verdict = stream.judge().verdicts(&End::Complete).remove(0);
    assert_eq!(judge.verdicts(&End::Complete).remove(0), verdict);
    verdict
}

#[test]
fn a_counterexample_is_a_trace_with_the_same_verdict() {
    let some = Options { losses: 1, duplicates: 1, crashes: 1, ..Options::default() };
    let none = Options::default();
    let unordered = Options { channels: UNORDERED, ..none.clone() };
    let send = [Order::Send(3)];
    let choose = [Order::Choose(2), Order::Choose(3)];
    let (fifo, once) = (Property::fifo(), Property::exactly_once());
    let cases = [
        (2, &send[..], fifo, unordered),
        (2, &send, once.clone(), Options { losses: 1, ..none.clone() }),
        (2, &send, once.clone(), Options { duplicates: 1, ..none.clone() }),
        (2, &send, once.clone(), Options { crashes: 1, ..none.clone() }),
        (2, &send, once, some),
        (1, &choose, numbers(1), none.clone()),
        (1, &choose, numbers(3), none),
    ];
    for (processes, orders, property, options) in cases {
        let outcome = checked(processes, orders, property.clone(), &options);
        let found = &outcome.verdicts[0];
        let judged = judged_from_file(&outcome, property, processes as u32);
        assert_eq!(found.holds(), Some(false));
        assert_eq!((judged.holds(), &judged.name), (found.holds(), &found.name));
        assert_eq!(judged.detail(), found.detail());
    }
}

#[test]
fn progress_is_told_while_a_search_lasts() {
    let options =
        Options { time: Duration::from_millis(300), channels: UNORDERED, ..Options::default() };
    let mut told = Vec::new();
    let processes = vec![Servant::default(); 3];
    let requests = vec![vec![Order::Send(24)]];
    check(processes, requests, &[Property::exactly_once()], &options, |states| told.push(states));
    assert!(told.len() > 1 && told.is_sorted(), "{told:?}");
}

fn serve(address: SocketAddr, ready: impl FnOnce()) -> Result<(), ExploreError> {
    let (processes, requests) = (vec![Servant::default(); 2], vec![vec![Order::Send(1)]]);
    explore(processes, requests, &[Property::fifo()], &Options::default(), address, ready)
}

#[test]
fn the_explorer_is_not_for_others() {
    let ready = || panic!("it cannot be served");
    let error = serve(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)), ready).unwrap_err();
    assert!(matches!(error, ExploreError::NotLoopback(_)));
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let error = serve(taken.local_addr().unwrap(), ready).unwrap_err();
    assert!(matches!(error, ExploreError::Listen { .. }));
}

#[test]
fn the_explorer_shows_the_steps() {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    // It serves until the program ends.
    let (is_ready, ready) = mpsc::channel();
    let server = thread::spawn(move || serve(address, || is_ready.send(()).unwrap()).unwrap());
    ready.recv().unwrap();
    let mut stream = loop {
        match TcpStream::connect(address) {
            Ok(stream) => break stream,
            Err(_) => assert!(!server.is_finished(), "the server did not start"),
        }
    };
    stream.write_all(b"GET /.states/0 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("p0 ? Send(1)"), "{answer}");
    assert!(answer.contains("p0 ↗ p1 Letter(0)"), "{answer}");
}
