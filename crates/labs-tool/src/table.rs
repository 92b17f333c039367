//! Tables of what machines say.

use labs::text::{Column, table};

/// The most of a cell that is shown, in letters.
const SHOWN: usize = 200;

/// A table of text. A machine may say anything, but it does not command the terminal.
pub(crate) fn of<const N: usize>(lines: &[[String; N]]) -> String {
    let shown = |cell: &String| netkit::text::one_line(cell, SHOWN);
    let rows: Vec<_> = lines.iter().map(|line| line.each_ref().map(shown)).collect();
    table(&[Column::Left(0); N], &rows).join("\n") + "\n"
}
