//! The grammar of `hosts.txt` as a table, and what must hold for any text.

use proptest::prelude::*;

use super::*;

/// What the machines of a text print as, or the error.
fn read(text: &str) -> Result<String, String> {
    let hosts = Hosts::parse(text).map_err(|error| error.to_string())?;
    Ok(hosts.iter().map(Host::to_string).collect::<Vec<_>>().join(", "))
}

#[test]
fn every_form_of_a_line_is_read() {
    let table = [
        ("localhost", "localhost"),
        ("lab01\nlab02", "lab01, lab02"),
        ("  lab01  \r\n\tlab02\r\n", "lab01, lab02"),
        ("# room 3\n\nlab01 # by the window\nlab02#x", "lab01, lab02"),
        ("student@lab01:2222 slots=4", "student@lab01:2222 slots=4"),
        ("lab01 slots=1", "lab01"),
        ("10.0.0.7:22", "10.0.0.7:22"),
        ("[::1]:22", "[::1]:22"),
        ("me@[2001:db8::7] slots=2", "me@[2001:db8::7] slots=2"),
        ("[fe80::1%eth0]", "[fe80::1%eth0]"),
        ("lab[01-03]", "lab01, lab02, lab03"),
        ("lab[1-3,8]", "lab1, lab2, lab3, lab8"),
        (
            "n[008-010].example.org:23",
            "n008.example.org:23, n009.example.org:23, n010.example.org:23",
        ),
        ("lab[9-11]", "lab9, lab10, lab11"),
        ("lab[7]", "lab7"),
        ("[1-2]x", "1x, 2x"),
        ("me@lab[1-2] slots=3", "me@lab1 slots=3, me@lab2 slots=3"),
        ("lab01\nlab01", "lab01, lab01"),
        ("\u{feff}lab01\r\nlab02\r\n", "lab01, lab02"),
        ("\u{feff}# only\nlab01 # \u{200b}", "lab01"),
    ];
    for (text, hosts) in table {
        assert_eq!(read(text).as_deref(), Ok(hosts), "{text:?}");
    }
}

#[test]
fn what_cannot_be_read_names_its_line_and_the_fault() {
    let table = [
        ("", "no machine is named; write one a line: [user@]host[:port] [slots=N]"),
        ("# nothing\n\n", "no machine is named; write one a line: [user@]host[:port] [slots=N]"),
        (
            "lab01\n@lab02",
            "line 2: `` is no user name; before the @ stand letters, digits and . _ -",
        ),
        ("a;b@lab", "line 1: `a;b` is no user name; before the @ stand letters, digits and . _ -"),
        (
            "a@-x",
            "line 1: `-x` is no host name or address; an IPv6 address stands in brackets: [::1]",
        ),
        ("a@", "line 1: `` is no host name or address; an IPv6 address stands in brackets: [::1]"),
        (
            "::1",
            "line 1: `::1` is no host name or address; an IPv6 address stands in brackets: [::1]",
        ),
        (
            "[::x]",
            "line 1: `::x` is no host name or address; an IPv6 address stands in brackets: [::1]",
        ),
        (
            "[::1]x",
            "line 1: `x` is no host name or address; an IPv6 address stands in brackets: [::1]",
        ),
        ("[::1", "line 1: a bracket is not closed in `[::1`"),
        (
            "lab$(id)",
            "line 1: `lab$(id)` is no host name or address; an IPv6 address stands in brackets: [::1]",
        ),
        ("lab\u{1b}[2J", "line 1: a bracket is not closed in `lab\\u{1b}[2J`"),
        ("lab:0", "line 1: `0` is no port; it is a number from 1 to 65535"),
        ("lab:65536", "line 1: `65536` is no port; it is a number from 1 to 65535"),
        ("lab:+22", "line 1: `+22` is no port; it is a number from 1 to 65535"),
        ("lab:", "line 1: `` is no port; it is a number from 1 to 65535"),
        ("lab[1-", "line 1: a bracket is not closed in `lab[1-`"),
        ("lab1]", "line 1: a bracket is not closed in `lab1]`"),
        ("lab[1-2][3-4]", "line 1: a bracket is not closed in `lab[1-2][3-4]`"),
        ("lab[]", "line 1: `[]` is no range; write [01-16] or [1-3,8]"),
        ("lab[3-1]", "line 1: `[3-1]` is no range; write [01-16] or [1-3,8]"),
        ("lab[1-x]", "line 1: `[1-x]` is no range; write [01-16] or [1-3,8]"),
        ("lab[1,,2]", "line 1: `[1,,2]` is no range; write [01-16] or [1-3,8]"),
        (
            "lab[0000000000001-2]",
            "line 1: `[0000000000001-2]` is no range; write [01-16] or [1-3,8]",
        ),
        ("lab[1-999999999]", "line 1: more than 4096 machines"),
        ("lab[1-4096]\nlab0", "line 2: more than 4096 machines"),
        ("lab01 slots=0", "line 1: `0` is no number of slots; it is a number from 1 to 100000"),
        (
            "lab01 slots=many",
            "line 1: `many` is no number of slots; it is a number from 1 to 100000",
        ),
        ("lab01 slots=1 slots=2", "line 1: slots= stands twice"),
        (
            "lab01 slot=1",
            "line 1: `slot=1` is not understood; behind the host stands slots=N or nothing",
        ),
        (
            "lab01 lab02",
            "line 1: `lab02` is not understood; behind the host stands slots=N or nothing",
        ),
    ];
    for (text, error) in table {
        assert_eq!(read(text), Err(error.to_owned()), "{text:?}");
    }
}

