//! The command line that a login shell is given.
//!
//! An SSH server passes a command to the user's login shell as one text, whatever that shell is. In
//! single quotes nothing is special to any of the usual ones, so every word is quoted that way, and
//! a quote in it closes, is escaped, and opens again: `it's` becomes `'it'\''s'`. `exec` replaces
//! the shell, and `env` sets variables in a way that shells of every family understand.

use crate::launch::job::Job;

/// The command that runs a job's program at the path with its arguments and environment.
///
/// # Errors
///
/// The word that cannot be passed.
pub(super) fn of_job(path: &str, job: &Job) -> Result<String, String> {
    let mut command = "exec".to_owned();
    if !job.environment.is_empty() {
        command.push_str(" env");
    }
    for (name, value) in &job.environment {
        let first = |c: char| c.is_ascii_alphabetic() || c == '_';
        if !name.starts_with(first) || !name.chars().all(|c| first(c) || c.is_ascii_digit()) {
            return Err(format!("`{}` is no name of a variable", name.escape_debug()));
        }
        push_quoted(&mut command, &format!("{name}={value}"))?;
    }
    push_quoted(&mut command, path)?;
    job.arguments.iter().try_for_each(|argument| push_quoted(&mut command, argument))?;
    Ok(command)
}

/// The command that runs these words.
///
/// # Errors
///
/// The word that cannot be passed.
pub(super) fn of_words(words: &[&str]) -> Result<String, String> {
    let mut command = "exec".to_owned();
    words.iter().try_for_each(|word| push_quoted(&mut command, word))?;
    Ok(command)
}

/// Appends a word. Line breaks are refused, since shells of the C family end a command at them even
/// in quotes; NUL is in no command line.
fn push_quoted(command: &mut String, word: &str) -> Result<(), String> {
    if word.contains(['\0', '\n', '\r']) {
        return Err(format!("`{}` has a line break or NUL in it", word.escape_debug()));
    }
    command.push_str(" '");
    command.push_str(&word.replace('\'', r"'\''"));
    command.push('\'');
    Ok(())
}

#[cfg(test)]
mod tests;
