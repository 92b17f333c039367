//! A reader of the file that all processes of `token-ring run --file` write to.

use std::path::Path;

/// How many critical sections the file shows so far; 0 if there is none yet.
pub fn sections(path: &Path) -> usize {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().filter(|line| line.starts_with("end ")).count()
}

/// Asserts that the file has so many critical sections, each ended before the next began, of so many
/// processes.
///
/// # Panics
///
/// If not.
pub fn assert_pairs(path: &Path, pairs: usize, processes: usize) {
    let text = std::fs::read_to_string(path).expect("the file is there");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2 * pairs, "{text}");
    let mut who = std::collections::BTreeSet::new();
    for pair in lines.chunks(2) {
        let begun = pair[0].strip_prefix("begin ").expect("every other line begins a section");
        let ended = pair[1].strip_prefix("end ").expect("every other line ends one");
        assert_eq!(begun, ended, "{text}");
        // "p3 lab02/4711 1": the last word counts the entries.
        who.insert(begun.rsplit_once(' ').expect("it has several words").0);
    }
    assert_eq!(who.len(), processes, "{who:?}");
}
