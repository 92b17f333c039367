//! Events a second of the simulator against a bare loop over a binary heap, and its memory.
//!
//! Both sides pass tokens round a ring, on FIFO channels whose latencies are uniform and drawn by the same
//! generator. Run with `cargo bench -p labs --bench simulate`.

mod measure;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};

use labs::process::{Context, Kind, Never, Process, ProcessId, split_mix};
use labs::record::Recorder;
use labs::simulate::{Limits, Network, Simulation};
use labs::trace::Observer;
use labs::verdict::{Judge, Property, Times};
use serde::{Deserialize, Serialize};

use self::measure::{medians, millions_a_second, pin_to_one_core, processor_time, wanted};

/// Passes on what it gets.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct Node {
    passed: u64,
    starts_with_token: bool,
}

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
enum Message {
    Token(u64),
}

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
enum Indication {
    Created,
    Entered,
    Left,
}

impl Process for Node {
    type Request = Never;
    type Indication = Indication;
    type Message = Message;
    type Timer = Never;

    fn on_init(&mut self, ctx: &mut Context<Self>) {
        if self.starts_with_token {
            pass(ctx, 0);
        }
    }

    fn on_message(&mut self, ctx: &mut Context<Self>, _: ProcessId, Message::Token(hops): Message) {
        self.passed += 1;
        pass(ctx, hops + 1);
    }
}

fn pass(ctx: &mut Context<Node>, hops: u64) {
    let next = ctx.me().0 + 1;
    let next = if next == ctx.processes() { 0 } else { next };
    ctx.send(ProcessId(next), Message::Token(hops));
}

/// The same ring, whose processes enter a critical section while they hold the token.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct Exclusive(Node);

impl Process for Exclusive {
    type Request = Never;
    type Indication = Indication;
    type Message = Message;
    type Timer = Never;

    fn on_init(&mut self, ctx: &mut Context<Self>) {
        if self.0.starts_with_token {
            ctx.indicate(Indication::Created);
            ctx.layer(|ctx| pass(ctx, 0));
        }
    }

    fn on_message(&mut self, ctx: &mut Context<Self>, from: ProcessId, message: Message) {
        ctx.indicate(Indication::Entered);
        ctx.indicate(Indication::Left);
        ctx.layer(|ctx| self.0.on_message(ctx, from, message));
    }
}

fn nodes(processes: usize, tokens: usize) -> Vec<Node> {
    let node = |rank| Node { passed: 0, starts_with_token: rank < tokens };
    (0..processes).map(node).collect()
}

fn simulation<P: Process, O: Observer>(processes: Vec<P>, observer: O) -> Simulation<P, O> {
    Simulation::new(7, Network::default(), processes, observer).expect("a ring that can be")
}

/// The bare loop.
struct Loop {
    now: u64,
    sequence: u64,
    random: u64,
    passed: Vec<u64>,
    last_arrival: Vec<u64>,
    heap: BinaryHeap<Reverse<(u64, u64, u32, u64)>>,
}

impl Loop {
    fn new(processes: usize, tokens: usize) -> Self {
        let (passed, last_arrival) = (vec![0; processes], vec![0; processes]);
        let heap = BinaryHeap::new();
        let mut this = Self { now: 0, sequence: 0, random: 7, passed, last_arrival, heap };
        (0..tokens as u32).for_each(|rank| this.pass(rank, 0));
        this
    }

    fn pass(&mut self, from: u32, hops: u64) {
        let to = if from as usize + 1 == self.passed.len() { 0 } else { from + 1 };
        let random = u128::from(split_mix(&mut self.random));
        let latency = 1_000 + ((random * 4_001) >> 64) as u64;
        let last = &mut self.last_arrival[from as usize];
        *last = (self.now + latency).max(*last);
        self.sequence += 1;
        self.heap.push(Reverse((*last, self.sequence, to, hops)));
    }

    fn run(&mut self, events: u64) {
        for _ in 0..events {
            let Some(Reverse((time, _, to, hops))) = self.heap.pop() else { return };
            self.now = time;
            self.passed[to as usize] += 1;
            self.pass(to, hops + 1);
        }
    }
}

