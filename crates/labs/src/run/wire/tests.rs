use super::*;

#[derive(Serialize)]
enum Message {
    #[expect(dead_code, reason = "so that Token is not the first variant")]
    Roll(Vec<String>),
    Token {
        lap: u64,
    },
}

fn header(clock: Option<Vector>) -> MessageHeader {
    let (from, to) = (ProcessId(2), ProcessId(1));
    MessageHeader { from, to, n: 17, lamport: 31, kind: kind_field("TOKEN"), clock }
}

fn encoded(header: &MessageHeader) -> Vec<u8> {
    let mut message = Vec::new();
    codec::encode(&Message::Token { lap: 3 }, &mut message).unwrap();
    PeerFrame::Message(header.clone(), &message).write().unwrap()
}

/// The bytes that `docs/wire-format.md` shows, and what stands in them.
    #[rustfmt::skip]
    const WITH_CLOCK: &[u8] = &[
        0, 0, 0, 0,                                                           // tag: a message
        0, 0, 0, 2,                                                           // from p2
        0, 0, 0, 1,                                                           // to p1
        0, 0, 0, 0, 0, 0, 0, 17,                                              // n
        0, 0, 0, 0, 0, 0, 0, 31,                                              // lamport
        b'T', b'O', b'K', b'E', b'N', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,        // kind
        1,                                                                    // a clock follows
        0, 0, 0, 0, 0, 0, 0, 3,                                               // of three entries
        0, 0, 0, 0, 0, 0, 0, 9,
        0, 0, 0, 0, 0, 0, 0, 8,
        0, 0, 0, 0, 0, 0, 0, 17,
        0, 0, 0, 1,                                                           // Token
        0, 0, 0, 0, 0, 0, 0, 3,                                               // lap
    ];

#[test]
fn the_message_frame_of_the_documentation() {
    let clock = Some(Vector::from(vec![9, 8, 17]));
    assert_eq!(encoded(&header(clock)), WITH_CLOCK);
}

/// Without a clock the frame is the same but for its last byte before the message.
#[test]
fn a_frame_without_a_clock() {
    let bytes = encoded(&header(None));
    assert_eq!(bytes[..44], WITH_CLOCK[..44]);
    assert_eq!(bytes[44], 0);
    assert_eq!(bytes[45..], WITH_CLOCK[WITH_CLOCK.len() - 12..]);
}

#[test]
fn a_frame_is_taken_apart_where_its_header_ends() {
    for clock in [None, Some(Vector::new(1)), Some(Vector::from(vec![9, 8, 17]))] {
        let body = encoded(&header(clock.clone()));
        let Ok(PeerFrame::Message(read, message)) = PeerFrame::read(&body) else { panic!() };
        assert_eq!((read.clock, read.n, read.lamport), (clock, 17, 31));
        assert_eq!(message, &WITH_CLOCK[WITH_CLOCK.len() - 12..]);
        for cut in 0..body.len() - message.len() {
            assert!(PeerFrame::read(&body[..cut]).is_err(), "{cut}");
        }
    }
}

#[test]
fn pings_and_pongs_are_their_tags() {
    for (frame, tag) in [(PeerFrame::Ping, 1), (PeerFrame::Pong, 2)] {
        let mut bytes = frame.write().unwrap();
        assert_eq!(bytes, [0, 0, 0, tag]);
        assert!(PeerFrame::read(&bytes).is_ok());
        bytes.push(0);
        assert!(PeerFrame::read(&bytes).is_err());
    }
}
