use proptest::collection::vec;
use proptest::prelude::*;

use super::envelope::{HEAD, Opener, SealError, Sealer};
use super::*;
use crate::frame::{HEADER, write_header};
use crate::membership::datagram::{Correspondent, UnsealedError};
use crate::membership::{HandshakeError, Membership};
use crate::secret::Secret;

const NUMBER: [u8; 8] = [0, 0, 0, 0, 0, 0, 0, 5];

fn secret(byte: u8) -> Secret {
    Secret::from_hex(&format!("{byte:02x}").repeat(32)).expect("64 digits")
}

/// The key of the first connection in `docs/wire-format.md`.
fn key() -> SealKey {
    let secret: String = (0..32).map(|byte| format!("{byte:02x}")).collect();
    let secret = Secret::from_hex(&secret).expect("64 digits");
    let text = [&b"nkit\x02I\0\0\0\0\0\0\0\x01"[..], &[0x11; 32], &[0x22; 32], b"friday"].concat();
    SealKey::derive(&secret, &text, b"frames")
}

/// Computed by a program in another language that shares nothing with this one.
#[test]
fn seals_are_those_of_another_program() {
    let long: Vec<u8> = (0..1300_u32).map(|i| (i * 7 + 3) as u8).collect();
    assert_eq!(key().seal(&NUMBER, &long), 0xff7f_ce72_ebaf_d8eb_u64.to_be_bytes());
    assert_eq!(key().seal(&NUMBER, b""), 0x59ce_7cf7_b650_7c3a_u64.to_be_bytes());
}

proptest! {
    #[test]
    fn any_change_breaks_a_seal(text in vec(any::<u8>(), 1..1500), at in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let seal = key().seal(&NUMBER, &text);
        prop_assert!(key().holds(seal, &NUMBER, &text));
        let mut changed = text.clone();
        changed[at.index(text.len())] ^= 1_u8 << bit;
        prop_assert!(!key().holds(seal, &NUMBER, &changed));
        prop_assert!(!key().holds(seal, &NUMBER, &text[..text.len() - 1]));
        prop_assert!(!key().holds(seal, &NUMBER, &[&text[..], &[0]].concat()));
        prop_assert!(!key().holds(seal, &[0; 8], &text));
    }
}

#[test]
fn another_purpose_context_or_secret_is_another_key() {
    let keys = [
        SealKey::derive(&secret(1), b"a", b"frames"),
        SealKey::derive(&secret(2), b"a", b"frames"),
        SealKey::derive(&secret(1), b"b", b"frames"),
        SealKey::derive(&secret(1), b"a", b"datagrams"),
    ];
    let seals: std::collections::BTreeSet<_> =
        keys.iter().map(|key| key.seal(&NUMBER, b"text")).collect();
    assert_eq!(seals.len(), keys.len());
}

/// An envelope as it stands on the wire, without its length.
fn envelope(sealer: &mut Sealer, bodies: &[&[u8]]) -> Vec<u8> {
    let mut envelope = Vec::new();
    sealer.begin(&mut envelope);
    for body in bodies {
        write_header(body.len(), &mut envelope);
        envelope.extend_from_slice(body);
    }
    sealer.close(&mut envelope);
    assert_eq!(envelope[..HEADER], crate::frame::header(envelope.len() - HEADER));
    envelope.split_off(HEADER)
}

/// What is in an envelope.
fn opened(opener: &mut Opener, envelope: &[u8]) -> Result<Vec<Vec<u8>>, SealError> {
    let mut frames = opener.open(envelope, 100)?;
    std::iter::from_fn(|| frames.next().transpose()).map(|body| body.map(<[u8]>::to_vec)).collect()
}

