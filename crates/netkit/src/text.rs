//! Text that came from elsewhere, made safe to show: on a terminal, in a log, in one line.

/// The text in one line of at most `limit` characters. Control characters and those that turn the
/// direction of writing are escaped: both can make a line show what it does not say.
#[must_use]
pub fn one_line(text: &str, limit: usize) -> String {
    let mut line = String::with_capacity(text.len().min(limit));
    escape_into(&mut line, text.chars().take(limit));
    if text.chars().nth(limit).is_some() {
        line.push('…');
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
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_deceive_is_escaped_and_the_rest_kept() {
        assert_eq!(one_line("a\tb\n\x1b[2Jé→ \u{202e}x", 99), "a\\tb\\n\\u{1b}[2Jé→ \\u{202e}x");
        assert_eq!(one_line("\u{9b}31m", 99), "\\u{9b}31m");
        assert_eq!(one_line("abcdef", 6), "abcdef");
        assert_eq!(one_line("abcdefg", 6), "abcdef…");
    }
}
