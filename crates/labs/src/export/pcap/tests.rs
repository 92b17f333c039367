use super::*;

/// The header of the example of `docs/wire-format.md`.
#[test]
fn a_frame_begins_as_documented() {
    let clock = Vector::from(vec![9, 8, 17]);
    let message = MessageNote {
        id: "2-17".parse().unwrap(),
        kind: "TOKEN".to_owned(),
        text: "ab".to_owned(),
        bytes: 12,
        data: crate::trace::Data::default(),
    };
    let frame = frame(ProcessId(2), ProcessId(1), 17, 31, Some(&clock), &message);
    #[rustfmt::skip]
        let expected = [
            0, 0, 0, 45 + 8 + 24 + 10,
            0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 1,
            0, 0, 0, 0, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0, 0, 31,
            b'T', b'O', b'K', b'E', b'N', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            1, 0, 0, 0, 0, 0, 0, 0, 3,
            0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 17,
            0, 0, 0, 0, 0, 0, 0, 2, b'a', b'b',
        ];
    assert_eq!(frame, expected);
}

/// Neither the address of the network nor that of all in it is a process's.
#[test]
fn the_first_and_the_last_process_have_addresses_of_machines() {
    assert_eq!(address(0), [10, 0, 0, 1]);
    assert_eq!(address(PROCESSES_MAX - 1), [10, 255, 255, 254]);
}

/// The example of RFC 1071, section 3.
#[test]
fn the_checksum_of_the_internet() {
    assert_eq!(checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), !0xddf2);
    assert_eq!(checksum(&[0x01]), !0x0100);
}
