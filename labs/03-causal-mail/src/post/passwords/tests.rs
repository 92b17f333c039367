use super::*;

#[test]
fn a_password_opens_its_box_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("passwords");
    set(&path, "Alice", "secret of alice").unwrap();
    set(&path, "bob", "first").unwrap();
    set(&path, "bob", "second").unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert!(!text.contains("secret") && text.contains("alice:$argon2id$"), "{text}");
    assert_eq!(text.lines().count(), 2);
    let passwords = Passwords::read(&path).unwrap();
    assert_eq!(passwords.names().collect::<Vec<_>>(), ["alice", "bob"]);
    let (alice, exists) = passwords.hash_of("alice");
    assert!(exists && matches("secret of alice", &alice) && !matches("secret of bob", &alice));
    assert!(matches("second", &passwords.hash_of("bob").0));
    assert!(!matches("first", &passwords.hash_of("bob").0));
    let (nobody, exists) = passwords.hash_of("carol");
    assert!(!exists && nobody.starts_with("$argon2id$"));
}

#[test]
fn a_wrong_file_names_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("passwords");
    for (text, why) in [
        ("alice", "no `name:hash`"),
        ("../a:$argon2id$", "no name of a box"),
        ("alice:secret", "no hash"),
        ("alice:$argon2id$v=19$m=4000000,t=2,p=1$c29tZXNhbHQ$c29tZXNhbHRzb21lc2FsdA", "memory"),
    ] {
        fs::write(&path, format!("\n{text}\n")).unwrap();
        let error = Passwords::read(&path).unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains(why), "{text}: {error}");
    }
}
