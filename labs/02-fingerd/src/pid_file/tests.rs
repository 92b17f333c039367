use super::*;

/// A log somewhere else.
fn log() -> File {
    tempfile::tempfile().unwrap()
}

#[test]
fn a_second_server_is_told_who_holds_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pid");
    let mut first = PidFile::claim(&path, None, &log()).unwrap();
    first.write().unwrap();
    let own = std::process::id();
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("{own}\n"));
    let second = PidFile::claim(&path, None, &log()).unwrap_err().to_string();
    assert!(second.starts_with(&format!("another server, process {own}, holds ")), "{second}");
    drop(first);
    assert!(!path.exists());
}

#[test]
fn an_old_file_that_nobody_holds_is_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pid");
    fs::write(&path, "4194304\n").unwrap();
    let mut file = PidFile::claim(&path, None, &log()).unwrap();
    file.write().unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
}

/// By mistake, or because somebody has put a link where the file is to be.
#[test]
fn what_is_no_pid_file_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("thesis");
    for text in
        [&b"a page\n"[..], b"12 and more\n", &[b'1'; 5_000], b"\xff", b"12\0", b"4194305\n", b"+12"]
    {
        fs::write(&path, text).unwrap();
        let error = PidFile::claim(&path, None, &log()).unwrap_err().to_string();
        assert!(error.contains("something else than a process number"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), text);
    }
    fs::write(&path, "12\n").unwrap();
    fs::hard_link(&path, folder.path().join("link")).unwrap();
    let error = PidFile::claim(&path, None, &log()).unwrap_err().to_string();
    assert!(error.contains("has other names too"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), b"12\n");
}

#[test]
fn what_was_put_in_its_place_is_not_removed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pid");
    let file = PidFile::claim(&path, None, &log()).unwrap();
    fs::remove_file(&path).unwrap();
    fs::write(&path, "another's").unwrap();
    drop(file);
    assert_eq!(fs::read_to_string(&path).unwrap(), "another's");
}

#[test]
fn the_log_is_no_pid_file_by_whatever_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    fs::write(&path, "a line\n").unwrap();
    let log = File::open(&path).unwrap();
    for same in [path.clone(), folder.path().join(".").join("log")] {
        let error = PidFile::claim(&same, None, &log).unwrap_err().to_string();
        assert!(error.contains("is the log too"), "{error}");
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), "a line\n");
}
