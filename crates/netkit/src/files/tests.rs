use nix::sys::stat::Mode;

use super::*;

#[test]
fn what_would_wait_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (pipe, missing) = (folder.path().join("pipe"), folder.path().join("missing"));
    nix::unistd::mkfifo(&pipe, Mode::S_IRWXU).unwrap();
    for refused in [&*pipe, folder.path(), Path::new("/dev/null")] {
        for error in [open(refused).map(drop), read_bounded(refused, 9).map(drop)] {
            let error = error.unwrap_err().to_string();
            assert_eq!(error, "it is not an ordinary file: name another");
        }
    }
    assert_eq!(open(&missing).unwrap_err().kind(), io::ErrorKind::NotFound);
    open(tempfile::NamedTempFile::new().unwrap().path()).unwrap();
}

#[test]
fn a_file_is_read_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, "four").unwrap();
    assert_eq!(read_bounded(&path, 4).unwrap(), b"four");
    let error = read_bounded(&path, 3).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    assert_eq!(error.to_string(), "it is longer than 3 bytes");
    assert_eq!(read_if_there(&path, 4).unwrap(), Some(b"four".to_vec()));
    assert_eq!(read_if_there(&folder.path().join("missing"), 4).unwrap(), None);
    assert_eq!(read_whole(io::repeat(0), 99).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
}

#[test]
fn text_is_utf8() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "é").unwrap();
    assert_eq!(read_text(file.path(), 2).unwrap(), "é");
    fs::write(file.path(), [0xff]).unwrap();
    assert_eq!(read_text(file.path(), 2).unwrap_err().to_string(), "it is not UTF-8");
}

#[test]
fn a_part_begins_at_its_offset_and_ends_with_the_file() {
    let mut file = tempfile::tempfile().unwrap();
    io::Write::write_all(&mut file, b"0123456789").unwrap();
    assert_eq!(read_part(&mut file, 2, 3).unwrap(), b"234");
    assert_eq!(read_part(&mut file, 8, 3).unwrap(), b"89");
    assert_eq!(read_part(&mut file, 11, 3).unwrap(), b"");
}

#[test]
fn a_path_that_names_nothing_has_no_place() {
    assert!(absolute(Path::new("a")).unwrap().is_absolute());
    let error = absolute(Path::new("")).unwrap_err().to_string();
    assert!(error.starts_with("there is no such path: "), "{error}");
}

#[test]
fn what_is_needed_is_not_written_to_even_if_it_is_not_there_yet() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("there"), "").unwrap();
    fs::create_dir(at("folder")).unwrap();
    std::os::unix::fs::symlink(at("folder"), at("link")).unwrap();
    for (path, file) in [
        ("there", "there"),
        ("gone", "gone"),
        ("folder/../gone", "gone"),
        ("folder/gone", "folder"),
        ("link/gone", "folder/gone"),
    ] {
        let why = check_other(&at(path), &at(file)).unwrap_err().to_string();
        assert!(why.ends_with("is needed for something else: name another"), "{why}");
    }
    for (path, file) in
        [("there", "gone"), ("gone", "there"), ("folder", "folder/gone"), ("no/such", "gone")]
    {
        check_other(&at(path), &at(file)).unwrap();
    }
}

#[test]
fn a_mark_at_the_beginning_is_no_part_of_the_text() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "\u{feff}lab01\n").unwrap();
    assert_eq!(read_text(file.path(), 100).unwrap(), "lab01\n");
    fs::write(file.path(), "lab\u{feff}01\n").unwrap();
    assert_eq!(read_text(file.path(), 100).unwrap(), "lab\u{feff}01\n");
}
