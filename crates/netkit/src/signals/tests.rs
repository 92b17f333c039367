use super::*;

#[test]
fn the_lowest_bit_is_the_first_signal() {
    let status = "Name:\tx\nSigBlk:\tffffffffffffffff\nSigIgn:\t0000000000001001\n";
    let set = ignored(status).unwrap();
    assert!(is_in(set, Signal::SIGHUP as i32) && is_in(set, Signal::SIGPIPE as i32));
    assert!(!is_in(set, Signal::SIGINT as i32));
    assert!(!is_in(u64::MAX, 0) && !is_in(u64::MAX, 65) && is_in(u64::MAX, 64));
    assert_eq!(ignored("SigIgn:\tx\n"), None);
}

#[test]
fn a_program_in_the_background_of_a_script_ends_at_sigint() {
    let set = |signals: &[Signal]| signals.iter().fold(0, |set, &s| set | 1 << (s as i32 - 1));
    let [hup, int, quit] = [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT];
    assert_eq!(chosen(set(&[hup, int, quit])), set(&[hup, quit]));
    assert_eq!(chosen(set(&[hup, int])), set(&[hup, int]));
}

/// Programs in Rust start with it ignored.
#[test]
fn what_this_process_ignores_is_left_out() {
    let [pipe, term] = [Signal::SIGPIPE as i32, Signal::SIGTERM as i32];
    assert_eq!(not_ignored(&[pipe, term]), [term]);
}
