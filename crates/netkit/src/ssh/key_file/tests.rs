//! Key files of every form, built here: only what stands before the secret part matters.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;

/// A key in the format of OpenSSH under the cipher, with the public key.
fn openssh(cipher: &str, public: &[u8]) -> String {
    let mut bytes = b"openssh-key-v1\0".to_vec();
    let mut push = |string: &[u8]| {
        bytes.extend((string.len() as u32).to_be_bytes());
        bytes.extend(string);
    };
    push(cipher.as_bytes());
    push(b"bcrypt");
    push(b"salt and rounds");
    bytes.extend(1u32.to_be_bytes());
    bytes.extend((public.len() as u32).to_be_bytes());
    bytes.extend(public);
    bytes.extend([0; 100]);
    let encoded = STANDARD.encode(bytes);
    let lines: Vec<&str> =
        encoded.as_bytes().chunks(70).map(|line| std::str::from_utf8(line).unwrap()).collect();
    let (begin, end) = ("-----BEGIN OPENSSH PRIVATE KEY-----", "-----END OPENSSH PRIVATE KEY-----");
    format!("{begin}\n{}\n{end}\n", lines.join("\n"))
}

/// Writes a key as it should be: for its owner alone.
fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn look(text: &str) -> Result<(bool, Option<Vec<u8>>), String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("id");
    write(&path, text);
    KeyFile::read(&path).map(|file| (file.protected, file.public)).map_err(|e| e.to_string())
}

#[test]
fn a_protected_key_is_told_from_an_open_one() {
    let public = b"the public key".to_vec();
    assert_eq!(look(&openssh("none", &public)), Ok((false, Some(public.clone()))));
    assert_eq!(look(&openssh("aes256-ctr", &public)), Ok((true, Some(public))));
    let pem = |kind: &str, body: &str| format!("-----BEGIN {kind}PRIVATE KEY-----\n{body}\n");
    assert_eq!(look(&pem("", "MC4C")), Ok((false, None)));
    assert_eq!(look(&pem("RSA ", "MC4C")), Ok((false, None)));
    assert_eq!(look(&pem("ENCRYPTED ", "MC4C")), Ok((true, None)));
    let headers = "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nMC4C";
    assert_eq!(look(&pem("RSA ", headers)), Ok((true, None)));
}

#[test]
fn the_public_key_of_an_old_form_stands_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("id_rsa");
    write(&path, "-----BEGIN RSA PRIVATE KEY-----\nMC4C\n");
    fs::write(folder.path().join("id_rsa.pub"), "ssh-rsa AAAA me@here\n").unwrap();
    assert_eq!(KeyFile::read(&path).unwrap().public, Some(vec![0; 3]));
}

#[test]
fn what_is_no_private_key_is_refused() {
    let whole = openssh("none", b"public");
    for text in ["", "ssh-ed25519 AAAA", "-----BEGIN CERTIFICATE-----\nx\n", "-----BEGIN "] {
        assert_eq!(look(text), Err("not a private key".to_owned()), "{text:?}");
    }
    // Damaged at any place, it is refused or read; it never panics.
    for end in (0..whole.len()).step_by(7) {
        let _ = look(&whole[..end]);
    }
    let folder = tempfile::tempdir().unwrap();
    let error = KeyFile::read(folder.path()).unwrap_err().to_string();
    assert!(error.starts_with("it is not an ordinary file"), "{error}");
}

#[test]
fn a_key_that_others_may_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("id");
    write(&path, &openssh("none", b"public"));
    assert!(KeyFile::read(&path).is_ok());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let error = KeyFile::read(&path).unwrap_err().to_string();
    assert_eq!(error, "others may read it (mode 644): chmod 600 it");
}

#[test]
fn the_public_half_alone_names_a_key_of_the_agent() {
    let folder = tempfile::tempdir().unwrap();
    let (beside, itself) = (folder.path().join("id"), folder.path().join("id.pub"));
    fs::write(&itself, "ssh-rsa AAAA me@here\n").unwrap();
    for path in [beside, itself] {
        let file = KeyFile::public_only(&path).unwrap();
        assert_eq!((file.is_private, file.public), (false, Some(vec![0; 3])));
    }
    assert_eq!(KeyFile::public_only(&folder.path().join("other")), None);
}
