//! A process that may make a mistake costs nothing while it makes none.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use labs::mutant::{Mutant, NoMistake};
use labs::process::step_into;
use labs::process::{Choices, Context, Env, Event, EventOf, Kind, Never, Process, ProcessId};
use serde::{Deserialize, Serialize};

/// Passes on what it gets.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct Node;

#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize, Kind)]
enum Message {
    Token(u64),
}

impl Process for Node {
    type Request = Never;
    type Indication = Message;
    type Message = Message;
    type Timer = Never;

    fn on_message(&mut self, ctx: &mut Context<Self>, from: ProcessId, Message::Token(n): Message) {
        let next = ctx.choose(2) as u64;
        ctx.indicate(Message::Token(n));
        ctx.send(from, Message::Token(n + next));
    }
}

/// How many times memory is asked for in a thousand steps, into a list that has room.
fn allocations<P>(mut process: P) -> u64
where
    P: Process<Request = Never, Message = Message, Timer = Never>,
{
    let env = Env { me: ProcessId(0), processes: 2, now: None };
    let mut choices = Choices::Random(7);
    let mut effects = Vec::with_capacity(8);
    let before = ALLOCATIONS.get();
    for n in 0..1_000 {
        effects.clear();
        let event: EventOf<P> = Event::Message { from: ProcessId(1), message: Message::Token(n) };
        effects = step_into(&mut process, env, &mut choices, event, effects);
        assert_eq!(effects.len(), 2);
    }
    ALLOCATIONS.get() - before
}

#[test]
fn a_step_without_a_mistake_allocates_nothing() {
    assert_eq!(allocations(Node), 0);
    assert_eq!(allocations(Mutant::new(Node, None::<NoMistake>)), 0);
    let before = ALLOCATIONS.get();
    drop(Box::new(before));
    assert_eq!(ALLOCATIONS.get(), before + 1, "allocations are counted");
}

/// Counts what the thread asks for.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    ALLOCATIONS.set(ALLOCATIONS.get() + 1);
}

// SAFETY: everything is passed on to the system's allocator, under the same contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are the same.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are the same.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;
