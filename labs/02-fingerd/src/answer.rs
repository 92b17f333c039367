//! What goes to a client: printable ASCII, in lines that end with CRLF.
//!
//! RFC 1288 wants both (sections 2.2 and 3.3). The second is not a matter of taste: most of an
//! answer is what users wrote about themselves, in their `.plan`, and many clients show it to a
//! terminal as it comes. Here every byte that is not printable ASCII or a tab becomes a question
//! mark.

/// An answer as it grows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    bytes: Vec<u8>,
    /// How many of them have been sent.
    sent: usize,
}

impl Answer {
    /// Adds what a program printed.
    pub(crate) fn push(&mut self, printed: &[u8]) {
        for &byte in printed {
            match byte {
                b'\n' => self.bytes.extend_from_slice(b"\r\n"),
                // Those before LF come back with it; any others could overwrite a line on a
                // terminal.
                b'\r' => {}
                b'\t' | b' '..=b'~' => self.bytes.push(byte),
                _ => self.bytes.push(b'?'),
            }
        }
    }

    /// Adds a line, after the end of the one that was begun.
    pub(crate) fn push_line(&mut self, line: &str) {
        self.end_line();
        self.push(line.as_bytes());
        self.end_line();
    }

    /// Ends the line that was begun.
    pub(crate) fn end_line(&mut self) {
        if !self.bytes.is_empty() && !self.bytes.ends_with(b"\n") {
            self.push(b"\n");
        }
    }

    /// What has not been sent.
    pub(crate) fn unsent(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    /// Notes that so many bytes of [`Answer::unsent`] have been sent.
    pub(crate) fn note_sent(&mut self, n: usize) {
        self.sent += n;
    }

    /// Its length in bytes so far.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }
}

#[cfg(test)]
mod tests;