#[test]
fn what_looks_right_and_is_not_says_what_is_wrong() {
    let table = [
        ("lab[1:3]", "line 1: `[1:3]` is no range; write [01-16] or [1-3,8]"),
        ("lab[1:3]:22", "line 1: `[1:3]` is no range; write [01-16] or [1-3,8]"),
        (
            "lab01\n\u{feff}lab02",
            "line 2: `\\u{feff}lab02` has an invisible character, \\u{feff}; delete the line and type it anew",
        ),
        (
            "la\u{200b}b01",
            "line 1: `la\\u{200b}b01` has an invisible character, \\u{200b}; delete the line and type it anew",
        ),
    ];
    for (text, error) in table {
        assert_eq!(read(text), Err(error.to_owned()), "{text:?}");
    }
}

#[test]
fn a_host_knows_its_line() {
    let hosts = Hosts::parse("# one\nlab[1-2]\n\nlab9").unwrap();
    assert_eq!(hosts.iter().map(|host| host.line).collect::<Vec<_>>(), [2, 2, 4]);
}

#[test]
fn only_localhost_is_local() {
    let local = |text: &str| Hosts::parse(text).unwrap()[0].is_local();
    assert!(local("localhost"));
    assert!(local("localhost slots=9"));
    for text in ["127.0.0.1", "me@localhost", "localhost:22", "lab01", "[::1]"] {
        assert!(!local(text), "{text}");
    }
}

#[test]
fn processes_fill_slots_in_order_then_round_again() {
    let hosts = Hosts::parse("a slots=2\nb\nc slots=3").unwrap();
    assert_eq!(hosts.place(0), [0; 0]);
    assert_eq!(hosts.place(4), [0, 0, 1, 2]);
    assert_eq!(hosts.place(9), [0, 0, 1, 2, 2, 2, 0, 0, 1]);
    assert_eq!(Hosts::localhost().place(3), [0, 0, 0]);
}

#[test]
fn a_file_that_is_missing_too_long_or_wrong_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hosts.txt");
    let read = || Hosts::read(&path).unwrap_err().to_string();
    assert!(read().contains("hosts.txt: No such file"), "{}", read());
    std::fs::write(&path, "lab01\n???").unwrap();
    assert!(read().contains("hosts.txt: line 2: `???` is no host name or address"), "{}", read());
    std::fs::write(&path, b"lab\xff").unwrap();
    assert!(read().contains("not UTF-8"), "{}", read());
    std::fs::write(&path, vec![b'\n'; MAX_FILE as usize + 1]).unwrap();
    assert!(read().contains("longer than"), "{}", read());
    std::fs::write(&path, "lab[1-2]").unwrap();
    assert_eq!(Hosts::read(&path).unwrap().len(), 2);
    std::fs::remove_file(&path).unwrap();
    // Opening it would wait until somebody writes.
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(read().contains("hosts.txt: it is not an ordinary file"), "{}", read());
}

proptest! {
    #[test]
    fn no_text_panics_and_what_is_read_prints_and_reads_back(
        text in r"([a-z0-9@:#\[\], =.%-]|slots=[0-9]{1,3}|\n|lab\[[0-9]{1,2}-[0-9]{1,2}\]|\PC){0,60}"
    ) {
        if let Ok(hosts) = Hosts::parse(&text) {
            let printed: Vec<String> = hosts.iter().map(Host::to_string).collect();
            let again = Hosts::parse(&printed.join("\n")).unwrap();
            for (host, again) in hosts.iter().zip(&again) {
                prop_assert_eq!(&Host { line: again.line, ..host.clone() }, again);
            }
            prop_assert_eq!(hosts.len(), again.len());
        }
    }

    #[test]
    fn every_well_formed_host_survives_printing(
        user in proptest::option::of("[a-z][a-z0-9._-]{0,8}"),
        name in "[a-z0-9][a-z0-9.-]{0,20}|[0-9a-f]{1,4}::[0-9a-f]{1,4}",
        port in proptest::option::of(1u16..),
        slots in 1..=MAX_SLOTS,
    ) {
        let host = Host { user, name, port, slots, line: 1 };
        prop_assert_eq!(&Hosts::parse(&host.to_string()).unwrap()[0], &host);
    }
}
