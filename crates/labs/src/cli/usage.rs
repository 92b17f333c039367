//! What is said of a command line that cannot be: clap's message, with the range of a number in words.
//!
//! Of a number that is none, clap hands on what the standard library says ("invalid digit found in string"), and
//! of one that is too large the range as Rust writes it ("not in 0..=4294967295").

use std::error::Error as _;

/// Says what is wrong, and ends the program as clap does: with status 2, or 0 after `--help`.
pub fn exit(error: &clap::Error) -> ! {
    if let Some(message) = in_words(error) {
        crate::said::say(message.trim_end());
        std::process::exit(error.exit_code());
    }
    error.exit()
}

/// The message, if it can be said better.
fn in_words(error: &clap::Error) -> Option<String> {
    let why = error.source()?.to_string();
    let message = error.render().to_string();
    Some(message.replacen(&why, &netkit::advice::number_in_words(&why)?, 1))
}

#[cfg(test)]
mod tests;