#[test]
fn envelopes_are_opened_in_their_order() {
    let (mut sealer, mut opener) = (Sealer::new(key()), Opener::new(key()));
    let first = envelope(&mut sealer, &[b"one", b"", b"two"]);
    let second = envelope(&mut sealer, &[b"three"]);
    assert_eq!(opened(&mut opener, &first).expect("sealed"), [&b"one"[..], b"", b"two"]);
    let again = opened(&mut opener, &first).expect_err("repeated");
    assert_eq!(again, SealError::Number { number: 0, due: 1 });
    assert_eq!(opened(&mut opener, &second).expect("sealed"), [b"three"]);
    let ahead = opened(&mut Opener::new(key()), &second).expect_err("one is missing");
    assert_eq!(ahead, SealError::Number { number: 1, due: 0 });
}

#[test]
fn an_envelope_with_one_bit_changed_is_not_opened() {
    let sealed = envelope(&mut Sealer::new(key()), &[b"one", b"two"]);
    for bit in 0..8 * sealed.len() {
        let mut changed = sealed.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let error = opened(&mut Opener::new(key()), &changed).expect_err("it was changed");
        assert!(matches!(error, SealError::Broken { .. }), "{bit}: {error}");
    }
    for length in 0..HEAD {
        let short = opened(&mut Opener::new(key()), &sealed[..length]).expect_err("cut");
        assert_eq!(short, SealError::Short { length });
    }
}

/// A member that is wrong, and not a stranger: the seal holds.
#[test]
fn what_is_sealed_and_no_frame_is_an_error() {
    for wrong in [&b"\0\0\0\x05four"[..], b"\0\0", b"\0\0\0\x65", b"\xff\xff\xff\xff"] {
        let mut envelope = Vec::new();
        let mut sealer = Sealer::new(key());
        sealer.begin(&mut envelope);
        envelope.extend_from_slice(wrong);
        sealer.close(&mut envelope);
        let error = opened(&mut Opener::new(key()), &envelope[HEADER..]).expect_err("no frame");
        assert!(matches!(error, SealError::Frames { number: 0, .. }), "{error}");
    }
}

fn correspondent(me: u32) -> Correspondent {
    let membership = Membership { run: "friday".into(), secret: secret(7), me };
    Correspondent::new(membership).expect("a short name")
}

fn datagram(from: &mut Correspondent, to: u32, body: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::new();
    from.seal(to, body, &mut sealed);
    sealed
}

#[test]
fn a_datagram_is_for_one_member_once() {
    let (mut a, mut b) = (correspondent(3), correspondent(8));
    let sealed = datagram(&mut a, 8, b"body");
    assert_eq!(b.open(&sealed), Ok((3, &b"body"[..])));
    assert!(matches!(b.open(&sealed), Err(UnsealedError::Repeated { from: 3, .. })));
    let for_another = correspondent(9).open(&sealed).expect_err("not for p9");
    assert_eq!(for_another, HandshakeError::OtherRank { to: 8, me: 9 }.into());
    let mut other_run =
        Correspondent::new(Membership { run: "monday".into(), secret: secret(7), me: 8 })
            .expect("a short name");
    let error = other_run.open(&sealed).expect_err("of another run");
    assert!(error.to_string().contains("it belongs to run \"friday\""), "{error}");
}

#[test]
fn a_datagram_with_one_bit_changed_is_dropped() {
    let sealed = datagram(&mut correspondent(3), 8, b"body");
    for bit in 0..8 * sealed.len() {
        let mut changed = sealed.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(correspondent(8).open(&changed).is_err(), "{bit}");
    }
    for length in 0..sealed.len() {
        assert!(correspondent(8).open(&sealed[..length]).is_err(), "{length}");
    }
}

#[test]
fn datagrams_may_overtake_each_other() {
    let (mut a, mut b) = (correspondent(3), correspondent(8));
    let sent: Vec<_> = (0..200_u8).map(|n| datagram(&mut a, 8, &[n])).collect();
    let mut take = |n: usize| b.open(&sent[n]).is_ok();
    assert!(take(70) && take(7) && take(69) && !take(69) && !take(7));
    assert!(!take(6), "64 behind: nobody knows");
    assert!(take(199) && !take(70) && take(136) && !take(135));
}
