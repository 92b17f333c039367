use labs::process::ProcessId;

use super::*;

fn place(rank: u32) -> Place {
    Place { me: ProcessId(rank), ..Place::simulated(rank, 3) }
}

fn judged(text: &str) -> Vec<Option<bool>> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    judge(file.path(), 2, true).into_iter().map(|verdict| verdict.holds()).collect()
}

#[test]
fn a_stale_writer_is_refused_by_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shared");
    let [mut one, mut other] =
        [1, 2].map(|rank| SharedFile::open(Some(&path), &place(rank)).unwrap());
    let tell = |file: &mut SharedFile, what| file.on_indication(&what).unwrap();
    assert_eq!(tell(&mut one, Indication::Entered(1)), []);
    assert_eq!(tell(&mut other, Indication::Entered(2)), []);
    // It slept through the end of its lease, and wakes.
    assert_eq!(tell(&mut one, Indication::Left(1)), [Request::Refused(1)]);
    assert_eq!(tell(&mut other, Indication::Left(2)), []);
    assert_eq!(tell(&mut one, Indication::Entered(1)), [Request::Refused(1)]);
    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        "begin p1 sim/1 1\nbegin p2 sim/2 2\nend p2 sim/2 2\n"
    );
    assert_eq!(
        judge(&path, 2, true)[0].detail(),
        "1 of 2 begin/end pairs, none interleaved; 1 cut short"
    );
}

#[test]
fn what_may_be_on_another_machine_is_not_judged() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "begin p1 sim/1 1\nend p1 sim/1 1\n").unwrap();
    let judged = |one_machine| {
        let verdicts = judge(file.path(), 2, one_machine);
        verdicts.into_iter().map(|verdict| verdict.holds()).collect::<Vec<_>>()
    };
    assert_eq!(judged(true), [Some(true); 2]);
    assert_eq!(judged(false), [None; 2]);
    std::fs::write(file.path(), "begin p1 sim/1 2\nend p1 sim/1 2\nbegin p2 sim/2 1\n").unwrap();
    assert_eq!(judged(false)[1], Some(false), "what is wrong is wrong anywhere");
}

#[test]
fn a_line_that_was_cut_off_spoils_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shared");
    std::fs::write(&path, "begin p1 sim/1 1\nend p1 sim/1 1\nbegin p1 sim/1 2").unwrap();
    let mut other = SharedFile::open(Some(&path), &place(2)).unwrap();
    assert_eq!(other.on_indication(&Indication::Entered(3)).unwrap(), []);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.ends_with("1 2\nbegin p2 sim/2 3\n"), "{text}");
    assert!(judge(&path, 2, true).iter().all(|verdict| verdict.holds() == Some(true)));
}

#[test]
fn a_lock_that_is_not_given_back_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shared");
    let mut one = SharedFile::open(Some(&path), &place(1)).unwrap();
    let holder = shared_file::open(&path).unwrap();
    holder.lock().unwrap();
    let error = one.on_indication(&Indication::Entered(1)).unwrap_err();
    assert!(error.to_string().contains("is it stopped?"), "{error}");
}

#[test]
fn pairs_with_growing_tokens_hold() {
    assert_eq!(judged("begin a 1\nend a 1\nbegin b 2\nend b 2\n"), [Some(true); 2]);
    assert_eq!(judged("begin a 1\nbegin b 2\nend b 2\n"), [Some(true); 2]);
}

#[test]
fn each_mistake_breaks_its_property() {
    let (yes, no) = (Some(true), Some(false));
    assert_eq!(judged("begin a 1\nbegin b 2\nend a 1\nend b 2\n"), [no, no]);
    assert_eq!(judged("begin a 1\nbegin b 1\nend a 1\nend b 1\n"), [no, no]);
    assert_eq!(judged("begin a 2\nend a 2\nbegin b 1\nend b 1\n"), [yes, no]);
    assert_eq!(judged("begin a 1\nend b 1\n"), [no, yes]);
    assert_eq!(judge(Path::new("/nowhere/at/all"), 1, true)[0].holds(), None);
}
