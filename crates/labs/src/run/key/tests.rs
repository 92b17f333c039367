use std::fs;

use super::*;

#[test]
fn a_key_is_made_once_and_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    assert!(Key::read(&path).unwrap_err().to_string().contains("No such file"));
    let made = Key::read_or_create(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    for read in [Key::read_or_create(&path).unwrap(), Key::read(&path).unwrap()] {
        assert_eq!(read.0.to_hex(), made.0.to_hex());
    }
    assert!(!format!("{made:?}").contains(&made.0.to_hex()));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// Whoever comes second reads what the first has written whole.
#[test]
fn those_that_make_a_key_at_once_have_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    let keys: Vec<_> = std::thread::scope(|scope| {
        let make = || Key::read_or_create(&path).unwrap().0.to_hex();
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(make)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    Key::read_or_create(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let error = Key::read(&path).unwrap_err().to_string();
    assert!(error.contains("mode 640") && error.contains("chmod 600"), "{error}");
}

#[test]
fn what_is_no_key_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    for text in [&b""[..], b"hello\n", &[0xff; 64], &[b'a'; 65]] {
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(Key::read(&path), Err(KeyError::Malformed { .. })), "{text:?}");
    }
}
