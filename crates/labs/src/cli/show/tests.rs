use super::{Form, Participant, ProcessId, line_of_start, picture};

#[test]
fn programs_are_told_the_same_wherever_it_goes() {
    assert_eq!([true, false].map(|terminal| Form::new(true, terminal)), [Form::Json; 2]);
    assert_eq!(
        [true, false].map(|terminal| Form::new(false, terminal)),
        [Form::Picture, Form::Text]
    );
}

#[test]
fn the_place_of_a_process_is_told_in_either_form() {
    let participant = Participant { host: "me@lab02".to_owned(), pid: 17, log: String::new() };
    let line = |form| line_of_start(form, ProcessId(3), &participant);
    assert_eq!(line(Form::Text).unwrap(), "p3 runs on me@lab02, process 17");
    assert_eq!(
        line(Form::Json).unwrap(),
        r#"{"event":"start","host":"me@lab02","pid":17,"process":3}"#
    );
    assert_eq!(line(Form::Picture), None);
}

#[test]
fn a_picture_is_written_over_the_one_before() {
    let lines = ["alive".to_owned(), "a line that is too long".to_owned()];
    let text = picture(&lines, 6, 3);
    assert_eq!(
        text,
        "\u{1b}[?2026h\u{1b}[3A\ralive\u{1b}[K\n\ra line\u{1b}[K\n\u{1b}[J\u{1b}[?2026l"
    );
}
