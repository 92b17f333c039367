use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::seal::envelope::{Opener, Sealer};

const RUN: &str = "20261122-071500-3f9a";

fn member(me: u32) -> Membership {
    Membership { run: RUN.into(), secret: Secret([42; 32]), me }
}

fn initiator(me: u32, to: u32) -> (Handshake, Vec<u8>) {
    Handshake::initiate(member(me), to).expect("randomness")
}

fn acceptor(me: u32) -> Handshake {
    Handshake::accept(member(me)).expect("randomness")
}

/// Hands a frame over and expects an answer and no end.
fn reply(handshake: &mut Handshake, frame: &[u8]) -> Vec<u8> {
    handshake.on_frame(frame).expect("accepted").reply.expect("a reply")
}

/// Runs a handshake whose frames a function may change on the way. What each end thinks of the
/// other.
fn run(
    (mut a, hello): (Handshake, Vec<u8>),
    mut b: Handshake,
    mut on_the_way: impl FnMut(usize, Vec<u8>) -> Vec<u8>,
) -> (Result<u32, HandshakeError>, Result<u32, HandshakeError>) {
    let unheard = || Err(HandshakeError::Over);
    let challenge = match b.on_frame(&on_the_way(0, hello)) {
        Ok(progress) => progress.reply.expect("a challenge"),
        Err(error) => return (unheard(), Err(error)),
    };
    let (seen_by_a, answer) = match a.on_frame(&on_the_way(1, challenge)) {
        Ok(progress) => (progress.done.expect("done").rank, progress.reply.expect("an answer")),
        Err(error) => return (Err(error), unheard()),
    };
    let seen_by_b =
        b.on_frame(&on_the_way(2, answer)).map(|progress| progress.done.expect("done").rank);
    (Ok(seen_by_a), seen_by_b)
}

fn unchanged(_: usize, frame: Vec<u8>) -> Vec<u8> {
    frame
}

#[test]
fn members_recognise_each_other() {
    assert_eq!(run(initiator(3, 8), acceptor(8), unchanged), (Ok(8), Ok(3)));
}

#[test]
fn frames_have_the_documented_lengths() {
    let mut lengths = Vec::new();
    let _ = run(initiator(3, 8), acceptor(8), |_, frame| {
        lengths.push(frame.len());
        frame
    });
    assert_eq!(lengths, [47 + RUN.len(), 70, 38]);
    let longest = Membership { run: "r".repeat(MAX_RUN), ..member(3) };
    let (_, hello) = Handshake::initiate(longest, 8).expect("the longest name");
    assert_eq!(hello.len(), MAX_HANDSHAKE_FRAME);
}

/// The bytes in `docs/wire-format.md`, of which the proofs were computed with another program.
#[test]
fn the_example_of_the_documentation() {
    let document = include_str!("../../../../docs/wire-format.md");
    let (_, example) = document.split_once("\n## An example\n").expect("its section");
    let block = example.split("```").nth(1).expect("its block");
    let frames: Vec<Vec<u8>> = block
        .trim_start_matches("text")
        .trim()
        .split("\n\n")
        .map(|frame| {
            let digits = frame.split_whitespace().skip(3);
            digits.map(|byte| u8::from_str_radix(byte, 16).expect("two digits")).collect()
        })
        .collect();

    let secret = Secret(std::array::from_fn(|n| u8::try_from(n).expect("below 32")));
    let member = |me| Membership { run: "friday".into(), secret: secret.clone(), me };
    let (a, hello) = Handshake::initiate_with(member(0), 1, [0x11; NONCE]).expect("begun");
    let b = Handshake::accept_with(member(1), [0x22; NONCE]);
    let mut seen = Vec::new();
    let ends = run((a, hello), b, |_, body| {
        let mut frame = Vec::new();
        crate::frame::write_header(body.len(), &mut frame);
        seen.push([frame, body.clone()].concat());
        body
    });
    assert_eq!(ends, (Ok(1), Ok(0)));
    assert_eq!(seen, frames[..3]);

    #[derive(serde::Serialize)]
    enum Message {
        #[expect(dead_code, reason = "it gives the other variant its number")]
        Grant,
        Ask {
            clock: u64,
        },
    }
    let (mut a, hello) = Handshake::initiate_with(member(0), 1, [0x11; NONCE]).expect("begun");
    let mut b = Handshake::accept_with(member(1), [0x22; NONCE]);
    let progress = a.on_frame(&reply(&mut b, &hello)).expect("accepted");
    let mut sealer = Sealer::new(progress.done.expect("done").ours);
    let mut frame = Vec::new();
    sealer.begin(&mut frame);
    frame.extend_from_slice(&crate::frame::header(12));
    crate::codec::encode(&Message::Ask { clock: 7 }, &mut frame).expect("encodable");
    sealer.close(&mut frame);
    assert_eq!(frames[3], frame);

    let progress = b.on_frame(&progress.reply.expect("an answer")).expect("accepted");
    let mut opener = Opener::new(progress.done.expect("done").theirs);
    opener.open(&frame[4..], 100).expect("the other end opens it");
}

