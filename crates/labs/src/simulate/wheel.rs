//! The queue of what is still to happen: a hierarchical timing wheel.
//!
//! A heap pays for each event with a walk through memory that grows with the number of events. A
//! wheel (Varghese and Lauck, *Hashed and hierarchical timing wheels*, SOSP 1987) pays a constant:
//! an event is put into the slot of its time, and the slots are visited in order. There are
//! [`LEVELS`] wheels of 64 slots. A slot of the first stands for one microsecond, a slot of each
//! further one for a whole turn of the wheel before. An event is put where the highest six bits in
//! which its time differs from the present say; when the present reaches a slot of a higher wheel,
//! its events move down; an event that is alone in its slot comes out at once. However far its time
//! is, an event moves at most ten times, and most move once.
//!
//! **Events of equal times come out in the order in which they went in.** A slot is a list in
//! order of insertion, and a slot of a lower wheel is empty until the present enters the slot above it,
//! whose events are the older ones, so that moving down keeps the order.
//!
//! The lists go through one slab of entries, in both directions: nothing is allocated for an event
//! once the slab is large enough, and an event can be taken back in constant time.

use std::array;

/// How many bits of the time one wheel looks at.
const BITS: u32 = 6;

/// How many slots one wheel has: as many as a bitmap of 64 bits can tell apart.
const SLOTS: usize = 1 << BITS;

/// How many wheels there are: enough for all 64 bits of the time.
const LEVELS: usize = u64::BITS.div_ceil(BITS) as usize;

/// The index that stands for "no entry".
const NONE: u32 = u32::MAX;

/// Events ordered by time, and by insertion where times are equal.
#[derive(Debug)]
pub(super) struct Wheel<T> {
    /// The time of the wheel: no event is before it.
    present: u64,
    levels: Box<[Level; LEVELS]>,
    /// Which levels have any event, one bit each.
    occupied: u32,
    slab: Vec<Entry<T>>,
    /// The first of the entries that are free, linked by `next`.
    free: u32,
    len: usize,
}

#[derive(Debug)]
struct Level {
    /// Which slots have any event, one bit each.
    occupied: u64,
    slots: [List; SLOTS],
}

/// The first and the last entry of a slot. Meaningless where the slot's bit is not set.
#[derive(Clone, Copy, Debug)]
struct List {
    first: u32,
    last: u32,
}

#[derive(Debug)]
struct Entry<T> {
    time: u64,
    before: u32,
    next: u32,
    /// Nothing where the entry is free.
    value: Option<T>,
}

/// An event in the wheel, to take it back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Key(u32);

impl<T> Wheel<T> {
    /// An empty wheel at time 0.
    pub(super) fn new() -> Self {
        let level = || Level { occupied: 0, slots: [List { first: NONE, last: NONE }; SLOTS] };
        Self {
            present: 0,
            levels: Box::new(array::from_fn(|_| level())),
            occupied: 0,
            slab: Vec::new(),
            free: NONE,
            len: 0,
        }
    }

    /// How many events there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Puts an event in.
    ///
    /// # Panics
    ///
    /// If `time` lies before that of an event that came out, or if there are 2^32 - 1 events.
    pub(super) fn insert(&mut self, time: u64, value: T) -> Key {
        assert!(time >= self.present, "an event must not lie in the past");
        let entry = Entry { time, before: NONE, next: NONE, value: Some(value) };
        let index = if self.free == NONE {
            let index = u32::try_from(self.slab.len()).expect("fewer than 2^32 events");
            assert!(index != NONE, "fewer than 2^32 - 1 events");
            self.slab.push(entry);
            index
        } else {
            let index = self.free;
            self.free = self.slab[index as usize].next;
            self.slab[index as usize] = entry;
            index
        };
        self.link(index, time);
        self.len += 1;
        Key(index)
    }

    /// Puts an event in that comes out at once, before all others.
    ///
    /// # Panics
    ///
    /// If there are 2^32 - 1 events.
    pub(super) fn insert_first(&mut self, value: T) -> Key {
        let key = self.insert(self.present, value);
        let (number, slot) = place(self.present, self.present);
        let List { first, last } = self.levels[number].slots[slot];
        if first != key.0 {
            // It is the last of its slot: from there it moves to the front.
            let before = self.slab[last as usize].before;
            self.slab[before as usize].next = NONE;
            self.slab[last as usize].before = NONE;
            self.slab[last as usize].next = first;
            self.slab[first as usize].before = last;
            self.levels[number].slots[slot] = List { first: last, last: before };
        }
        key
    }

