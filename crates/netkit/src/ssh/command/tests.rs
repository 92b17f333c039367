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
