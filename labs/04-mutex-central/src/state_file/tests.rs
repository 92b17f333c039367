use std::fs;

use labs::process::ProcessId;

use super::*;
use crate::book::Wish;

#[test]
fn what_was_stored_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    assert_eq!(load(&path), Ok(None));
    let wish = Wish { client: ProcessId(3), ask: 2 };
    let book = Book {
        token: 7,
        inside: Some(wish),
        line: [wish].into(),
        wishes: [(ProcessId(3), 2)].into(),
    };
    let mut file = StateFile::open(Some(&path)).unwrap();
    file.on_indication(&Indication::Stored(Book::default())).unwrap();
    file.on_indication(&Indication::Stored(book.clone())).unwrap();
    assert_eq!(load(&path), Ok(Some(book)));
}

#[test]
fn what_is_no_book_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    fs::write(&path, "begin p1 1\n").unwrap();
    assert!(load(&path).unwrap_err().contains("does not hold the state"));
    fs::write(&path, "").unwrap();
    assert!(load(&path).unwrap_err().contains("is empty"), "that is no new book");
}

#[test]
fn a_file_has_one_coordinator() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let file = StateFile::open(Some(&path)).unwrap();
    let error = StateFile::open(Some(&path)).err().unwrap().to_string();
    assert!(error.contains("another coordinator uses the state in "), "{error}");
    drop(file);
    let mut file = StateFile::open(Some(&path)).unwrap();
    let nowhere = StateFile::open(Some(Path::new("/nowhere/at/all"))).err().unwrap();
    assert!(nowhere.to_string().contains("cannot lock the state in /nowhere"), "{nowhere}");
    fs::create_dir(path.with_extension("new")).unwrap();
    let error = file.on_indication(&Indication::Stored(Book::default())).unwrap_err();
    assert!(error.to_string().contains("cannot store the state in "), "{error}");
}