#[test]
fn another_secret_is_refused_by_the_initiator_first() {
    let other = Membership { secret: Secret([43; 32]), ..member(8) };
    let b = Handshake::accept(other).expect("randomness");
    let (seen_by_a, _) = run(initiator(3, 8), b, unchanged);
    assert_eq!(seen_by_a, Err(HandshakeError::BadProof));
}

/// Whoever does not know the secret also does not care about the challenge's proof.
#[test]
fn an_initiator_without_the_secret_is_refused() {
    let mut b = acceptor(8);
    let (_, hello) = initiator(3, 8);
    reply(&mut b, &hello);
    let made_up = [&opening(ANSWER)[..], &[7; PROOF]].concat();
    assert_eq!(b.on_frame(&made_up).expect_err("refused"), HandshakeError::BadProof);
}

#[test]
fn another_run_is_refused_by_name() {
    let other = Membership { run: "last week".into(), ..member(3) };
    let (_, seen_by_b) = run(Handshake::initiate(other, 8).expect("begun"), acceptor(8), unchanged);
    let expected = HandshakeError::OtherRun { theirs: "last week".into(), ours: RUN.into() };
    assert_eq!(seen_by_b, Err(expected));
}

#[test]
fn another_rank_is_refused() {
    let (_, seen_by_b) = run(initiator(3, 8), acceptor(9), unchanged);
    assert_eq!(seen_by_b, Err(HandshakeError::OtherRank { to: 8, me: 9 }));
}

#[test]
fn our_own_rank_is_refused() {
    let (_, seen_by_b) = run(initiator(8, 8), acceptor(8), unchanged);
    assert_eq!(seen_by_b, Err(HandshakeError::OwnRank { me: 8 }));
}

/// A stranger has recorded a whole handshake and plays the initiator's part again.
#[test]
fn a_replay_is_refused() {
    let mut recorded = Vec::new();
    let _ = run(initiator(3, 8), acceptor(8), |_, frame| {
        recorded.push(frame.clone());
        frame
    });
    let mut b = acceptor(8);
    reply(&mut b, &recorded[0]);
    assert_eq!(b.on_frame(&recorded[2]).expect_err("refused"), HandshakeError::BadProof);
}

/// The same against an initiator: a recorded challenge does not fit its new nonce.
#[test]
fn a_replayed_challenge_is_refused() {
    let mut recorded = Vec::new();
    let _ = run(initiator(3, 8), acceptor(8), |_, frame| {
        recorded.push(frame.clone());
        frame
    });
    let (mut a, _) = initiator(3, 8);
    assert_eq!(a.on_frame(&recorded[1]).expect_err("refused"), HandshakeError::BadProof);
}

/// A stranger has the acceptor itself make a proof over the nonces in question, in a second
/// connection.
#[test]
fn a_reflected_proof_is_refused() {
    let nonce = [1; NONCE];
    let mut b = Handshake::accept_with(member(8), nonce);
    let (_, hello) = Handshake::initiate_with(member(3), 8, nonce).expect("begun");
    let challenge = reply(&mut b, &hello);
    let answer = [&opening(ANSWER)[..], &challenge[challenge.len() - PROOF..]].concat();
    assert_eq!(b.on_frame(&answer).expect_err("refused"), HandshakeError::BadProof);
}

#[test]
fn a_reflected_hello_is_refused() {
    let (mut a, hello) = initiator(3, 8);
    let error = a.on_frame(&hello).expect_err("refused");
    assert!(matches!(error, HandshakeError::Unexpected { kind: HELLO, .. }), "{error}");
}

/// p5, between p3 and p8, shows p8 a proof that p3 made for p5. (The group's secret would let p5 do
/// better; this is what binding the ranks is for.)
#[test]
fn a_proof_for_one_member_does_not_hold_for_another() {
    let (mut a, hello) = initiator(3, 5);
    let nonce: Nonce = hello[14..14 + NONCE].try_into().expect("32 bytes");
    let mut b = acceptor(8);
    let (_, forged) = Handshake::initiate_with(member(3), 8, nonce).expect("begun");
    let challenge = reply(&mut b, &forged);
    // The challenge that p5 can make for p3 with p8's nonce.
    let theirs: Nonce = challenge[6..6 + NONCE].try_into().expect("32 bytes");
    let mut as_p5 = Handshake::accept_with(member(5), theirs);
    let answer = reply(&mut a, &reply(&mut as_p5, &hello));
    assert_eq!(b.on_frame(&answer).expect_err("refused"), HandshakeError::BadProof);
}