    /// Takes an event back. `key` must be of an event that has not come out.
    ///
    /// # Panics
    ///
    /// If it has come out, and its place is free.
    pub(super) fn remove(&mut self, key: Key) -> T {
        let index = key.0;
        let value = self.slab[index as usize].value.take().expect("the event is in the wheel");
        self.unlink(index);
        self.release(index);
        value
    }

    /// The first event, if its time is at most `until`.
    #[inline]
    pub(super) fn pop(&mut self, until: u64) -> Option<(u64, T)> {
        loop {
            // The first slot of the lowest wheel that has any: no event is earlier.
            let number = self.occupied.trailing_zeros() as usize;
            let level = self.levels.get_mut(number)?;
            let slot = level.occupied.trailing_zeros() as usize;
            let List { first, last } = level.slots[slot];
            let entry = &mut self.slab[first as usize];
            // An event that is alone in its slot need not move down.
            if number == 0 || first == last {
                if entry.time > until {
                    return None;
                }
                let (time, next) = (entry.time, entry.next);
                let value = entry.value.take().expect("an entry in a list has a value");
                if next == NONE {
                    self.vacate(number, slot);
                } else {
                    level.slots[slot].first = next;
                    self.slab[next as usize].before = NONE;
                }
                self.present = time;
                self.release(first);
                return Some((time, value));
            }
            let shift = BITS * number as u32;
            let start = entry.time >> shift << shift;
            if start > until {
                return None;
            }
            self.present = start;
            self.vacate(number, slot);
            self.move_down(first);
        }
    }

    /// Marks a slot as empty.
    fn vacate(&mut self, number: usize, slot: usize) {
        let level = &mut self.levels[number];
        level.occupied &= !(1 << slot);
        if level.occupied == 0 {
            self.occupied &= !(1 << number);
        }
    }

    /// Moves the events of a slot that the present has entered to the wheels below.
    fn move_down(&mut self, first: u32) {
        let mut index = first;
        while index != NONE {
            let Entry { time, next, .. } = self.slab[index as usize];
            self.link(index, time);
            index = next;
        }
    }

    /// Puts an entry at the end of its slot's list.
    fn link(&mut self, index: u32, time: u64) {
        let (number, slot) = place(self.present, time);
        let level = &mut self.levels[number];
        let list = &mut level.slots[slot];
        let bit = 1 << slot;
        let before = if level.occupied & bit == 0 {
            level.occupied |= bit;
            self.occupied |= 1 << number;
            list.first = index;
            NONE
        } else {
            self.slab[list.last as usize].next = index;
            list.last
        };
        list.last = index;
        let entry = &mut self.slab[index as usize];
        entry.before = before;
        entry.next = NONE;
    }

    /// Takes an entry out of its slot's list. Its place follows from its time: the present has not
    /// entered the slot since it was put there.
    fn unlink(&mut self, index: u32) {
        let Entry { time, before, next, .. } = self.slab[index as usize];
        let (number, slot) = place(self.present, time);
        let level = &mut self.levels[number];
        match (before, next) {
            (NONE, NONE) => self.vacate(number, slot),
            (NONE, next) => {
                level.slots[slot].first = next;
                self.slab[next as usize].before = NONE;
            }
            (before, NONE) => {
                level.slots[slot].last = before;
                self.slab[before as usize].next = NONE;
            }
            (before, next) => {
                self.slab[before as usize].next = next;
                self.slab[next as usize].before = before;
            }
        }
    }

    /// Gives an entry back to the free ones.
    fn release(&mut self, index: u32) {
        self.slab[index as usize].next = self.free;
        self.free = index;
        self.len -= 1;
    }
}

/// The wheel and the slot for a time: where its highest bits differ from the present's.
#[inline]
fn place(present: u64, time: u64) -> (usize, usize) {
    let differing = present ^ time;
    let level = (differing | 1).ilog2() / BITS;
    let slot = time >> (BITS * level) & (SLOTS as u64 - 1);
    (level as usize, slot as usize)
}
