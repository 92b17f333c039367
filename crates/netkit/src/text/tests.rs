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
fn what_nobody_can_see_is_escaped() {
    for c in ['\u{ad}', '\u{61c}', '\u{200b}', '\u{200d}', '\u{2060}', '\u{feff}', '\u{e0041}'] {
        let escaped = format!("a\\u{{{:x}}}b", u32::from(c));
        assert_eq!(one_line(&format!("a{c}b"), 99), escaped);
        assert_eq!(escape_bytes(format!("a{c}b").as_bytes()), escaped);
    }
    // What stands above, below and beside a letter is seen: it stays.
    assert_eq!(one_line("e\u{301} ñ 漢字 ع ❤", 99), "e\u{301} ñ 漢字 ع ❤");
}

#[test]
fn lines_stay_lines_and_forge_none() {
    let text = "one\ttwo\r\n\n--- three\u{202e}\n\x1b[2J\n";
    assert_eq!(lines(text, "| "), "| one\ttwo\n\n| --- three\\u{202e}\n| \\u{1b}[2J");
    assert_eq!(lines("a\rb\u{2028}c\u{85}d", ""), "a\\rb\\u{2028}c\\u{85}d");
    assert_eq!(lines("", "| "), "");
}

#[test]
fn bytes_that_are_no_text_are_shown_as_numbers() {
    assert_eq!(escape_bytes("Grüße\r\n".as_bytes()), "Grüße\\r\\n");
    assert_eq!(escape_bytes(b"\xff\xfeab\xc3"), "\\xff\\xfeab\\xc3");
    assert_eq!(escape_bytes(b"\\xff\0\x1b"), "\\\\xff\\u{0}\\u{1b}");
    assert_eq!(escape_bytes(b""), "");
}
