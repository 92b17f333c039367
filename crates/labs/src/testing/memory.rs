//! A file in memory.

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;

/// A file in memory that can be looked at after it was given away: copies are the same file.
#[derive(Clone, Debug, Default)]
pub(crate) struct FileInMemory(Rc<RefCell<Vec<u8>>>);

impl FileInMemory {
    /// What was written so far. The file is empty then.
    pub(crate) fn take(&self) -> Vec<u8> {
        self.0.take()
    }
}

impl Write for FileInMemory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
