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
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;
    use crate::launch::job::Program;

    fn job(arguments: &[&str], environment: &[(&str, &str)]) -> Job {
        let pair = |(name, value): &(&str, &str)| (name.to_string(), value.to_string());
        Job {
            program: Program::Pushed,
            arguments: arguments.iter().map(|argument| argument.to_string()).collect(),
            environment: environment.iter().map(pair).collect(),
            stdin: Vec::new(),
        }
    }

    #[test]
    fn words_are_quoted_and_variables_set_by_env() {
        let job = job(&["--name", "it's $(x) !!"], &[("RUST_LOG", "a=b,c")]);
        assert_eq!(
            of_job("/bin/p q", &job).unwrap(),
            r"exec env 'RUST_LOG=a=b,c' '/bin/p q' '--name' 'it'\''s $(x) !!'"
        );
        assert_eq!(of_words(&["a", ""]).unwrap(), "exec 'a' ''");
    }

    #[test]
    fn what_no_shell_can_be_given_is_refused() {
        for word in ["a\nb", "a\rb", "a\0b"] {
            assert!(of_words(&[word]).is_err(), "{word:?}");
        }
        for name in ["", "1A", "A B", "A=B", "A;"] {
            assert!(of_job("/p", &job(&[], &[(name, "x")])).is_err(), "{name:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_shell_hands_every_word_on_as_it_is(
            words in proptest::collection::vec(r"[^\x00\r\n]{0,12}", 0..4)
        ) {
            let mut command = vec!["printf", r"%s\0"];
            command.extend(words.iter().map(String::as_str));
            let command = of_words(&command).unwrap();
            let output = Command::new("sh").arg("-c").arg(command).output().unwrap();
            let expected: String = words.iter().map(|word| format!("{word}\0")).collect();
            let printed = String::from_utf8(output.stdout).unwrap();
            prop_assert_eq!(printed, if words.is_empty() { "\0".to_owned() } else { expected });
        }
    }
}
