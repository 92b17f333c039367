//! How many bytes of a mail are its clock, as users grow: the dense matrix, the sparse one, and what an
//! incremental stamp carries of it.
//!
//! Each user has some friends, and writes only to them; whoever reads a mail answers to one of its own friends
//! half of the time. Bytes are those of netkit's codec, ranks being four bytes. Usage: `cargo bench -p causal-mail`.

use std::collections::VecDeque;

use causal_mail::ordering::{Envelope, Knowledge, Stamps};
use labs::process::{ProcessId, split_mix};

/// How many others a user writes to.
const FRIENDS: u64 = 5;

/// How many mails each user writes of its own accord; the first half is not measured.
const MAILS: u32 = 20;

struct Measured {
    mails: u64,
    entries: u64,
    bytes: u64,
    largest: u64,
}

fn main() {
    println!(
        "bytes of clock per mail, mean (largest) over the second half of {MAILS} mails of each user, \
         {FRIENDS} friends each"
    );
    println!(
        "{:>6} {:>12} {:>20} {:>20} {:>12}",
        "users", "dense", "sparse", "incremental", "inc./sparse"
    );
    for users in [10, 100, 1_000] {
        let [sparse, incremental] = [Stamps::Full, Stamps::Incremental].map(|s| measure(users, s));
        let dense = dense_bytes(users);
        let mean = |measured: &Measured| measured.bytes as f64 / measured.mails as f64;
        let shown = |m: &Measured| format!("{:.0} ({})", mean(m), m.largest);
        println!(
            "{users:>6} {dense:>12} {:>20} {:>20} {:>12.3}   ({:.1} and {:.1} entries)",
            shown(&sparse),
            shown(&incremental),
            mean(&incremental) / mean(&sparse),
            sparse.entries as f64 / sparse.mails as f64,
            incremental.entries as f64 / incremental.mails as f64,
        );
        assert_eq!(sparse.mails, incremental.mails, "the same mails in both");
    }
}

/// All entries of eight bytes, and their number.
fn dense_bytes(users: u32) -> u64 {
    let number_of_processes = 4;
    let number_of_entries = 8;
    number_of_processes + number_of_entries + 8 * u64::from(users).pow(2)
}

fn friend(user: u32, users: u32, random: &mut u64) -> ProcessId {
    let mut own = u64::from(user) << 8 | split_mix(random) % FRIENDS;
    let other = (split_mix(&mut own) % u64::from(users - 1)) as u32;
    ProcessId((user + 1 + other) % users)
}

/// Mails arrive in the order of their sending, which is a causal order.
fn measure(users: u32, stamps: Stamps) -> Measured {
    let mut all: Vec<_> = (0..users).map(|rank| Knowledge::new(ProcessId(rank), stamps)).collect();
    let mut measured = Measured { mails: 0, entries: 0, bytes: 0, largest: 0 };
    let mut random = 7;
    let mut under_way: VecDeque<Envelope<ProcessId>> = VecDeque::new();
    for round in 0..MAILS {
        for user in 0..users {
            let to = friend(user, users, &mut random);
            under_way.push_back(all[user as usize].write([to].into()));
            // Few are under way at once, as among people.
            while under_way.len() > users as usize / 10 {
                let Some(envelope) = under_way.pop_front() else { break };
                for reader in &envelope.to {
                    all[reader.index()].read(&envelope);
                    if split_mix(&mut random) % 2 == 0 {
                        let to = friend(reader.0, users, &mut random);
                        under_way.push_back(all[reader.index()].write([to].into()));
                    }
                }
                if round >= MAILS / 2 {
                    measured.add(&envelope);
                }
            }
        }
    }
    measured
}

impl Measured {
    fn add(&mut self, envelope: &Envelope<ProcessId>) {
        let mut bytes = Vec::new();
        netkit::codec::encode(&envelope.clock, &mut bytes).expect("a clock can be encoded");
        self.mails += 1;
        self.entries += envelope.clock.len() as u64;
        self.bytes += bytes.len() as u64;
        self.largest = self.largest.max(bytes.len() as u64);
    }
}
