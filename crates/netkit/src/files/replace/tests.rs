use std::os::unix::fs::PermissionsExt;

use super::*;

/// A disk that says what was asked of it.
#[derive(Default)]
struct Told(LocalDisk, Vec<&'static str>);

impl Disk for Told {
    fn create(&mut self, path: &Path) -> io::Result<File> {
        self.1.push("create");
        self.0.create(path)
    }

    fn write(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        self.1.push("write");
        self.0.write(file, bytes)
    }

    fn sync(&mut self, file: &File) -> io::Result<()> {
        let is_folder = file.metadata()?.is_dir();
        self.1.push(if is_folder { "sync folder" } else { "sync file" });
        self.0.sync(file)
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.1.push("rename");
        self.0.rename(from, to)
    }
}

/// A power cut cannot be tried here; what it leaves follows from the order.
#[test]
fn the_name_comes_after_the_content_and_the_folder_last() {
    let folder = tempfile::tempdir().unwrap();
    let mut disk = Told::default();
    replace(&mut disk, &folder.path().join("a"), b"text").unwrap();
    assert_eq!(disk.1, ["create", "write", "sync file", "rename", "sync folder"]);
    assert_eq!(fs::read(folder.path().join("a")).unwrap(), b"text");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn what_an_interrupted_attempt_left_is_replaced_and_a_link_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let victim = folder.path().join("victim");
    fs::write(&victim, "untouched").unwrap();
    std::os::unix::fs::symlink(&victim, folder.path().join("a.new")).unwrap();
    replace(&mut LocalDisk, &folder.path().join("a"), b"text").unwrap();
    assert_eq!(fs::read(&victim).unwrap(), b"untouched");
    assert_eq!(fs::read(folder.path().join("a")).unwrap(), b"text");
}

#[test]
fn a_private_file_is_for_its_owner_alone_whatever_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    replace(&mut LocalDisk, &path, b"text").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    replace(&mut PrivateDisk, &path, b"secret").unwrap();
    assert_eq!((mode(), fs::read(&path).unwrap()), (0o600, b"secret".to_vec()));
}

/// A disk that is full.
struct Full;

impl Disk for Full {
    fn create(&mut self, path: &Path) -> io::Result<File> {
        PrivateDisk.create(path)
    }

    fn write(&mut self, _: &mut File, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::StorageFull.into())
    }
}

#[test]
fn a_new_file_is_whole_or_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let names = || fs::read_dir(folder.path()).unwrap().count();
    assert!(create(&mut Full, &path, b"secret").is_err());
    assert_eq!(names(), 0);
    create(&mut PrivateDisk, &path, b"first").unwrap();
    let second = create(&mut PrivateDisk, &path, b"second").unwrap_err();
    assert_eq!(second.kind(), io::ErrorKind::AlreadyExists);
    assert_eq!((names(), fs::read(&path).unwrap()), (1, b"first".to_vec()));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_step_that_fails_leaves_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    replace(&mut LocalDisk, &path, b"old").unwrap();
    fs::create_dir(folder.path().join("a.new")).unwrap();
    assert!(replace(&mut LocalDisk, &path, b"new").is_err());
    assert_eq!(fs::read(&path).unwrap(), b"old");
}