fn compare(name: &str, processes: usize, tokens: usize, events: u64, aim: f64) {
    if !wanted(name) {
        return;
    }
    let mut ours = simulation(nodes(processes, tokens), ());
    let mut theirs = Loop::new(processes, tokens);
    let run = |simulation: &mut Simulation<Node>| {
        let events = simulation.events() + events;
        simulation.run(Limits { events, ..Limits::default() });
    };
    run(&mut ours);
    theirs.run(events);
    let (ours, theirs) = medians(|| run(&mut ours), || theirs.run(black_box(events)));
    let (ours, theirs) = (millions_a_second(events, ours), millions_a_second(events, theirs));
    println!(
        "{name:<24} simulate {ours:>6.2} M events/s, heap loop {theirs:>6.2} M/s: {:>5.2} x (to reach: {aim})",
        ours / theirs
    );
}

fn memory() {
    if !wanted("memory") {
        return;
    }
    let n = 1_000_000;
    let before = LIVE.load(Ordering::Relaxed);
    let mut simulation = simulation(nodes(n, n), ());
    simulation.run(Limits { events: 4_000_000, ..Limits::default() });
    let bytes = LIVE.load(Ordering::Relaxed) - before - n * size_of::<Node>();
    println!(
        "memory                   {} bytes a process beside its own state, with a message of each under way (to reach: 200)",
        bytes / n
    );
}

/// A million processes under the patterns that a token ring must keep.
fn judged(tokens: usize, events: u64, properties: &[Property]) {
    if !wanted("judged") {
        return;
    }
    let n = 1_000_000;
    let start = processor_time();
    PEAK.store(LIVE.load(Ordering::Relaxed), Ordering::Relaxed);
    let processes = nodes(n, tokens).into_iter().map(Exclusive).collect();
    let recorder = Recorder::new(n as u32, Judge::new(properties, n as u32));
    let mut simulation = simulation(processes, recorder);
    let ended = simulation.run(Limits { events, ..Limits::default() });
    let judge = simulation.into_observer().finish().expect("nothing is written");
    let verdicts = judge.verdicts(&ended.end());
    let time = processor_time() - start;
    println!(
        "judged, {tokens:>7} under way  {:.2} s for {events} events of {n} processes ({:.2} M/s), {} MiB at the most",
        time.as_secs_f64(),
        millions_a_second(events, time),
        PEAK.load(Ordering::Relaxed) >> 20
    );
    for verdict in verdicts {
        println!("    {:<32} {:?}: {}", verdict.name, verdict.holds(), verdict.detail());
    }
}

fn main() {
    pin_to_one_core();
    compare("one token", 8, 1, 4_000_000, 0.3);
    compare("1,000 under way", 1_000, 1_000, 2_000_000, 0.3);
    compare("1,000,000 under way", 1_000_000, 1_000_000, 2_000_000, 1.0);
    memory();
    let token_ring = [
        Property::pairwise_ordered("mutual exclusion", "Entered", "Left"),
        Property::one("one process makes the token", "Created"),
        Property::each("every process enters", "Entered", Times::Exactly(3)),
        Property::precedes("no entry before the token", "Created", "Entered"),
        Property::one_ring(&["TOKEN"]),
        Property::fifo(),
        Property::exactly_once(),
    ];
    judged(1, 4_000_000, &token_ring);
    judged(1_000_000, 6_000_000, &token_ring[4..]);
}

/// Counts what is allocated.
struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

fn grew(by: usize) {
    let live = LIVE.fetch_add(by, Ordering::Relaxed) + by;
    if live > PEAK.load(Ordering::Relaxed) {
        PEAK.store(live, Ordering::Relaxed);
    }
}

// SAFETY: everything is passed on to the system's allocator, under the same contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grew(layout.size());
        // SAFETY: the caller's promises are the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are the same.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        grew(size);
        // SAFETY: the caller's promises are the same.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;
