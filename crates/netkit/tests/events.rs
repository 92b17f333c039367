//! Timers, signals, and wake-ups from other threads.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use netkit::{Admission, Limits};
use nix::sys::signal::{SigHandler, Signal, kill, signal};
use nix::unistd::Pid;

mod common;
use common::{Seen, Side};

#[test]
fn timers_run_out_in_order_and_not_early() {
    let mut side = Side::new(Limits::default());
    let start = Instant::now();
    let second = side.net.start_timer(Duration::from_millis(20));
    let first = side.net.start_timer(Duration::from_millis(10));
    let stopped = side.net.start_timer(Duration::from_millis(15));
    side.net.stop_timer(stopped);
    side.until(|side| side.seen.len() == 2);
    assert!(start.elapsed() >= Duration::from_millis(20));
    assert_eq!(side.recorder.timers(), [first, second]);
    side.net.stop_timer(first);
}

/// `turn` waits for the timer by itself, however long its own patience.
#[test]
fn the_loop_wakes_for_a_timer() {
    let mut side = Side::new(Limits::default());
    side.net.start_timer(Duration::from_millis(10));
    let start = Instant::now();
    while side.recorder.seen.is_empty() {
        side.net.turn(&mut side.recorder, None).expect("a turn");
    }
    assert!(start.elapsed() < common::PATIENCE);
}

/// A timer that restarts itself with no delay runs once a turn, and does not keep the loop from
/// anything.
#[test]
fn a_timer_without_delay_runs_once_a_turn() {
    let mut side = Side::reacting(Limits::default(), |net, seen| {
        if let Seen::Timer(_) = seen {
            net.start_timer(Duration::ZERO);
        }
    });
    side.net.start_timer(Duration::ZERO);
    for turn in 1..=5 {
        side.turn();
        assert_eq!((side.recorder.seen.len(), side.recorder.turn_ends), (turn, turn));
    }
}

#[test]
fn signals_are_events() {
    let mut side = Side::new(Limits::default());
    let usr1 = Signal::SIGUSR1 as i32;
    side.net.watch_signals(&[Signal::SIGUSR2 as i32]).expect("can be watched");
    side.net.watch_signals(&[usr1]).expect("can be watched");
    kill(Pid::this(), Signal::SIGUSR1).expect("ourselves");
    side.until(|side| !side.seen.is_empty());
    assert!(matches!(side.recorder.seen[..], [Seen::Signal(signal)] if signal == usr1));
    kill(Pid::this(), Signal::SIGUSR1).expect("ourselves");
    side.until(|side| side.seen.len() == 2);
}

/// As `nohup` ignores one for the program that it starts.
#[test]
fn a_signal_that_was_ignored_stays_ignored() {
    let (ignored, other) = (Signal::SIGTTIN, Signal::SIGTTOU);
    // SAFETY: no handler is installed, and nobody else in this process uses the signal.
    unsafe { signal(ignored, SigHandler::SigIgn) }.expect("it can be ignored");
    let mut side = Side::new(Limits::default());
    let both = [ignored as i32, other as i32];
    side.net.watch_signals(&both).expect("can be watched");
    kill(Pid::this(), ignored).expect("ourselves");
    kill(Pid::this(), other).expect("ourselves");
    side.until(|side| !side.seen.is_empty());
    assert!(matches!(side.recorder.seen[..], [Seen::Signal(signal)] if signal == both[1]));
    side.net.unwatch_signals(&both[..1]).expect("can be left");
    kill(Pid::this(), ignored).expect("ourselves: it would stop this process");
}

#[test]
fn signals_that_cannot_be_caught_are_refused() {
    let mut side = Side::new(Limits::default());
    let named = [Signal::SIGKILL, Signal::SIGSTOP, Signal::SIGSEGV].map(|signal| signal as i32);
    for signal in named.into_iter().chain([0, -1, 64, 9999]) {
        let error = side.net.watch_signals(&[signal]).expect_err("refused");
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput, "{error}");
    }
}

#[test]
fn another_thread_can_wake_the_loop() {
    let mut side = Side::new(Limits::default());
    let waker = side.net.waker();
    let thread = std::thread::spawn(move || waker.wake().expect("woken"));
    while side.recorder.seen.is_empty() {
        side.net.turn(&mut side.recorder, None).expect("a turn");
    }
    thread.join().expect("done");
    assert!(matches!(side.recorder.seen[..], [Seen::Wake]));
}

#[test]
fn a_stopped_loop_runs_again() {
    let mut side = Side::reacting(Limits::default(), |net, seen| {
        if let Seen::Timer(_) = seen {
            net.stop();
        }
    });
    for runs in 1..=2 {
        side.net.start_timer(Duration::ZERO);
        side.net.run(&mut side.recorder).expect("a run");
        assert_eq!(side.recorder.seen.len(), runs);
    }
}

/// At the end of a run, a peer that reads nothing would have an hour to change its mind. A signal
/// ends the wait, and is not lost.
#[test]
fn a_signal_ends_the_wait_for_closing_connections() {
    let limits = Limits { close_deadline: Duration::from_secs(3600), ..Limits::default() };
    let mut side = Side::reacting(limits, |net, seen| {
        if let Seen::Signal(_) = seen {
            net.stop();
        }
    });
    let signal = Signal::SIGWINCH;
    side.net.watch_signals(&[signal as i32]).expect("can be watched");
    let address = side.listen(Admission::Anyone);
    let _silent = TcpStream::connect(address).expect("connected");
    side.until(|side| !side.opened().is_empty());
    let id = side.recorder.opened()[0];
    while side.net.queued(id) < 8 << 20 {
        side.net.send(id, &[7; 1_000_000]).expect("open");
    }
    side.net.close_when_sent(id);
    side.net.stop();
    side.net.waker().wake().expect("woken");
    kill(Pid::this(), signal).expect("ourselves");
    side.net.run(&mut side.recorder).expect("a run");
    assert!(!side.recorder.seen.iter().any(|seen| matches!(seen, Seen::Signal(_) | Seen::Wake)));

    side.net.close(id);
    side.until(|side| side.seen.iter().any(|seen| matches!(seen, Seen::Signal(_))));
    side.until(|side| side.seen.iter().any(|seen| matches!(seen, Seen::Wake)));
}
