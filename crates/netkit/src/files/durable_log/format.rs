//! The bytes of a log: see [the module above](super). Pure.

use std::hash::Hasher;
use std::io;
use std::ops::Range;

use siphasher::sip::SipHasher24;

/// What a log begins with, and its version.
const MAGIC: &str = "labs-log 1 ";

/// How many digits a salt has: those of a key of SipHash.
const SALT: usize = 32;

/// Digits of the number of a block, of its length, and of its checksum, with what stands between
/// them and the end of the line.
const NUMBER: Range<usize> = 0..16;
const LENGTH: Range<usize> = 17..25;
const CHECKSUM: Range<usize> = 26..42;
const HEADER: usize = 43;

/// Why a file cannot be used as a log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The system says so.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is another file.
    #[error("it is no log of this program, or of another version: name another file")]
    NoLog,
    /// No crash leaves it so.
    #[error("it is damaged at byte {at}, which no crash does: put a copy of it back")]
    Damaged {
        /// Where the first block begins that is not whole.
        at: usize,
    },
}

/// The random number of a log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Salt([u8; 16]);

impl Salt {
    pub(super) fn random() -> io::Result<Self> {
        let mut salt = [0; 16];
        getrandom::fill(&mut salt)?;
        Ok(Self(salt))
    }

    pub(super) fn first_line(&self) -> String {
        format!("{MAGIC}{:0SALT$x}\n", u128::from_be_bytes(self.0))
    }

    fn of_first_line(bytes: &[u8]) -> Option<Self> {
        let digits = bytes.strip_prefix(MAGIC.as_bytes())?.strip_suffix(b"\n")?;
        let digits = std::str::from_utf8(digits).ok()?;
        let salt = Self(u128::from_str_radix(digits, 16).ok()?.to_be_bytes());
        (salt.first_line().as_bytes() == bytes).then_some(salt)
    }

    /// The checksum of what stands before it in a block, and of the entries behind it.
    fn checksum(&self, before: &[u8], entries: &[u8]) -> u64 {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        hasher.write(before);
        hasher.write(entries);
        hasher.finish()
    }
}

/// The block that is being written.
#[derive(Debug, Default)]
pub(super) struct Block(Vec<u8>);

impl Block {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds an entry. An end of a line within it would make it two.
    pub(super) fn push(&mut self, entry: &str) {
        assert!(!entry.contains('\n'), "an entry is one line");
        if self.0.is_empty() {
            self.0.resize(HEADER, 0);
        }
        self.0.extend_from_slice(entry.as_bytes());
        self.0.push(b'\n');
    }

    /// All its bytes, with what stands before its entries.
    ///
    /// # Errors
    ///
    /// If eight digits do not hold its length.
    pub(super) fn finish(&mut self, number: u64, salt: &Salt) -> io::Result<&[u8]> {
        if self.0.is_empty() {
            self.0.resize(HEADER, 0);
        }
        let (header, entries) = self.0.split_at_mut(HEADER);
        let length = u32::try_from(entries.len())
            .map_err(|_| io::Error::other("4 GiB at once are too much for a log"))?;
        let before = format!("{number:016x} {length:08x} ");
        let checksum = salt.checksum(before.as_bytes(), entries);
        header.copy_from_slice(format!("{before}{checksum:016x}\n").as_bytes());
        Ok(&self.0)
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

/// What is in a log.
#[derive(Debug, Eq, PartialEq)]
pub struct Contents {
    /// The entries of the snapshot.
    pub snapshot: Vec<String>,
    /// The entries of the turns after it, in their order.
    pub turns: Vec<String>,
    pub(super) salt: Salt,
    /// How many blocks are whole, the snapshot counted.
    pub(super) blocks: u64,
    /// Where the snapshot ends, and where the last whole block does.
    pub(super) snapshot_end: usize,
    pub(super) whole: usize,
}

/// Whether this is the beginning of a log, and not of another file.
#[must_use]
pub fn is_log(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC.as_bytes())
}

/// The end of the first line.
const FIRST_LINE: usize = MAGIC.len() + SALT + 1;

/// Reads a log: all blocks that are whole, if nothing but a crash has spoilt what is behind them.
///
/// # Errors
///
/// [`LogError::NoLog`] and [`LogError::Damaged`].
pub fn parse(bytes: &[u8]) -> Result<Contents, LogError> {
    let salt = bytes.get(..FIRST_LINE).and_then(Salt::of_first_line).ok_or(LogError::NoLog)?;
    // A log comes to its place with its snapshot: no crash leaves it without.
    let (snapshot, snapshot_end) =
        whole_block(bytes, FIRST_LINE, &salt, 0).ok_or(LogError::Damaged { at: FIRST_LINE })?;
    let mut contents = Contents {
        snapshot: lines(snapshot, FIRST_LINE)?,
        turns: Vec::new(),
        salt,
        blocks: 1,
        snapshot_end,
        whole: snapshot_end,
    };
    let at =
        |contents: &Contents| whole_block(bytes, contents.whole, &contents.salt, contents.blocks);
    while let Some((entries, end)) = at(&contents) {
        contents.turns.extend(lines(entries, contents.whole)?);
        contents.whole = end;
        contents.blocks += 1;
    }
    let mut behind = contents.whole..bytes.len();
    match behind.any(|at| whole_block_of_any_number(bytes, at, &contents.salt).is_some()) {
        true => Err(LogError::Damaged { at: contents.whole }),
        false => Ok(contents),
    }
}

/// The entries of the block that begins here, if it is whole and has this number, and where it ends.
fn whole_block<'a>(
    bytes: &'a [u8],
    at: usize,
    salt: &Salt,
    number: u64,
) -> Option<(&'a [u8], usize)> {
    let (is_number, entries, end) = whole_block_of_any_number(bytes, at, salt)?;
    (is_number == number).then_some((entries, end))
}

fn whole_block_of_any_number<'a>(
    bytes: &'a [u8],
    at: usize,
    salt: &Salt,
) -> Option<(u64, &'a [u8], usize)> {
    let header = bytes.get(at..at.checked_add(HEADER)?)?;
    let marks = [header[NUMBER.end], header[LENGTH.end], header[CHECKSUM.end]];
    if marks != *b"  \n" {
        return None;
    }
    let number = hexadecimal(&header[NUMBER])?;
    let length = usize::try_from(hexadecimal(&header[LENGTH])?).ok()?;
    let checksum = hexadecimal(&header[CHECKSUM])?;
    let start = at + HEADER;
    let end = start.checked_add(length)?;
    let entries = bytes.get(start..end)?;
    let is_whole = salt.checksum(&header[..CHECKSUM.start], entries) == checksum;
    is_whole.then_some((number, entries, end))
}

/// Lower-case digits alone: what else looks like a number was not written here.
fn hexadecimal(digits: &[u8]) -> Option<u64> {
    let is_ours = |digit: &u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
    let digits = std::str::from_utf8(digits).ok().filter(|d| d.bytes().all(|d| is_ours(&d)))?;
    u64::from_str_radix(digits, 16).ok()
}

/// The entries of a whole block.
fn lines(entries: &[u8], at: usize) -> Result<Vec<String>, LogError> {
    let text = std::str::from_utf8(entries).map_err(|_| LogError::Damaged { at })?;
    Ok(text.split_terminator('\n').map(str::to_owned).collect())
}
