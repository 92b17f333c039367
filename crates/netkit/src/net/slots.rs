//! Where the sources of events are kept, and how they are named.
//!
//! mio names a source by a number, and uses the numbers of closed sources again. A program must
//! never take a new connection for an old one of the same number. So a name here is a place and a
//! serial number; a serial number is used once. A place that becomes free in a turn is not used
//! before the next turn, because an event of this turn may still carry its number.

use mio::Token;

/// Tokens below this are not places.
const FIRST_TOKEN: usize = 2;

/// The name of a place and of what was in it at one time.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct Key {
    /// Counts up over all places: keys are ordered by age.
    pub(super) serial: u64,
    place: u32,
}

impl Key {
    pub(super) fn token(self) -> Token {
        Token(self.place as usize + FIRST_TOKEN)
    }
}

/// Places for `T`, found by key or by token.
#[derive(Debug)]
pub(super) struct Slots<T> {
    places: Vec<Option<(u64, T)>>,
    free: Vec<u32>,
    freed_in_this_turn: Vec<u32>,
    next_serial: u64,
}

impl<T> Slots<T> {
    pub(super) fn new() -> Self {
        Slots {
            places: Vec::new(),
            free: Vec::new(),
            freed_in_this_turn: Vec::new(),
            next_serial: 0,
        }
    }

    pub(super) fn insert(&mut self, value: T) -> Key {
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(None);
            u32::try_from(self.places.len() - 1).expect("fewer than 2^32 file descriptors")
        });
        let key = Key { serial: self.next_serial, place };
        self.next_serial += 1;
        self.places[place as usize] = Some((key.serial, value));
        key
    }

    #[inline]
    pub(super) fn find(&mut self, key: Key) -> Option<&mut T> {
        match self.places.get_mut(key.place as usize) {
            Some(Some((serial, value))) if *serial == key.serial => Some(value),
            _ => None,
        }
    }

    pub(super) fn peek(&self, key: Key) -> Option<&T> {
        match self.places.get(key.place as usize) {
            Some(Some((serial, value))) if *serial == key.serial => Some(value),
            _ => None,
        }
    }

    /// The key of what is at a token now.
    pub(super) fn key_of(&self, token: Token) -> Option<Key> {
        let place = token.0.checked_sub(FIRST_TOKEN)?;
        let (serial, _) = self.places.get(place)?.as_ref()?;
        Some(Key { serial: *serial, place: u32::try_from(place).ok()? })
    }

    pub(super) fn remove(&mut self, key: Key) -> Option<T> {
        self.find(key)?;
        self.freed_in_this_turn.push(key.place);
        self.places[key.place as usize].take().map(|(_, value)| value)
    }

    pub(super) fn end_turn(&mut self) {
        self.free.append(&mut self.freed_in_this_turn);
    }
}
