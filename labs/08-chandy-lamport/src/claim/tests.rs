use super::*;

fn owner(execution: &str) -> Owner {
    Owner { execution: execution.to_owned(), last_number: 7 }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_folder_has_one_run_at_a_time() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("a");
    let claim = Claim::of(&folder).unwrap();
    let copy = claim.clone();
    drop(claim);
    let error = Claim::of_existing(&folder).unwrap_err().to_string();
    assert!(error.contains("a run is using this folder"), "{error}");
    drop(copy);
    assert!(!folder.exists(), "nothing came of it");
    let error = Claim::of_existing(&folder).unwrap_err().to_string();
    assert!(error.contains("cannot use the folder"), "{error}");
}

/// A pipe would hang, and everybody would have the lock of a device.
#[test]
fn what_is_no_file_is_no_lock() {
    let place = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/dev/null", place.path().join(LOCK)).unwrap();
    let error = Claim::of_existing(place.path()).unwrap_err().to_string();
    assert!(error.contains("lock: it is not an ordinary file"), "{error}");
    assert_eq!(names(place.path()), [LOCK]);
}

#[test]
fn two_that_want_a_new_folder_get_two() {
    let place = tempfile::tempdir().unwrap();
    let claims: Vec<_> = std::thread::scope(|scope| {
        let claim = || Claim::of_new(place.path()).unwrap();
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(claim)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(names(place.path()).len(), 8);
    drop(claims);
    assert_eq!(names(place.path()).len(), 0);
}

#[test]
fn what_was_there_stays_and_so_does_what_was_used() {
    let place = tempfile::tempdir().unwrap();
    let file = |name| place.path().join(name);
    fs::write(file("notes.txt"), "mine").unwrap();
    drop(Claim::of(place.path()).unwrap());
    assert_eq!(names(place.path()), ["notes.txt"]);
    let claim = Claim::of(place.path()).unwrap();
    claim.give_to(&owner("one")).unwrap();
    drop(claim);
    assert_eq!(names(place.path()), ["execution", "lock", "notes.txt"]);
    assert_eq!(Owner::of(place.path()).unwrap(), Some(owner("one")));
}

/// Two machines without a shared disk: on the second nobody claimed the folder, or an earlier run did.
#[test]
fn processes_take_a_folder_that_holds_nothing_and_no_other() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    for execution in ["one", "other"] {
        for process in 0..3 {
            owner(execution).take(folder, ProcessId(process)).unwrap();
        }
        assert_eq!(Owner::of(folder).unwrap(), Some(owner(execution)));
    }
    assert_eq!(names(folder), ["execution"]);
    fs::write(folder.join("wave-1-by-p0.p0-of-2.checkpoint"), "").unwrap();
    owner("other").take(folder, ProcessId(0)).unwrap();
    let error = owner("one").take(folder, ProcessId(0)).unwrap_err().to_string();
    assert!(error.contains("checkpoints of another run"), "{error}");
    fs::write(folder.join(OWNER), "no title").unwrap();
    let error = owner("one").take(folder, ProcessId(0)).unwrap_err().to_string();
    assert!(error.contains("names no execution"), "{error}");
}