/// Somebody on the way passes a member of one run off as a member of another that uses the same
/// secret.
#[test]
fn a_proof_for_one_run_does_not_hold_in_another() {
    let other = Membership { run: "20261122-071500-3f9b".into(), ..member(8) };
    let b = Handshake::accept(other).expect("randomness");
    let (seen_by_a, _) = run(initiator(3, 8), b, |n, mut bytes| {
        if n == 0 {
            *bytes.last_mut().expect("a run") = b'b';
        }
        bytes
    });
    assert_eq!(seen_by_a, Err(HandshakeError::BadProof));
}

#[test]
fn each_changed_bit_is_noticed() {
    for frame in 0..3 {
        let length = [47 + RUN.len(), 70, 38][frame];
        for bit in 0..8 * length {
            let (seen_by_a, seen_by_b) = run(initiator(3, 8), acceptor(8), |n, mut bytes| {
                if n == frame {
                    bytes[bit / 8] ^= 1 << (bit % 8);
                }
                bytes
            });
            let all_well = seen_by_a.is_ok() && seen_by_b.is_ok();
            assert!(!all_well, "bit {bit} of frame {frame} changed and nobody noticed");
        }
    }
}

#[test]
fn cut_and_lengthened_frames_are_refused() {
    for frame in 0..3 {
        for change in [-1, 1] {
            let (seen_by_a, seen_by_b) = run(initiator(3, 8), acceptor(8), |n, mut bytes| {
                if n == frame && change < 0 {
                    bytes.pop();
                } else if n == frame {
                    bytes.push(0);
                }
                bytes
            });
            assert!(seen_by_a.is_err() || seen_by_b.is_err(), "frame {frame}, {change}");
        }
    }
}

#[test]
fn strangers_are_told_apart() {
    let error = |body: &[u8]| acceptor(8).on_frame(body).expect_err("no member").to_string();
    assert_eq!(error(b"GET / HTTP/1.1"), "it does not speak netkit's handshake");
    assert!(error(b"nkit\x01").contains("version 1"), "{}", error(b"nkit\x01"));
    assert!(error(b"nkit\x02\x03").contains("a hello was due"), "{}", error(b"nkit\x02\x03"));
    assert!(error(b"nkit").contains("a hello was due"));
    assert!(error(b"").contains("does not speak"));
}

#[test]
fn nothing_follows_the_end() {
    let mut b = acceptor(8);
    b.on_frame(b"garbage").expect_err("no member");
    let (_, hello) = initiator(3, 8);
    assert_eq!(b.on_frame(&hello).expect_err("over"), HandshakeError::Over);
}

#[test]
fn a_long_name_of_a_run_is_refused_at_home() {
    let long = Membership { run: "r".repeat(MAX_RUN + 1), ..member(3) };
    let error = Handshake::initiate(long, 8).expect_err("too long");
    assert!(error.to_string().contains("65 bytes"), "{error}");
}

#[test]
fn nonces_are_new_each_time() {
    assert_ne!(initiator(3, 8).1, initiator(3, 8).1);
    let (_, hello) = initiator(3, 8);
    assert_ne!(reply(&mut acceptor(8), &hello), reply(&mut acceptor(8), &hello));
}

#[test]
fn a_secret_is_never_printed() {
    let member = Membership { secret: Secret([0xab; 32]), ..member(3) };
    let handshake = Handshake::accept_with(member.clone(), [0; NONCE]);
    let printed = format!("{member:?} {member:#?} {handshake:?}");
    assert!(!printed.contains("ab") && !printed.contains("171"), "{printed}");
}

#[test]
fn hexadecimal_digits_lead_back_to_the_secret() {
    let secret = Secret::random().expect("randomness");
    assert_eq!(Secret::from_hex(&secret.to_hex()).expect("digits").0, secret.0);
    assert_ne!(secret.0, Secret::random().expect("randomness").0);
    for wrong in ["", "ab", &"g".repeat(64), &"é".repeat(32), &"+f".repeat(32), &"a".repeat(66)] {
        assert!(Secret::from_hex(wrong).is_none(), "{wrong}");
    }
}

proptest! {
    #[test]
    fn random_bytes_do_not_panic(bytes in vec(any::<u8>(), 0..150), kind in 0u8..5) {
        let known = [&opening(kind)[..], &bytes].concat();
        for body in [&bytes, &known] {
            prop_assert!(initiator(3, 8).0.on_frame(body).is_err());
            let _ = acceptor(8).on_frame(body);
            let mut challenged = acceptor(8);
            let (_, hello) = initiator(3, 8);
            reply(&mut challenged, &hello);
            prop_assert!(challenged.on_frame(body).is_err());
        }
    }
}
