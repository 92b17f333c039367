//! The folder of a run against what others may have put in its way; the form of a line.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::{fs, thread};

use super::*;

fn run() -> RunId {
    "20261122-071500-3f9a".parse().unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o777
}

/// Where [`RunFolder::create_in`] puts the folders of all runs.
fn parent(base: &Path) -> PathBuf {
    base.join(format!("labs-{}", user_name()))
}

fn create(base: &Path) -> Result<RunFolder, LogError> {
    RunFolder::create_in(base, "labs", &run())
}

#[test]
fn the_folders_are_closed_to_others_and_last_points_to_the_run() {
    let base = tempfile::tempdir().unwrap();
    let folder = create(base.path()).unwrap();
    assert_eq!(folder.path(), parent(base.path()).join("20261122-071500-3f9a"));
    assert_eq!((mode(folder.path()), mode(&parent(base.path()))), (0o700, 0o700));
    let last = parent(base.path()).join("last");
    assert_eq!(fs::read_link(&last).unwrap(), Path::new("20261122-071500-3f9a"));

    let next = "20261122-071501-0000".parse().unwrap();
    RunFolder::create_in(base.path(), "labs", &next).unwrap();
    assert_eq!(fs::read_link(&last).unwrap(), Path::new("20261122-071501-0000"));
}

#[test]
fn many_processes_of_a_run_may_create_it_at_once() {
    let base = tempfile::tempdir().unwrap();
    thread::scope(|scope| {
        let create = |n| move || create(n).map(|_| ());
        let all: Vec<_> = (0..16).map(|_| scope.spawn(create(base.path()))).collect();
        all.into_iter().for_each(|thread| thread.join().unwrap().unwrap());
    });
    let left: Vec<_> =
        fs::read_dir(parent(base.path())).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "the run and `last`, no link half made: {left:?}");
}

#[test]
fn a_file_is_created_for_us_alone_and_never_reopened() {
    let base = tempfile::tempdir().unwrap();
    let folder = create(base.path()).unwrap();
    let name = LogName { lab: "token-ring", rank: 2, host: "lab03", pid: 4711 }.to_string();
    folder.file(&name).unwrap().write_all(b"x").unwrap();
    assert_eq!(mode(&folder.path().join("token-ring-2-lab03-4711.log")), 0o600);
    let again = folder.file(&name).unwrap_err().to_string();
    assert!(again.starts_with("cannot create") && again.ends_with("File exists"), "{again}");
}

#[test]
fn a_file_is_never_created_through_a_link_or_outside_the_folder() {
    let base = tempfile::tempdir().unwrap();
    let folder = create(base.path()).unwrap();
    let victim = base.path().join("victim");
    symlink(&victim, folder.path().join("trap")).unwrap();
    folder.file("trap").unwrap_err();
    for name in ["", ".", "..", "../x", "/etc/x", "a\0b"] {
        assert!(matches!(folder.file(name), Err(LogError::Name { .. })), "{name:?}");
    }
    assert!(!victim.exists());
}

#[test]
fn a_planted_link_is_not_followed() {
    let base = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    symlink(elsewhere.path(), parent(base.path())).unwrap();
    let error = create(base.path()).unwrap_err();
    assert!(matches!(error, LogError::NotAFolder { .. }), "{error}");

    fs::remove_file(parent(base.path())).unwrap();
    let path = create(base.path()).unwrap().path().to_owned();
    fs::remove_dir(&path).unwrap();
    symlink(elsewhere.path(), &path).unwrap();
    let error = create(base.path()).unwrap_err();
    assert!(matches!(error, LogError::NotAFolder { .. }), "{error}");
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0, "nothing was written there");
}

#[test]
fn a_planted_file_is_refused() {
    let base = tempfile::tempdir().unwrap();
    fs::write(parent(base.path()), "mine").unwrap();
    assert!(matches!(create(base.path()), Err(LogError::NotAFolder { .. })));
    assert_eq!(fs::read(parent(base.path())).unwrap(), b"mine");
}

