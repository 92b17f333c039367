//! Every form of a line, and what follows from it.

use proptest::prelude::*;

use super::*;

/// A key of the given type; the number makes it differ from others.
fn key(key_type: &str, n: u8) -> Vec<u8> {
    let mut key = (key_type.len() as u32).to_be_bytes().to_vec();
    key.extend_from_slice(key_type.as_bytes());
    key.extend_from_slice(&[n; 32]);
    key
}

/// `type base64` of a key.
fn field(key_type: &str, n: u8) -> String {
    format!("{key_type} {}", STANDARD.encode(key(key_type, n)))
}

/// What a file says of key 1 (ed25519) of lab01 at the port.
fn judge(text: &str, port: u16) -> &'static str {
    let records = records(Path::new("known_hosts"), text, &filed_name("lab01", port));
    match verdict(&records, &key("ssh-ed25519", 1)) {
        Verdict::Known => "known",
        Verdict::Unknown => "unknown",
        Verdict::Changed(_) => "changed",
        Verdict::Revoked(_) => "revoked",
    }
}

fn hashed(name: &str) -> String {
    let salt = [7; 20];
    let mut mac = Hmac::<Sha1>::new_from_slice(&salt).unwrap();
    mac.update(name.as_bytes());
    format!("|1|{}|{}", STANDARD.encode(salt), STANDARD.encode(mac.finalize().into_bytes()))
}

#[test]
fn every_form_of_a_line_is_understood() {
    let (good, bad, rsa) = (field("ssh-ed25519", 1), field("ssh-ed25519", 2), field("ssh-rsa", 1));
    let hash = hashed("lab01");
    let hash_port = hashed("[lab01]:2222");
    let table = [
        ("nothing", String::new(), "unknown", "unknown"),
        ("plain", format!("lab01 {good}\n"), "known", "unknown"),
        ("no final newline", format!("lab01 {good}"), "known", "unknown"),
        ("line ends of another system", format!("lab01 {good}\r\n"), "known", "unknown"),
        ("comment behind", format!("lab01 {good} added by hand"), "known", "unknown"),
        (
            "comments and blank lines",
            format!("# lab01 {bad}\n\n  lab01\t{good}\n"),
            "known",
            "unknown",
        ),
        ("list of names", format!("other,lab01,10.0.0.9 {good}"), "known", "unknown"),
        ("other case", format!("LAB01 {good}"), "known", "unknown"),
        ("other host", format!("lab012 {good}\nlab0 {good}"), "unknown", "unknown"),
        ("with port", format!("[lab01]:2222 {good}"), "unknown", "known"),
        ("pattern", format!("lab* {good}"), "known", "unknown"),
        ("pattern of one", format!("lab?1 {good}"), "known", "unknown"),
        ("pattern with port", format!("[lab*]:2222 {good}"), "unknown", "known"),
        ("pattern of all", format!("* {good}"), "known", "known"),
        ("exception", format!("lab*,!lab01 {good}"), "unknown", "unknown"),
        ("exception first", format!("!lab01,lab* {good}"), "unknown", "unknown"),
        ("exception alone", format!("!lab02 {good}"), "unknown", "unknown"),
        ("hashed", format!("{hash} {good}"), "known", "unknown"),
        ("hashed with port", format!("{hash_port} {good}"), "unknown", "known"),
        ("hash damaged", format!("|1|x|y {good}\n|1|{good}"), "unknown", "unknown"),
        ("another key", format!("lab01 {bad}"), "changed", "unknown"),
        ("another key, hashed", format!("{hash} {bad}"), "changed", "unknown"),
        ("another type", format!("lab01 {rsa}"), "changed", "unknown"),
        ("two types", format!("lab01 {rsa}\nlab01 {good}"), "known", "unknown"),
        ("old and new key", format!("lab01 {bad}\nlab01 {good}"), "known", "unknown"),
        ("revoked", format!("@revoked lab01 {good}"), "revoked", "unknown"),
        ("revoked after all", format!("lab01 {good}\n@revoked * {good}"), "revoked", "revoked"),
        ("another revoked", format!("lab01 {good}\n@revoked * {bad}"), "known", "unknown"),
        ("only another revoked", format!("@revoked lab01 {bad}"), "unknown", "unknown"),
        ("authority", format!("@cert-authority * {good}"), "unknown", "unknown"),
        ("unknown marker", format!("@what lab01 {good}"), "unknown", "unknown"),
        (
            "garbage before",
            format!("garbage\n\0\nlab01\nlab01 x\nlab01 {good}"),
            "known",
            "unknown",
        ),
        ("not base64", "lab01 ssh-ed25519 A*B".to_owned(), "unknown", "unknown"),
        (
            "type does not fit the key",
            format!("lab01 {good}").replace("ssh-ed25519", "ssh-rsa"),
            "unknown",
            "unknown",
        ),
    ];
    for (form, text, at_22, at_2222) in table {
        assert_eq!(judge(&text, 22), at_22, "{form}, port 22");
        assert_eq!(judge(&text, 2222), at_2222, "{form}, port 2222");
    }
}

#[test]
fn a_hash_that_ssh_keygen_made_is_recognised() {
    // `ssh-keygen -H` of a line with the names lab01 and [lab02]:2222.
    let plain = "|1|nrDcp/vwzUQbnwOrVYB3WE1p4aY=|s6SgBgbn/nF0eOX42Ge6ZiljZi0=";
    let with_port = "|1|GrYZDO24oUdPQnwFu4t9VFup//U=|oFz6EULFDE+/Nx1I4s8HjmIf/3k=";
    assert!(names_host(plain, &filed_name("Lab01", 22)));
    assert!(names_host(with_port, &filed_name("lab02", 2222)));
    assert!(!names_host(plain, &filed_name("lab02", 22)));
    assert!(!names_host(with_port, &filed_name("lab02", 22)));
}

#[test]
fn the_record_that_decided_is_named() {
    let text = format!("x\nlab01 {}\n", field("ssh-ed25519", 2));
    let records = records(Path::new("kh"), &text, &filed_name("Lab01", 22));
    let Verdict::Changed(record) = verdict(&records, &key("ssh-ed25519", 1)) else { panic!() };
    assert_eq!(
        (record.file.as_path(), record.line, record.key_type.as_str()),
        (Path::new("kh"), 2, "ssh-ed25519")
    );
}

#[test]
fn the_line_that_files_a_key_is_read_back() {
    for port in [22, 2222] {
        let line = line(&filed_name("LAB01", port), &key("ssh-ed25519", 1)).unwrap();
        assert_eq!(judge(&line, port), "known", "{line}");
    }
    assert_eq!(line("lab01", b"\0\0\0\x09short"), None);
    assert_eq!(line("lab01", b"\0\0\0\x03a\nb"), None);
}

#[test]
fn a_pattern_full_of_stars_takes_no_time() {
    let pattern = "*a".repeat(500);
    assert!(!matches(pattern.as_bytes(), "a".repeat(499).as_bytes()));
    assert!(matches(pattern.as_bytes(), "a".repeat(500).as_bytes()));
}

proptest! {
    #[test]
    fn no_file_panics(text in r"(\PC|[ \n|@!*,1=]){0,200}", name in r"\PC{0,20}", port: u16) {
        let records = records(Path::new("x"), &text, &filed_name(&name, port));
        verdict(&records, text.as_bytes());
        key_type(text.as_bytes());
    }
}
