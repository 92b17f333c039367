//! How text for people looks: tables, plurals and colours.

use anstyle::{Ansi256Color, AnsiColor, Style};

/// How the cells of a column stand, and how wide it is at least. A longer cell widens it, so that cells never
/// touch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Column {
    /// Text, from the left.
    Left(usize),
    /// Numbers, from the right.
    Right(usize),
}

impl Column {
    fn width(self, longest: usize) -> usize {
        match self {
            Self::Left(width) => width.max(longest + 2),
            Self::Right(width) => width.max(longest + 1),
        }
    }
}

/// The lines of a table. Each row has a cell for each column.
pub fn table<S: AsRef<str>, R: AsRef<[S]>>(columns: &[Column], rows: &[R]) -> Vec<String> {
    let cell = |row: &R, at: usize| row.as_ref().get(at).map_or(0, |c| c.as_ref().chars().count());
    let width = |(at, column): (usize, &Column)| {
        column.width(rows.iter().map(|row| cell(row, at)).max().unwrap_or_default())
    };
    let widths: Vec<_> = columns.iter().enumerate().map(width).collect();
    let line = |row: &R| {
        let mut line = String::new();
        for ((cell, column), width) in row.as_ref().iter().zip(columns).zip(&widths) {
            let cell = cell.as_ref();
            line.push_str(&match column {
                Column::Left(_) => format!("{cell:<width$}"),
                Column::Right(_) => format!("{cell:>width$}"),
            });
        }
        line.trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// "1 token", "2 tokens", "2 entries", "2 processes". Each number of things in a message goes through here.
pub fn counted(n: u64, noun: &str) -> String {
    let hisses = ["s", "x", "z", "ch", "sh"].iter().any(|end| noun.ends_with(end));
    // A day has no "daies".
    let stem = noun.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'o', 'u']));
    match stem {
        _ if n == 1 => format!("{n} {noun}"),
        Some(stem) => format!("{n} {stem}ies"),
        None if hisses => format!("{n} {noun}es"),
        None => format!("{n} {noun}s"),
    }
}

/// A word as a shell reads it.
pub fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,=+@%".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// Colours, or none: nothing but a terminal shows them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Paint {
    /// Text with the commands of a terminal.
    Coloured,
    /// Text alone.
    Plain,
}

impl Paint {
    /// Text that stands out.
    pub fn bold(self, text: &str) -> String {
        self.styled(Style::new().bold(), text)
    }

    /// Text in one of the colours that every terminal has.
    pub fn colour(self, colour: AnsiColor, text: &str) -> String {
        self.styled(colour.on_default(), text)
    }

    /// Text in the colour of a process, so that those of few can be told apart.
    pub fn of_rank(self, rank: u32, text: &str) -> String {
        /// They can be told apart on dark and on light.
        const COLOURS: [u8; 8] = [33, 208, 35, 170, 37, 136, 99, 167];
        let colour = COLOURS[rank as usize % COLOURS.len()];
        self.styled(Ansi256Color(colour).on_default(), text)
    }

    fn styled(self, style: Style, text: &str) -> String {
        match self {
            Self::Coloured => format!("{style}{text}{style:#}"),
            Self::Plain => text.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_cell_widens_its_column() {
        let columns = [Column::Left(6), Column::Right(5), Column::Left(0)];
        let rows = [["kind", "n", "more"], ["a", "10", ""], ["seven-l", "12345", "x"]];
        let expected = ["kind          nmore", "a            10", "seven-l   12345x"];
        assert_eq!(table(&columns, &rows), expected);
    }

    #[test]
    fn words_are_quoted_for_a_shell() {
        let quoted = ["-n", "10%", "0->1 90", "it's", ""].map(quoted);
        assert_eq!(quoted, ["-n", "10%", "'0->1 90'", r"'it'\''s'", "''"]);
    }

    #[test]
    fn nouns_have_plurals() {
        let said = [(1, "entry"), (2, "entry"), (0, "token"), (1, "process"), (3, "process")]
            .map(|(n, noun)| counted(n, noun));
        assert_eq!(said, ["1 entry", "2 entries", "0 tokens", "1 process", "3 processes"]);
        let said = [(2, "crash"), (2, "branch"), (2, "box"), (2, "delay"), (2, "more process")]
            .map(|(n, noun)| counted(n, noun));
        assert_eq!(said, ["2 crashes", "2 branches", "2 boxes", "2 delays", "2 more processes"]);
    }

    #[test]
    fn only_coloured_text_has_commands() {
        assert_eq!(Paint::Plain.of_rank(3, "p3"), "p3");
        assert_eq!(Paint::Coloured.of_rank(1, "p1"), "\u{1b}[38;5;208mp1\u{1b}[0m");
        assert_eq!(Paint::Coloured.colour(AnsiColor::Red, "x"), "\u{1b}[31mx\u{1b}[0m");
        assert_eq!(Paint::Coloured.bold("x"), "\u{1b}[1mx\u{1b}[0m");
    }
}
