use std::fs;
use std::os::unix::fs::symlink;

use super::*;

#[test]
fn lines_are_added_and_links_are_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    Log::open(&path).unwrap().line("one");
    Log::open(&path).unwrap().line("two");
    let text = fs::read_to_string(&path).unwrap();
    let ends: Vec<_> = text.lines().map(|line| line.split_once("Z ").unwrap().1).collect();
    assert_eq!(ends, ["one", "two"]);
    let link = folder.path().join("link");
    symlink(&path, &link).unwrap();
    assert!(matches!(Log::open(&link), Err(FileError::Foreign { .. })));
    assert!(matches!(Log::open(folder.path()), Err(FileError::System { .. })));
    assert!(matches!(Log::open(Path::new("/dev/null")), Err(FileError::Foreign { .. })));
    fs::hard_link(&path, folder.path().join("other")).unwrap();
    assert!(matches!(Log::open(&path), Err(FileError::Linked { .. })));
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn a_log_that_was_moved_away_is_opened_anew() {
    let folder = tempfile::tempdir().unwrap();
    let [path, old] = ["log", "log.1"].map(|name| folder.path().join(name));
    let mut log = Log::open(&path).unwrap();
    log.line("before");
    fs::rename(&path, &old).unwrap();
    log.reopen();
    log.line("after");
    assert!(fs::read_to_string(&old).unwrap().ends_with("before\n"));
    assert!(fs::read_to_string(&path).unwrap().ends_with("after\n"));
    // One that cannot be opened costs no line.
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    log.reopen();
}
