use std::collections::BTreeSet;
use std::sync::Arc;

use labs::clocks::SparseMatrix;
use proptest::prelude::*;

use super::super::address::{DOMAIN_MAX, NAME_MAX};
use super::super::maildir::{self, Maildir};
use super::*;

fn mail(body: &str, known: u32) -> Mail {
    let address = |name: &str| Address::new(name, "a.org").unwrap();
    let mut clock = SparseMatrix::new();
    for i in 0..known {
        clock.tick(&address(&format!("user{i}")), &address("bob"));
    }
    let to: BTreeSet<_> = [address("bob"), address("carol")].into();
    let envelope = Envelope { from: address("alice"), to, clock: Arc::new(clock) };
    Mail { n: 7, sent_us: 1_763_800_000_123_456, envelope, body: body.to_owned() }
}

#[test]
fn a_mail_in_a_file_is_one_that_other_programs_read() {
    let text = mail("Hello Bob,\n\nsee you: @ noon.\n", 1).to_text().unwrap();
    assert_eq!(
        text,
        "From: alice@a.org\nTo: bob@a.org,\n carol@a.org\nDate: Sat, 22 Nov 2025 08:26:40 +0000\n\
             Subject: Hello Bob,\nMessage-ID: <7.alice@a.org>\nMIME-Version: 1.0\n\
             Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\
             X-Causal-Sent: 7 1763800000123456\n\
             X-Causal-Clock: {\"user0@a.org\":{\"bob@a.org\":1}}\n\n\
             Hello Bob,\n\nsee you: @ noon.\n"
    );
    assert_eq!(mail("", 0).file_name(), "1763800000.M123456Q7.alice=a.org");
}

#[test]
fn the_names_of_its_files_are_told_from_others() {
    assert!(is_file_name(mail("", 0).file_name().as_ref()));
    for other in ["", "x", "1.2.host", "1763800000.M1P2Q3.host", "1.M2Q3.alice", "1.MQ.a=b"] {
        assert!(!is_file_name(other.as_ref()), "{other}");
    }
}

/// Another server may send any number and date: a name that the file system refuses would stop
/// this one.
#[test]
fn the_longest_file_name_fits_into_a_folder() {
    let address = Address::new(&"n".repeat(NAME_MAX), &"d".repeat(DOMAIN_MAX)).unwrap();
    let mut longest = mail("", 0);
    (longest.n, longest.sent_us) = (u64::MAX, u64::MAX);
    longest.envelope.from = address;
    let (name, folder) = (longest.file_name(), tempfile::tempdir().unwrap());
    let maildir = Maildir::open(folder.path().to_owned()).unwrap();
    maildir.deliver(&name, &longest.to_text().unwrap()).unwrap();
    let path = maildir.place(&name);
    maildir.mark_seen(&path).unwrap();
    let seen = &maildir.files().unwrap()[0];
    assert_eq!(Mail::from_text(&maildir::read(seen).unwrap()), Some(longest));
}

#[test]
fn a_subject_cannot_command_a_terminal() {
    let text = mail("\u{1b}[2Jhello\u{202e}\nX-Causal-Sent: 9 9\n", 1).to_text().unwrap();
    assert!(text.contains("\nSubject: \\u{1b}[2Jhello\\u{202e}\nMessage-ID"), "{text}");
}

#[test]
fn long_headers_are_folded() {
    let long = mail(&"Žluťoučký kůň pěl ďábelské ódy ".repeat(4), 300);
    let text = long.to_text().unwrap();
    let (head, _) = text.split_once("\n\n").unwrap();
    assert!(head.lines().all(|line| line.len() < 998), "{head}");
    assert!(head.contains("Subject: =?utf-8?B?"));
    assert_eq!(Mail::from_text(&text), Some(long));
}

#[test]
fn what_is_no_mail_of_ours_is_nothing() {
    for text in ["", "From: alice@a.org\n\nhello", "\n\n", "X-Causal-Sent: 1\n\n"] {
        assert_eq!(Mail::from_text(text), None);
    }
}

proptest! {
    #[test]
    fn any_body_comes_back_as_it_was(body in any::<String>()) {
        let mail = mail(&body, 2);
        prop_assert_eq!(Mail::from_text(&mail.to_text().unwrap()), Some(mail));
    }
}
