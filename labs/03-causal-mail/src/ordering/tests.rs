use std::collections::BTreeSet;
use std::sync::Arc;

use labs::clocks::SparseMatrix;
use proptest::prelude::*;

use super::{Envelope, Inbox, Knowledge, Mailed, Order, Stamps};

#[derive(Clone, Debug, Eq, PartialEq)]
struct Mail(u32, Envelope<&'static str>);

impl Mailed<&'static str> for Mail {
    fn envelope(&self) -> &Envelope<&'static str> {
        &self.1
    }
}

fn to(names: &[&'static str]) -> BTreeSet<&'static str> {
    names.iter().copied().collect()
}

/// Alice writes to Carol and then to Bob, who answers to Carol. The answer arrives first.
fn answer_first(order: Order, stamps: Stamps) -> Vec<u32> {
    let mut alice = Knowledge::new("alice", stamps);
    let mut bob = Knowledge::new("bob", stamps);
    let mut carol = Knowledge::new("carol", stamps);
    let first = Mail(1, alice.write(to(&["carol"])));
    let second = alice.write(to(&["bob"]));
    assert!(bob.read(&second));
    let answer = Mail(2, bob.write(to(&["carol"])));
    let mut inbox = Inbox::new(order);
    let mut read = Vec::new();
    for mail in [answer, first] {
        assert!(inbox.arrive(mail, &carol));
        while let Some(Mail(id, _)) = inbox.next(&mut carol) {
            read.push(id);
        }
    }
    read
}

#[test]
fn the_anomaly_and_its_cure() {
    for stamps in [Stamps::Full, Stamps::Incremental] {
        assert_eq!(answer_first(Order::None, stamps), [2, 1]);
        assert_eq!(answer_first(Order::Fifo, stamps), [2, 1], "FIFO is not enough");
        assert_eq!(answer_first(Order::Causal, stamps), [1, 2]);
    }
}

/// She cannot wait, for she does not know for what; of two that are here she reads the smaller.
#[test]
fn by_a_scalar_the_smallest_that_is_here_is_read() {
    assert_eq!(answer_first(Order::Scalar, Stamps::Full), [2, 1]);
    let mut alice = Knowledge::new("alice", Stamps::Full);
    let mut carol = Knowledge::new("carol", Stamps::Full);
    let [one, two] = [1, 2].map(|id| Mail(id, alice.write(to(&["carol"]))));
    let mut inbox = Inbox::new(Order::Scalar);
    inbox.arrive(two, &carol);
    inbox.arrive(one, &carol);
    let read = [inbox.next(&mut carol), inbox.next(&mut carol)].map(|mail| mail.unwrap().0);
    assert_eq!(read, [1, 2]);
}

#[test]
fn by_a_vector_a_mail_waits_for_mails_to_others() {
    let mut alice = Knowledge::new("alice", Stamps::Full);
    let mut bob = Knowledge::new("bob", Stamps::Full);
    alice.write(to(&["carol"]));
    let mail = Mail(2, alice.write(to(&["bob"])));
    let mut inbox = Inbox::new(Order::Vector);
    inbox.arrive(mail.clone(), &bob);
    assert_eq!(inbox.next(&mut bob), None);
    assert_eq!(bob.missing(&mail.1, Order::Vector), [("alice", 1, 1)]);
    assert_eq!(bob.missing(&mail.1, Order::Causal), []);
}

#[test]
fn sums_of_hostile_counts_do_not_overflow() {
    let mut clock = SparseMatrix::new();
    clock.learn(&"alice", &"bob", u64::MAX);
    clock.learn(&"alice", &"carol", u64::MAX);
    let mail = Mail(1, Envelope { from: "alice", to: to(&["bob"]), clock: Arc::new(clock) });
    for order in [Order::Scalar, Order::Vector] {
        let mut bob = Knowledge::new("bob", Stamps::Full);
        let mut inbox = Inbox::new(order);
        inbox.arrive(mail.clone(), &bob);
        assert_eq!(inbox.next(&mut bob).is_some(), order == Order::Scalar);
    }
}

#[test]
fn what_is_held_says_what_it_waits_for() {
    let mut alice = Knowledge::new("alice", Stamps::Full);
    let carol = Knowledge::new("carol", Stamps::Full);
    alice.write(to(&["carol"]));
    alice.write(to(&["carol", "bob"]));
    let third = Mail(3, alice.write(to(&["carol"])));
    assert_eq!(third.1.number(&"carol"), 3);
    let mut inbox = Inbox::new(Order::Causal);
    inbox.arrive(third, &carol);
    let held: Vec<_> = inbox.held(&carol).map(|(mail, missing)| (mail.0, missing)).collect();
    assert_eq!(held, [(3, vec![("alice", 1, 2)])]);
}

#[test]
fn fifo_order_waits_for_the_same_sender_only() {
    let mut alice = Knowledge::new("alice", Stamps::Full);
    let mut carol = Knowledge::new("carol", Stamps::Full);
    let [one, two] = [1, 2].map(|id| Mail(id, alice.write(to(&["carol"]))));
    let mut inbox = Inbox::new(Order::Fifo);
    inbox.arrive(two, &carol);
    assert_eq!(inbox.next(&mut carol), None);
    inbox.arrive(one, &carol);
    let read = [inbox.next(&mut carol), inbox.next(&mut carol)].map(|mail| mail.unwrap().0);
    assert_eq!(read, [1, 2]);
}

#[test]
fn a_mail_to_oneself_and_a_copy_of_a_mail_are_no_trouble() {
    let mut alice = Knowledge::new("alice", Stamps::Full);
    let mail = Mail(1, alice.write(to(&["alice", "bob"])));
    let mut inbox = Inbox::new(Order::Causal);
    assert!(inbox.arrive(mail.clone(), &alice));
    assert!(!inbox.arrive(mail.clone(), &alice), "it is there already");
    assert_eq!(inbox.next(&mut alice), Some(mail.clone()));
    assert!(!inbox.arrive(mail.clone(), &alice), "it was read");
    assert!(!alice.read(&mail.1));
    let mut carol = Knowledge::new("carol", Stamps::Full);
    assert!(!carol.read(&mail.1), "it is not for her");
}

#[test]
fn an_incremental_stamp_says_what_is_new() {
    let mut alice = Knowledge::new("alice", Stamps::Incremental);
    let mut bob = Knowledge::new("bob", Stamps::Incremental);
    for _ in 0..3 {
        alice.write(to(&["carol"]));
    }
    let first = alice.write(to(&["bob"]));
    let second = alice.write(to(&["bob"]));
    assert_eq!((first.clock.len(), second.clock.len()), (1, 1), "carol's count, then bob's own");
    assert_eq!((first.number(&"bob"), second.number(&"bob")), (1, 2));
    assert!(bob.read(&first) && bob.read(&second));
    assert_eq!(bob.clock(), alice.clock());
}

const NAMES: [&str; 4] = ["alice", "bob", "carol", "dave"];

proptest! {
    /// Whoever writes what to whom, and in whatever order it arrives: with either kind of stamp,
    /// mails are read at the same moments, and everybody knows the same.
    #[test]
    fn incremental_stamps_are_as_good_as_full_ones(
        steps in prop::collection::vec((0_usize..4, 1_u8..16, any::<prop::sample::Index>()), 1..40)
    ) {
        let worlds = [Stamps::Full, Stamps::Incremental].map(|stamps| play(stamps, Order::Causal, &steps));
        prop_assert_eq!(&worlds[0], &worlds[1]);
    }

    /// Where every mail is for everyone, a vector says as much as the matrix.
    #[test]
    fn for_broadcast_a_vector_is_enough(
        writers in prop::collection::vec((0_usize..4, any::<prop::sample::Index>()), 1..40)
    ) {
        let everyone_else = |writer: usize| 15 & !(1_u8 << writer);
        let step = |(writer, index)| (writer, everyone_else(writer), index);
        let steps: Vec<_> = writers.into_iter().map(step).collect();
        let worlds = [Order::Causal, Order::Vector].map(|order| play(Stamps::Full, order, &steps));
        prop_assert_eq!(&worlds[0], &worlds[1]);
    }
}

/// In each step somebody writes to some, and one mail that is under way arrives. Returns who read
/// what, in order, and what all know in the end.
fn play(
    stamps: Stamps,
    order: Order,
    steps: &[(usize, u8, prop::sample::Index)],
) -> (Vec<(usize, u32)>, Vec<String>) {
    let mut all = NAMES.map(|name| (Knowledge::new(name, stamps), Inbox::new(order)));
    let mut under_way: Vec<(usize, Mail)> = Vec::new();
    let mut read = Vec::new();
    let mut arrive = |under_way: &mut Vec<(usize, Mail)>, place: usize, all: &mut [_; 4]| {
        let (reader, mail): (usize, Mail) = under_way.remove(place);
        let (knowledge, inbox): &mut (Knowledge<&'static str>, Inbox<Mail>) = &mut all[reader];
        inbox.arrive(mail, knowledge);
        while let Some(Mail(id, _)) = inbox.next(knowledge) {
            read.push((reader, id));
        }
    };
    for (id, (writer, mask, index)) in (0..).zip(steps) {
        let recipients: Vec<_> = (0..4).filter(|i| mask & 1 << i != 0).collect();
        let names = recipients.iter().map(|&i| NAMES[i]).collect();
        let envelope = all[*writer].0.write(names);
        under_way.extend(recipients.into_iter().map(|i| (i, Mail(id, envelope.clone()))));
        let place = index.index(under_way.len());
        arrive(&mut under_way, place, &mut all);
    }
    while !under_way.is_empty() {
        let last = under_way.len() - 1;
        arrive(&mut under_way, last, &mut all);
    }
    for (_, inbox) in &all {
        assert!(inbox.waiting().is_empty(), "everything arrived, and is read");
    }
    (read, all.iter().map(|(knowledge, _)| format!("{:?}", knowledge.clock())).collect())
}
