use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn stream(bodies: &[Vec<u8>]) -> Vec<u8> {
    let mut stream = Vec::new();
    for body in bodies {
        write_header(body.len(), &mut stream);
        stream.extend_from_slice(body);
    }
    stream
}

fn split(splitter: &mut Splitter, mut piece: &[u8]) -> Result<Vec<Vec<u8>>, FrameError> {
    let mut bodies = Vec::new();
    while let Some(body) = splitter.next(&mut piece)? {
        bodies.push(body.to_vec());
    }
    assert!(piece.is_empty(), "all of a piece is taken in");
    Ok(bodies)
}

#[test]
fn a_stream_split_at_any_byte_gives_the_same_frames() {
    let bodies = [b"".to_vec(), b"one".to_vec(), vec![7; 300], b"".to_vec(), b"x".to_vec()];
    let stream = stream(&bodies);
    for at in 0..=stream.len() {
        let mut splitter = Splitter::new(300);
        let mut seen = split(&mut splitter, &stream[..at]).expect("frames");
        seen.extend(split(&mut splitter, &stream[at..]).expect("frames"));
        assert_eq!(seen, bodies, "split at {at}");
        assert_eq!(splitter.pending(), 0);
    }
}

#[test]
fn a_stream_that_comes_byte_by_byte_gives_the_same_frames() {
    let bodies = [b"".to_vec(), b"one".to_vec(), vec![7; 300]];
    let mut splitter = Splitter::new(300);
    let pieces = stream(&bodies);
    let seen: Vec<_> =
        pieces.chunks(1).flat_map(|byte| split(&mut splitter, byte).expect("frames")).collect();
    assert_eq!(seen, bodies);
}

#[test]
fn a_cut_frame_is_pending() {
    let mut splitter = Splitter::new(10);
    assert_eq!(split(&mut splitter, &[0, 0, 0, 3, b'a']), Ok(vec![]));
    assert_eq!(splitter.pending(), 5);
    assert_eq!(split(&mut splitter, b"bc"), Ok(vec![b"abc".to_vec()]));
    assert_eq!(splitter.pending(), 0);
}

#[test]
fn a_length_over_the_limit_is_an_error_at_once() {
    let error = FrameError::TooLong { length: 11, max: 10 };
    assert_eq!(split(&mut Splitter::new(10), &[0, 0, 0, 11]), Err(error));
    assert_eq!(split(&mut Splitter::new(10), &[0, 0, 0, 10]), Ok(vec![]));

    let mut cut = Splitter::new(10);
    assert_eq!(split(&mut cut, &[0, 0, 0]), Ok(vec![]));
    assert_eq!(split(&mut cut, &[11]), Err(error));
}

#[test]
fn nothing_is_reserved_for_what_was_only_announced() {
    let mut splitter = Splitter::new(usize::MAX);
    assert_eq!(split(&mut splitter, &[0xff, 0xff, 0xff, 0xff, 1]), Ok(vec![]));
    assert!(splitter.partial.capacity() <= 64, "{}", splitter.partial.capacity());
}

#[test]
fn memory_of_a_large_frame_is_given_back() {
    let body = vec![1; 100_000];
    let stream = stream(&[body.clone(), b"next".to_vec()]);
    let mut splitter = Splitter::new(100_000);
    assert_eq!(split(&mut splitter, &stream[..50_000]), Ok(vec![]));
    assert_eq!(split(&mut splitter, &stream[50_000..]), Ok(vec![body, b"next".to_vec()]));
    assert!(splitter.partial.capacity() <= KEPT, "{}", splitter.partial.capacity());
}

#[test]
fn the_limit_may_change_between_two_frames_of_one_read() {
    let stream = stream(&[vec![1; 5], vec![2; 50]]);
    let mut piece = &stream[..];
    let mut splitter = Splitter::new(5);
    assert_eq!(splitter.next(&mut piece), Ok(Some(&[1; 5][..])));
    splitter.limit(50);
    assert_eq!(splitter.next(&mut piece), Ok(Some(&[2; 50][..])));
}

#[test]
fn text_is_recognised_in_a_length() {
    let error =
        |bytes: &[u8; 4]| split(&mut Splitter::new(MAX_FRAME), bytes).expect_err("too long");
    assert_eq!(error(b"GET "), FrameError::Text { start: *b"GET " });
    assert_eq!(error(b"hi\r\n").to_string(), r#"it sent text ("hi\r\n"...), not frames"#);
    let start_of_tls = error(b"\x16\x03\x01\x02");
    assert_eq!(start_of_tls, FrameError::TooLong { length: 0x1603_0102, max: MAX_FRAME });
}

proptest! {
    #[test]
    fn any_pieces_give_the_same_frames(
        bodies in vec(vec(any::<u8>(), 0..50), 0..20),
        cuts in vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let stream = stream(&bodies);
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let mut splitter = Splitter::new(50);
        let mut seen = Vec::new();
        for piece in cuts.windows(2) {
            seen.extend(split(&mut splitter, &stream[piece[0]..piece[1]]).expect("frames"));
        }
        prop_assert_eq!(seen, bodies);
    }

    /// Random bytes give what a second, simpler splitter gives.
    #[test]
    fn random_bytes_are_split_or_refused(
        bytes in vec(prop_oneof![Just(0), Just(1), any::<u8>()], 0..300),
        cut in any::<prop::sample::Index>(),
    ) {
        let max = 40;
        let mut expected = (Vec::new(), true);
        let mut rest = &bytes[..];
        while let Some((header, after)) = rest.split_first_chunk::<4>() {
            let length = u32::from_be_bytes(*header) as usize;
            expected.1 = length <= max;
            if !expected.1 || length > after.len() {
                break;
            }
            expected.0.push(&after[..length]);
            rest = &after[length..];
        }

        let mut splitter = Splitter::new(max);
        let (first, second) = bytes.split_at(cut.index(bytes.len() + 1));
        let mut seen = Vec::new();
        let mut is_well_formed = true;
        'pieces: for mut piece in [first, second] {
            loop {
                match splitter.next(&mut piece) {
                    Ok(Some(body)) => seen.push(body.to_vec()),
                    Ok(None) => break,
                    Err(_) => {
                        is_well_formed = false;
                        break 'pieces;
                    }
                }
            }
        }
        prop_assert_eq!(seen, expected.0);
        prop_assert_eq!(is_well_formed, expected.1);
    }
}
