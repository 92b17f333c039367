use super::*;

fn wire(pieces: &[&[u8]]) -> String {
    let mut answer = Answer::default();
    pieces.iter().for_each(|piece| answer.push(piece));
    answer.end_line();
    String::from_utf8(answer.bytes).unwrap()
}

#[test]
fn lines_end_with_crlf_however_they_come() {
    assert_eq!(wire(&[b"a\nb\n"]), "a\r\nb\r\n");
    assert_eq!(wire(&[b"a\r", b"\nb"]), "a\r\nb\r\n");
    assert_eq!(wire(&[b"a\rb\n"]), "ab\r\n");
    assert_eq!(wire(&[]), "");
}

#[test]
fn only_printable_ascii_leaves() {
    assert_eq!(wire(&[b"\x1b[2J\tok\0\x7f\n"]), "?[2J\tok??\r\n");
    assert_eq!(wire(&["é\u{9b}".as_bytes()]), "????\r\n");
}

#[test]
fn a_line_of_ours_stands_by_itself() {
    let mut answer = Answer::default();
    answer.push(b"half a li");
    answer.push_line("cut off");
    assert_eq!(answer.unsent(), b"half a li\r\ncut off\r\n");
    answer.note_sent(11);
    assert_eq!((answer.unsent(), answer.len()), (&b"cut off\r\n"[..], 20));
}
