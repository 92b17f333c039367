//! Text that came from elsewhere, made safe to show: on a terminal, in a log, in one line.
//!
//! A terminal obeys the control characters in a text that it shows. So the author of a message, a
//! name, or a line of a log could clear the screen of its reader, set the title of the window, or
//! forge a second line. Here control characters are escaped. Characters that turn the direction of
//! writing, and those that cannot be seen, are escaped too, because they can make a line show something
//! that it does not say.

/// The text in one line of at most `limit` characters (of the text; an escaped one takes more
/// room). Control characters, invisible ones, and those that turn the direction of writing are
/// escaped. An ellipsis stands for what was left out.
#[must_use]
pub fn one_line(text: &str, limit: usize) -> String {
    let mut line = String::with_capacity(text.len().min(limit));
    escape_into(&mut line, text.chars().take(limit));
    if text.chars().nth(limit).is_some() {
        line.push('…');
    }
    line
}

/// Any bytes in one line, so that no two look alike: as [`one_line`] without a limit; what is no
/// UTF-8 becomes `\xff`, and a backslash becomes two.
pub fn escape_bytes(bytes: &[u8]) -> String {
    let mut line = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c == '\\' { line.push_str("\\\\") } else { escape_into(&mut line, [c].into_iter()) }
        }
        for byte in chunk.invalid() {
            line.push_str(&format!("\\x{byte:02x}"));
        }
    }
    line
}

/// Appends the characters, escaped as [`one_line`] does.
pub(crate) fn escape_into(line: &mut String, text: impl Iterator<Item = char>) {
    for c in text {
        if is_harmful(c) { line.extend(c.escape_default()) } else { line.push(c) }
    }
}

fn is_harmful(c: char) -> bool {
    c.is_control()
        || is_invisible(c)
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether a character takes no room: a name with one looks like another without. Among them are the
/// mark at the start of files (U+FEFF), the spaces and joiners without width, marks of direction, soft
/// hyphens, fillers and tags.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}'
        | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{206a}'..='\u{206f}' | '\u{3164}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_deceive_is_escaped_and_the_rest_kept() {
        assert_eq!(one_line("a\tb\n\x1b[2Jé→ \u{202e}x", 99), "a\\tb\\n\\u{1b}[2Jé→ \\u{202e}x");
        assert_eq!(one_line("\u{9b}31m", 99), "\\u{9b}31m");
        assert_eq!(one_line("\u{feff}la\u{200b}b", 99), "\\u{feff}la\\u{200b}b");
        assert_eq!(one_line("abcdef", 6), "abcdef");
        assert_eq!(one_line("abcdefg", 6), "abcdef…");
    }

    #[test]
    fn bytes_that_are_no_text_are_shown_as_numbers() {
        assert_eq!(escape_bytes("Grüße\r\n".as_bytes()), "Grüße\\r\\n");
        assert_eq!(escape_bytes(b"\xff\xfeab\xc3"), "\\xff\\xfeab\\xc3");
        assert_eq!(escape_bytes(b"\\xff\0\x1b"), "\\\\xff\\u{0}\\u{1b}");
        assert_eq!(escape_bytes(b""), "");
    }
}
