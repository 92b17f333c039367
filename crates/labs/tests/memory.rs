//! What a simulated process costs beside its own state.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use labs::process::{Context, Never, Process, ProcessId};
use labs::simulate::{Limits, Network, Simulation};
use serde::{Deserialize, Serialize};

/// The most that a process may cost beside its own state, in bytes, with a message of its own
/// under way.
const BYTES_MAX: usize = 200;

/// Passes on what it gets.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct Node;

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize)]
struct Token(u64);

impl From<&Token> for &'static str {
    fn from(_: &Token) -> Self {
        "TOKEN"
    }
}

impl Process for Node {
    type Request = Never;
    type Indication = Never;
    type Message = Token;
    type Timer = Never;

    fn on_init(&mut self, ctx: &mut Context<Self>) {
        ctx.send(ProcessId((ctx.me().0 + 1) % ctx.processes()), Token(0));
    }

    fn on_message(&mut self, ctx: &mut Context<Self>, _: ProcessId, Token(hops): Token) {
        ctx.send(ProcessId((ctx.me().0 + 1) % ctx.processes()), Token(hops + 1));
    }
}

#[test]
fn a_process_costs_little_beside_its_own_state() {
    let n = 100_000;
    let processes = vec![Node; n];
    let before = PEAK.load(Ordering::Relaxed).max(LIVE.load(Ordering::Relaxed));
    let mut simulation = Simulation::new(7, Network::default(), processes, ()).unwrap();
    simulation.run(Limits { events: 5 * n as u64, ..Limits::default() });
    assert_eq!(simulation.scheduled(), n);
    let bytes = (PEAK.load(Ordering::Relaxed) - before) / n;
    assert!((1..=BYTES_MAX).contains(&bytes), "{bytes} bytes a process");
}

/// Counts what is allocated.
struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

fn grew(by: usize) {
    let live = LIVE.fetch_add(by, Ordering::Relaxed) + by;
    PEAK.fetch_max(live, Ordering::Relaxed);
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
