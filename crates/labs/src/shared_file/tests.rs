use std::io::Write;

use super::*;

#[test]
fn lines_are_read_up_to_the_first_that_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shared");
    open(&path).unwrap().write_all(b"one\ntwo\n\xff\n").unwrap();
    let mut seen = Vec::new();
    let wrong = read(&path, |line| {
        seen.push(line.to_owned());
        if line == "two" { Err("two is wrong".to_owned()) } else { Ok(()) }
    });
    assert!(wrong.unwrap().unwrap_err().starts_with("line 2 of "));
    assert_eq!(seen, ["one", "two"]);
    read(&path, |_| Ok(())).unwrap().unwrap();
}

#[test]
fn a_line_that_was_cut_off_at_the_end_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shared");
    let seen = |text: &str| {
        std::fs::write(&path, text).unwrap();
        let mut seen = Vec::new();
        read(&path, |line| {
            seen.push(line.len());
            Ok(())
        })
        .unwrap()
        .unwrap();
        seen
    };
    assert_eq!(seen("one\ntwo\nth"), [3, 3]);
    assert_eq!(seen("th"), [0; 0]);
    assert_eq!(seen(&format!("{}\none\n", "x".repeat(1_030))), [1_024, 6, 3]);
}

#[test]
fn what_cannot_be_used_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    assert!(prepare(folder.path()).is_err());
    assert!(prepare(&folder.path().join("no/such")).is_err());
    let path = folder.path().join("shared");
    assert!(prepare(&path).unwrap().is_absolute());
    open(&path).unwrap().write_all(b"one\n").unwrap();
    assert!(prepare(&path).unwrap_err().to_string().contains("not empty"));
}
