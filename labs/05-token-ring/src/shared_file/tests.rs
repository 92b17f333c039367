use super::*;

fn judged(text: &str, expected: u64) -> (Option<bool>, String) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let remains = Remains { complete: true, one_machine: true };
    let verdict = judge(file.path(), expected, remains);
    (verdict.holds(), verdict.detail().to_owned())
}

#[test]
fn pairs_one_after_the_other_hold() {
    let (holds, detail) = judged("begin p0 a/1 1\nend p0 a/1 1\nbegin p1 a/2 1\nend p1 a/2 1\n", 2);
    assert_eq!(holds, Some(true));
    assert!(detail.starts_with("2 begin/end pairs"), "{detail}");
}

#[test]
fn interleaved_pairs_are_a_violation() {
    let (holds, detail) = judged("begin p0 a/1 1\nbegin p1 a/2 1\nend p0 a/1 1\nend p1 a/2 1\n", 2);
    assert_eq!(holds, Some(false));
    assert!(detail.contains("p1 a/2 1 begins inside the section of p0 a/1 1"), "{detail}");
}

#[test]
fn a_missing_pair_is_a_violation_on_one_machine_only() {
    assert_eq!(judged("begin p0 a/1 1\nend p0 a/1 1\n", 2).0, Some(false));
    let file = tempfile::NamedTempFile::new().unwrap();
    assert_eq!(judge(file.path(), 2, Remains { complete: true, one_machine: false }).holds(), None);
    assert_eq!(judge(file.path(), 2, Remains { complete: false, one_machine: true }).holds(), None);
}

#[test]
fn a_line_that_a_full_disk_cut_off_breaks_nothing() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "begin p0 a/1 1\nend p0 a/1 1\nbegin p1 a/2 1\nen").unwrap();
    let remains = Remains { complete: false, one_machine: true };
    let verdict = judge(file.path(), 2, remains);
    assert_eq!(verdict.holds(), None, "{}", verdict.detail());
}

#[test]
fn what_is_no_such_file_is_said_so() {
    assert_eq!(judged("hello\n", 1).0, Some(false));
    assert_eq!(
        judge(Path::new("/nowhere/at/all"), 1, Remains { complete: true, one_machine: true })
            .holds(),
        None
    );
}
