//! Traces that people name, to be read.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use anyhow::Context as _;

use crate::files;
use crate::trace::format::Reader;

/// Opens a trace.
///
/// # Errors
///
/// If it is no ordinary file, or cannot be opened. The error names it.
pub fn open(path: &Path) -> anyhow::Result<BufReader<File>> {
    let file = files::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    Ok(BufReader::new(file))
}

/// Opens a trace and reads its header.
///
/// # Errors
///
/// As [`open`], or if the file does not begin like a trace.
pub fn read(path: &Path) -> anyhow::Result<Reader<BufReader<File>>> {
    Reader::new(open(path)?).with_context(|| path.display().to_string())
}
