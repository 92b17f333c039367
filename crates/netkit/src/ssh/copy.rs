//! Copying over SFTP: the program there, files from there.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use ssh2::{ErrorCode, OpenFlags, OpenType, Sftp};

use super::hash::hash_of;

/// Where copies of programs are kept, below the home folder there.
const FOLDERS: [&str; 2] = [".cache", ".cache/netkit"];

/// How much is written at once. The library keeps that much on its way before it waits for an
/// answer: with 8 KiB a copy takes four times as long.
const PIECE: usize = 256 << 10;

/// A program to copy, and the name of its copy.
#[derive(Clone, Debug)]
pub(crate) struct Copy {
    file: PathBuf,
    size: u64,
    /// `<name>-<hash>`: another version of the program has another name.
    name: String,
}

impl Copy {
    /// Reads the program once, for its hash.
    pub(super) fn of(file: &Path) -> io::Result<Copy> {
        let mut reader = File::open(file)?;
        if !reader.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a file"));
        }
        let (hash, size) = hash_of(&mut reader)?;
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let name: String = name.chars().map(|c| if plain(c) { c } else { '_' }).take(100).collect();
        // A copy that copies itself, as a launcher on one machine does for the next, keeps its
        // name.
        let suffix = format!("-{hash}");
        let name = if name.ends_with(&suffix) { name } else { name + &suffix };
        Ok(Copy { file: file.to_owned(), size, name })
    }

    /// Brings the program there unless it is there already. Returns its path and whether it was
    /// copied.
    pub(super) fn bring(&self, sftp: &Sftp) -> Result<(String, bool), CopyError> {
        let home = sftp.realpath(Path::new(".")).map_err(there("find the home folder"))?;
        for folder in FOLDERS {
            make_folder(sftp, &home.join(folder))?;
        }
        let folder = home.join(FOLDERS[1]);
        let path = folder.join(&self.name);
        let shown = path.to_str().ok_or(CopyError::Path)?.to_owned();
        if self.is_there(sftp, &path) {
            return Ok((shown, false));
        }
        let mut random = [0; 4];
        getrandom::fill(&mut random)
            .map_err(|error| CopyError::Here(io::Error::other(error.to_string())))?;
        let temporary = folder.join(format!(".{}-{:08x}", self.name, u32::from_ne_bytes(random)));
        self.write(sftp, &temporary)
            .and_then(|()| self.put_in_place(sftp, &temporary, &path))
            .inspect_err(|_| {
                // Best effort: the error that is reported is the one that matters.
                let _ = sftp.unlink(&temporary);
            })?;
        Ok((shown, true))
    }

    /// Whether a file of this name and size is there. Its name has the hash of its content, and it
    /// got the name only when it was complete.
    fn is_there(&self, sftp: &Sftp, path: &Path) -> bool {
        sftp.lstat(path).is_ok_and(|about| about.is_file() && about.size == Some(self.size))
    }

    fn write(&self, sftp: &Sftp, path: &Path) -> Result<(), CopyError> {
        let flags = OpenFlags::WRITE | OpenFlags::CREATE | OpenFlags::EXCLUSIVE;
        let mut remote = sftp
            .open_mode(path, flags, 0o700, OpenType::File)
            .map_err(there("create a file in .cache/netkit"))?;
        let mut local = File::open(&self.file).map_err(CopyError::Here)?;
        let mut piece = vec![0; PIECE];
        let mut left = self.size;
        loop {
            let n = local.read(&mut piece).map_err(CopyError::Here)?;
            if n == 0 {
                break;
            }
            left = left.checked_sub(n as u64).ok_or(CopyError::Changed)?;
            remote.write_all(&piece[..n]).map_err(CopyError::Write)?;
        }
        if left != 0 {
            return Err(CopyError::Changed);
        }
        // An extension of OpenSSH; a server without it writes the file in its own time.
        let _ = remote.fsync();
        remote.close().map_err(there("close the copy"))
    }

    /// Gives the complete copy its name. The rename of this protocol replaces nothing: if someone
    /// else was faster, theirs is as good.
    fn put_in_place(&self, sftp: &Sftp, temporary: &Path, path: &Path) -> Result<(), CopyError> {
        let Err(error) = sftp.rename(temporary, path, None) else { return Ok(()) };
        if self.is_there(sftp, path) {
            let _ = sftp.unlink(temporary);
            return Ok(());
        }
        // What is there is not ours, or an incomplete one of an old version.
        let _ = sftp.unlink(path);
        sftp.rename(temporary, path, None).map_err(|_| there("rename the copy")(error))
    }
}

