//! Files that people name.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

/// Opens a file to read it. Refuses what is neither an ordinary file nor a character device: opening
/// a named pipe would wait for a writer, perhaps for ever.
///
/// # Errors
///
/// If it is refused, or as the system says.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let kind = fs::metadata(path)?.file_type();
    if !kind.is_file() && !kind.is_char_device() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not an ordinary file"));
    }
    File::open(path)
}

#[cfg(test)]
mod tests {
    use nix::sys::stat::Mode;

    use super::*;

    #[test]
    fn what_would_wait_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (pipe, missing) = (folder.path().join("pipe"), folder.path().join("missing"));
        nix::unistd::mkfifo(&pipe, Mode::S_IRWXU).unwrap();
        for refused in [&*pipe, folder.path()] {
            assert_eq!(open(refused).unwrap_err().to_string(), "it is not an ordinary file");
        }
        assert_eq!(open(&missing).unwrap_err().kind(), io::ErrorKind::NotFound);
        open(Path::new("/dev/null")).unwrap();
        open(tempfile::NamedTempFile::new().unwrap().path()).unwrap();
    }
}
