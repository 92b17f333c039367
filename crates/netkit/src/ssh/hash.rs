//! The hash that tells versions of a program apart.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

/// What tells a program from another version of it: the hash of its content, as the names of copies
/// have it. A copy that [`Remote::push`](super::Remote::push) made has the same.
///
/// # Errors
///
/// If the file cannot be read.
pub fn program_hash(program: &Path) -> io::Result<String> {
    Ok(hash_of(&mut File::open(program)?)?.0)
}

/// The hash of what there is to read, in the form that names of copies have, and its length in
/// bytes.
pub(super) fn hash_of(from: &mut impl Read) -> io::Result<(String, u64)> {
    let mut hash = Sha256::new();
    let size = io::copy(from, &mut HashWriter(&mut hash))?;
    Ok((hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect(), size))
}

/// Feeds what is written to a hash.
struct HashWriter<'a>(&'a mut Sha256);

impl Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
