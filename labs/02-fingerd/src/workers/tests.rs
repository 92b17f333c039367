use std::fs::OpenOptions;
use std::time::Duration;

use mio::{Events, Poll};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use super::*;

const TIMEOUT: Duration = Duration::from_secs(60);

#[test]
fn a_thread_that_hangs_counts_as_busy_until_it_no_longer_does() {
    // Login records that are a pipe without a writer: a thread that opens them hangs.
    let folder = tempfile::tempdir().unwrap();
    let utmp = folder.path().join("utmp");
    mkfifo(&utmp, Mode::S_IRWXU).unwrap();
    let sources = Sources { utmp: utmp.clone(), ..Sources::of_this_machine() };
    let mut poll = Poll::new().unwrap();
    let waker = Waker::new(poll.registry(), Token(0)).unwrap();
    let mut workers = Workers::new(sources, 1, waker);
    let who_is_there = Query { verbose: false, login: None };
    assert!(workers.ask(Token(4), who_is_there.clone()).unwrap());
    assert!(!workers.ask(Token(6), who_is_there.clone()).unwrap());
    assert!(workers.answer().is_none());
    // This waits for the thread to open its end, and then there is nothing to read.
    for asker in [Token(4), Token(8)] {
        drop(OpenOptions::new().write(true).open(&utmp).unwrap());
        poll.poll(&mut Events::with_capacity(1), Some(TIMEOUT)).unwrap();
        let answer = workers.answer();
        assert_eq!(answer, Some((asker, "No one logged on.\n".to_owned())));
        // The same thread is asked again.
        assert!(workers.ask(Token(8), who_is_there.clone()).unwrap());
        assert_eq!(workers.started, 1);
    }
    // Nobody waits for the last.
    drop(OpenOptions::new().write(true).open(&utmp).unwrap());
}
