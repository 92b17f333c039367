//! Text that came from elsewhere, made safe to show: on a terminal, in a log, in one line.
//!
//! A terminal obeys the control characters in a text that it shows. So the author of a message, a
//! name, or a line of a log could clear the screen of its reader, set the title of the window, or
//! forge a second line. Here control characters are escaped. Two more kinds of characters are
//! escaped, because they make a line show something that it does not say: those that turn the
//! direction of writing, and those that nobody can see.

/// The text in one line of at most `limit` characters (of the text; an escaped one takes more
/// room). Control characters, invisible ones, and those that turn the direction of writing are
/// escaped. An ellipsis stands for what was left out.
#[must_use]
pub fn one_line(text: &str, limit: usize) -> String {
    // So are most lines, and there can be millions.
    if text.len() <= limit && text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return text.to_owned();
    }
    let mut line = String::with_capacity(text.len().min(limit));
    escape_into(&mut line, text.chars().take(limit));
    if text.chars().nth(limit).is_some() {
        line.push('…');
    }
    line
}

/// A text of several lines, each as [`one_line`] without a limit, behind the same beginning. Tabs
/// stay as they are. There is no end of line behind the last one.
///
/// With a beginning no line of the text can be taken for one that stands around it.
#[must_use]
pub fn lines(text: &str, beginning: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for (number, line) in text.lines().enumerate() {
        if number > 0 {
            shown.push('\n');
        }
        if !line.is_empty() {
            shown.push_str(beginning);
        }
        for (number, part) in line.split('\t').enumerate() {
            if number > 0 {
                shown.push('\t');
            }
            escape_into(&mut shown, part.chars());
        }
    }
    shown
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
    c.is_control() || turns_direction(c) || is_invisible(c)
}

/// Characters that turn the direction of writing, or end a line or a paragraph.
fn turns_direction(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Characters without a shape of their own, such as the zero-width space and the mark at the
/// beginning of a file: those that Unicode lets every program leave out when it draws
/// (`Default_Ignorable_Code_Point` in DerivedCoreProperties.txt), and the signs around annotations.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests;
