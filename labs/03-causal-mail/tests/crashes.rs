//! Servers are killed with -9 at random moments under load, and started again: every acknowledged
//! mail is read exactly once, in causal order.
//!
//! 30 times, which takes seconds; as often as `CAUSAL_MAIL_KILLS` says.

mod common;

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use causal_mail::causal_mail::Indication;
use causal_mail::ordering::Order;
use causal_mail::post::session::{Options, Session};
use causal_mail::properties::{Addressees, CausalDelivery, ReadOnce};
use common::post::{Post, address};
use labs::process::{ProcessId, split_mix};
use labs::trace::Happening;
use labs::verdict::{End, Judge, Property, Witness};

const SERVERS: usize = 3;

const USERS: [&str; 2] = ["ann", "ben"];

/// What the monitors take; the kills have equal shares of them.
const MAILS_MAX: u32 = 16_000;

/// How many mails are written between two kills at the most.
const MAILS_A_KILL: u32 = 200;

/// The longest time that a server runs before it is killed, and that it is down.
const RUNS_MAX_US: u64 = 120_000;
const DOWN_MAX_US: u64 = 30_000;

/// After how many rounds a user opens its box anew.
const REOPEN: u32 = 12;

/// How many rounds of some milliseconds all may take to read what is left at the end.
const PATIENCE: u32 = 2_000;

/// Whom a mail is for: everyone but its writer has a place in a circle behind it.
fn recipients(mail: u32, writer: usize) -> BTreeSet<usize> {
    let all = SERVERS * USERS.len();
    let mut random = u64::from(mail);
    let count = 1 + split_mix(&mut random) % 3;
    (0..count).map(|_| (writer + 1 + (split_mix(&mut random) as usize) % (all - 1)) % all).collect()
}

/// Mails are numbered so that the number says the writer.
fn writer(mail: u32) -> usize {
    mail as usize % (SERVERS * USERS.len())
}

struct Users {
    judge: Mutex<Judge>,
    /// How many readings the acknowledged mails must have, and how many there were.
    due: AtomicU32,
    read: AtomicU32,
    /// Mails from this one on may not be written yet.
    allowed: AtomicU32,
    /// No more mails are to be written.
    is_over: AtomicBool,
}

impl Users {
    fn note(&self, user: usize, indication: Indication) {
        let at = Witness { process: ProcessId(user as u32), n: 0 };
        self.judge.lock().unwrap().on_event(at, Happening::Indication(&indication));
    }

    /// Writes and reads until it is over and all is read. Now and then opens the box anew, and
    /// forgets all that the server does not know.
    fn live(&self, user: usize, options: Options) {
        let all = SERVERS * USERS.len();
        let mut mine = (0..MAILS_MAX).filter(|&mail| writer(mail) == user).peekable();
        let mut session = Session::open(options.clone()).unwrap();
        let mut left = PATIENCE;
        for round in 1_u32.. {
            let is_over = self.is_over.load(Ordering::SeqCst);
            let (read, due) = (self.read.load(Ordering::SeqCst), self.due.load(Ordering::SeqCst));
            if is_over && read == due {
                return;
            }
            left -= u32::from(is_over);
            assert!(left > 0, "{read} of {due} were read, and nothing more comes");
            if round % REOPEN == 0 {
                session = Session::open(options.clone()).unwrap();
            }
            let allowed = self.allowed.load(Ordering::SeqCst);
            if !is_over && let Some(mail) = mine.next_if(|&mail| mail < allowed) {
                let to = recipients(mail, user);
                self.due.fetch_add(to.len() as u32, Ordering::SeqCst);
                self.note(user, Indication::Wrote(mail));
                let to: Vec<_> = to.into_iter().map(name).collect();
                session.send(&to, &mail.to_string()).unwrap();
            }
            session.wait(1, Duration::from_millis(5)).unwrap();
            while let Some(mail) = session.next_mail() {
                let number: u32 = mail.body.parse().unwrap();
                assert!(recipients(number, writer(number)).contains(&user) && user < all);
                self.note(user, Indication::Read(number));
                session.confirm(&mail).unwrap();
                self.read.fetch_add(1, Ordering::SeqCst);
            }
        }
    }
}

fn name(user: usize) -> String {
    address(user % SERVERS, USERS[user / SERVERS])
}

#[expect(clippy::disallowed_methods, reason = "random moments are the test: there is no event")]
fn pause(us: u64) {
    thread::sleep(Duration::from_micros(us));
}

fn kills() -> u32 {
    let set = std::env::var("CAUSAL_MAIL_KILLS").ok();
    set.map_or(30, |kills| kills.parse().expect("CAUSAL_MAIL_KILLS is a number"))
}

#[test]
fn every_acknowledged_mail_is_read_once_and_in_causal_order() {
    let kills = kills();
    let mut post = Post::up(SERVERS, &USERS);
    let addressees = (0..MAILS_MAX).map(|mail| {
        recipients(mail, writer(mail)).into_iter().map(|user| ProcessId(user as u32)).collect()
    });
    let addressees = Addressees::from(addressees.collect::<Vec<Vec<_>>>());
    let all = SERVERS * USERS.len();
    let demanded = [
        Property::safety("causal delivery", CausalDelivery::new(all as u32, &addressees)),
        Property::liveness("every mail read once", ReadOnce::new(all as u32, &addressees)),
    ];
    let users = Users {
        judge: Mutex::new(Judge::new(&demanded, all as u32)),
        due: AtomicU32::new(0),
        read: AtomicU32::new(0),
        allowed: AtomicU32::new(0),
        is_over: AtomicBool::new(false),
    };
    thread::scope(|scope| {
        for user in 0..all {
            let options = post.options(user % SERVERS, USERS[user / SERVERS], Order::Causal);
            let users = &users;
            scope.spawn(move || users.live(user, options));
        }
        let mut random = 0xdead;
        let mut below = |n: u64| split_mix(&mut random) % n;
        let share = (MAILS_MAX / kills).min(MAILS_A_KILL);
        for _ in 0..kills {
            users.allowed.fetch_add(share, Ordering::SeqCst);
            pause(below(RUNS_MAX_US));
            let server = below(SERVERS as u64) as usize;
            post.kill(server);
            pause(below(DOWN_MAX_US));
            post.start(server, &[]);
        }
        users.is_over.store(true, Ordering::SeqCst);
    });
    let due = users.due.into_inner();
    let read = users.read.into_inner();
    assert_eq!(read, due);
    assert!(due > 2 * kills, "{due} readings are no load for {kills} kills");
    // What was never written is not read: the run was cut short for all those, if there are any.
    let verdicts = users.judge.into_inner().unwrap().verdicts(&End::CutShort("over".to_owned()));
    assert_eq!(verdicts[0].holds(), Some(true), "{verdicts:?}");
    assert_ne!(verdicts[1].holds(), Some(false), "twice, or for somebody else: {verdicts:?}");
    for server in 0..SERVERS {
        let said = post.said(server);
        assert!(!said.contains("ERROR") && !said.contains("damaged"), "{said}");
    }
    println!("{kills} kills, {due} readings; {}", verdicts[0].detail());
}