/// Reads part of a file there: at most `max` bytes from `offset` on.
pub(super) fn read_file(
    sftp: &Sftp,
    path: &Path,
    offset: u64,
    max: u64,
) -> Result<Vec<u8>, CopyError> {
    let mut file = sftp.open(path).map_err(there("open it"))?;
    file.seek(SeekFrom::Start(offset)).map_err(CopyError::Read)?;
    let mut bytes = Vec::new();
    let mut piece = vec![0; PIECE];
    loop {
        let room = (max - bytes.len() as u64).min(PIECE as u64) as usize;
        // The library takes asking for nothing for an error.
        if room == 0 {
            return Ok(bytes);
        }
        match file.read(&mut piece[..room]).map_err(CopyError::Read)? {
            0 => return Ok(bytes),
            n => bytes.extend_from_slice(&piece[..n]),
        }
    }
}

/// Creates a folder for the user alone, unless there is one.
fn make_folder(sftp: &Sftp, path: &Path) -> Result<(), CopyError> {
    let Err(error) = sftp.mkdir(path, 0o700) else { return Ok(()) };
    // `stat` follows links: .cache may well be one, to a larger disk.
    match sftp.stat(path) {
        Ok(about) if about.is_dir() => Ok(()),
        _ => Err(there("create .cache/netkit in the home folder")(error)),
    }
}

/// Why a file was not copied.
#[derive(Debug)]
pub(super) enum CopyError {
    /// The file on this machine cannot be read.
    Here(io::Error),
    /// It changed while it was read.
    Changed,
    /// The home there has a name that is no text.
    Path,
    /// The server refuses.
    There { what: &'static str, error: ssh2::Error },
    /// Writing there failed.
    Write(io::Error),
    /// Reading there failed.
    Read(io::Error),
}

impl CopyError {
    /// Whether the connection itself is of no more use.
    pub(super) fn is_fatal(&self) -> bool {
        match self {
            CopyError::There { error, .. } => matches!(error.code(), ErrorCode::Session(_)),
            CopyError::Write(_) | CopyError::Read(_) => true,
            CopyError::Here(_) | CopyError::Changed | CopyError::Path => false,
        }
    }
}

impl std::fmt::Display for CopyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            CopyError::Here(error) => write!(f, "cannot read the file here: {error}"),
            CopyError::Changed => f.write_str("the file here changed while it was read"),
            CopyError::Path => f.write_str("the path of the home folder is no text"),
            CopyError::There { what, error } => {
                write!(f, "cannot {what} there: {}", error.message())
            }
            CopyError::Write(error) => write!(f, "cannot write there: {error}; is the disk full?"),
            CopyError::Read(error) => write!(f, "cannot read there: {error}"),
        }
    }
}

fn there(what: &'static str) -> impl Fn(ssh2::Error) -> CopyError {
    move |error| CopyError::There { what, error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_copy_of_a_copy_has_the_same_name() {
        let folder = tempfile::tempdir().unwrap();
        let original = folder.path().join("a program");
        std::fs::write(&original, "one version").unwrap();
        let copy = Copy::of(&original).unwrap();
        assert!(copy.name.starts_with("a_program-"), "{}", copy.name);
        let there = folder.path().join(&copy.name);
        std::fs::write(&there, "one version").unwrap();
        assert_eq!(Copy::of(&there).unwrap().name, copy.name);
        std::fs::write(&there, "another version").unwrap();
        assert!(Copy::of(&there).unwrap().name.starts_with(&copy.name));
        assert_ne!(Copy::of(&there).unwrap().name, copy.name);
    }
}