#[test]
fn a_folder_that_others_may_enter_is_refused() {
    for open in [0o755, 0o770, 0o701] {
        let base = tempfile::tempdir().unwrap();
        fs::create_dir(parent(base.path())).unwrap();
        fs::set_permissions(parent(base.path()), fs::Permissions::from_mode(open)).unwrap();
        let error = create(base.path()).unwrap_err();
        assert!(matches!(error, LogError::Open { mode, .. } if mode == open), "{error}");
    }
}

#[test]
fn a_folder_of_someone_else_is_refused() {
    if !geteuid().is_root() {
        eprintln!("skipped: only root can make a folder that belongs to someone else");
        return;
    }
    let base = tempfile::tempdir().unwrap();
    fs::create_dir(parent(base.path())).unwrap();
    fs::set_permissions(parent(base.path()), fs::Permissions::from_mode(0o700)).unwrap();
    std::os::unix::fs::chown(parent(base.path()), Some(12345), None).unwrap();
    let error = create(base.path()).unwrap_err();
    assert!(matches!(error, LogError::Foreign { owner: 12345, .. }), "{error}");
}

#[test]
fn the_name_of_a_log_cannot_leave_the_folder() {
    let name = LogName { lab: "../x", rank: 1, host: "a/b c\n", pid: 7 };
    assert_eq!(name.to_string(), ".._x-1-a_b_c_-7.log");
}

#[test]
fn a_line_carries_time_level_rank_and_lamport_time_and_cannot_be_forged() {
    let line = |lamport, text: &str| {
        let mut out = Vec::new();
        let args = format_args!("{text}").to_string();
        let args = format_args!("{args}");
        let record = log::Record::builder().level(log::Level::Warn).args(args).build();
        write_line(&mut out, &"TIME", 3, lamport, &record).unwrap();
        String::from_utf8(out).unwrap()
    };
    assert_eq!(line(0, "two\nlines\x1b[31m"), "TIME WARN  p3 two\\nlines\\u{1b}[31m\n");
    assert_eq!(line(31, "é"), "TIME WARN  p3 @31 é\n");
}

#[test]
fn what_a_run_left_is_found_again() {
    // Names that no run of any user will have: these folders are in the real /tmp.
    let prefix = format!("netkit-test-{}", std::process::id());
    let runs_of = |names: [&str; 2]| names.map(|name| name.parse::<RunId>().unwrap());
    let [older, newer] = runs_of(["20261122-071500-3f9a", "20261122-071501-0000"]);
    let folder = RunFolder::create(&prefix, &newer).unwrap();
    RunFolder::create(&prefix, &older).unwrap();
    folder.file("one.log").unwrap().write_all(b"line\n").unwrap();
    fs::create_dir(folder.path().join("folder")).unwrap();
    symlink("/etc/passwd", folder.path().join("link")).unwrap();

    assert_eq!(runs(&prefix), [newer.clone(), older.clone()]);
    assert_eq!(last(&prefix), Some(older));
    let again = RunFolder::open(&prefix, &newer).unwrap();
    assert_eq!(again.files().unwrap(), [("one.log".to_owned(), 5)]);
    assert_eq!(io::read_to_string(again.read("one.log").unwrap()).unwrap(), "line\n");
    assert!(again.read("link").is_err(), "a link is not followed");
    assert!(matches!(again.read("../last"), Err(LogError::Name { .. })));
    let none = RunFolder::open(&prefix, &"20261122-071502-0000".parse().unwrap()).unwrap_err();
    assert!(none.to_string().ends_with("No such file or directory"), "{none}");
    assert!(try_out(&prefix).unwrap() > 0);
    assert_eq!(last(&prefix), runs(&prefix).pop(), "trying out points nowhere else");

    fs::set_permissions(user_folder(&prefix), fs::Permissions::from_mode(0o755)).unwrap();
    assert!(matches!(try_out(&prefix), Err(LogError::Open { .. })));
    assert!(matches!(RunFolder::open(&prefix, &newer), Err(LogError::Open { .. })));
    fs::remove_dir_all(user_folder(&prefix)).unwrap();
    assert_eq!((runs(&prefix), last(&prefix)), (Vec::new(), None));
}
