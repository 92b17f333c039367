//! What to do about an error of the system, at the end of the line that tells it.
//!
//! "No such file or directory (os error 2)" says a number that helps nobody. Where the number says what can be
//! done, a line ends with that.

use std::io;

use crate::{files, threads};

/// A line that ends with what the system says, with what to do in place of the number. Any other line is
/// left as it is.
#[must_use]
pub fn advised(line: String) -> String {
    let Some((what, error)) = system_error(&line) else { return line };
    match files::way_out(&error).or_else(|| threads::way_out(&error)) {
        Some(hint) => format!("{what}; {hint}"),
        None => line,
    }
}

/// What to do about a line that ends with an error of the system because this machine, or the account, has
/// run out of something.
#[must_use]
pub fn shortage(line: &str) -> Option<&'static str> {
    threads::way_out(&system_error(line)?.1)
}

/// The error of the system that a line ends with, and what stands before its number. One number has two
/// meanings, no more processes and no answer in time: it says nothing here.
fn system_error(line: &str) -> Option<(&str, io::Error)> {
    let (what, number) = line.strip_suffix(')')?.rsplit_once(" (os error ")?;
    let error = io::Error::from_raw_os_error(number.parse().ok()?);
    (error.kind() != io::ErrorKind::WouldBlock).then_some((what, error))
}

/// Why a number on a command line cannot be, in words, in place of what the standard library or clap says
/// ("invalid digit found in string", "70000 is not in 0..=65535"). Nothing of other reasons.
#[must_use]
pub fn number_in_words(why: &str) -> Option<String> {
    let no_number = ["invalid digit found in string", "cannot parse integer from empty string"];
    if no_number.contains(&why) {
        return Some("it takes a whole number".to_owned());
    }
    if why.starts_with("number too ") {
        return Some("that number is too far from zero".to_owned());
    }
    let (_, range) = why.split_once(" is not in ")?;
    let (from, to) = range.split_once("..")?;
    Some(match (to.strip_prefix('='), to) {
        (Some(to), _) => format!("it takes a whole number from {from} to {to}"),
        (None, "") => format!("it takes a whole number, at least {from}"),
        (None, to) => format!("it takes a whole number from {from} to below {to}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_says_ends_with_what_to_do() {
        let of = |number: i32| {
            advised(format!("cannot read the plan p: {}", io::Error::from_raw_os_error(number)))
        };
        let missing = "cannot read the plan p: No such file or directory; check the name, and the \
                       folder it is looked for in";
        assert_eq!(of(2), missing);
        assert!(of(24).contains("; raise the limit of open files"));
        assert!(of(11).ends_with("(os error 11)"), "{}", of(11));
        assert!(of(5).ends_with("(os error 5)"), "{}", of(5));
        assert_eq!(advised("line 3 (os error x)".to_owned()), "line 3 (os error x)");
    }
}
