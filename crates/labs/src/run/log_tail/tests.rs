use std::io::Write;

use super::*;

#[test]
fn lines_come_once_and_whole() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let mut tail = LogTail::open(file.path());
    assert_eq!(tail.more(), "");
    write!(file, "one\ntwo\nthr").unwrap();
    assert_eq!(tail.more(), "one\ntwo\n");
    assert_eq!(tail.more(), "");
    writeln!(file, "ee").unwrap();
    assert_eq!(tail.more(), "three\n");
}

#[test]
fn much_comes_in_parts() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let line = "x".repeat(1_000) + "\n";
    let text = line.repeat(100) + &"y".repeat(PART as usize + 1) + "\n";
    write!(file, "{text}").unwrap();
    let mut tail = LogTail::open(file.path());
    let parts: Vec<_> =
        std::iter::repeat_with(|| tail.more()).take_while(|part| !part.is_empty()).collect();
    assert!(parts.len() > 2 && parts.iter().all(|part| part.len() as u64 <= PART));
    assert_eq!(parts.concat(), text);
}

#[test]
fn a_log_that_is_not_there_is_empty() {
    assert_eq!(LogTail::open(Path::new("/nowhere")).more(), "");
    assert_eq!(LogTail::default().more(), "");
}
