use super::*;

#[test]
fn a_line_is_taken_apart() {
    let text = "2026-11-22T07:15:00.123456Z INFO  p3 @31 entered  the section";
    let line = LogLine {
        time: Some("2026-11-22T07:15:00.123456Z"),
        level: Some(Level::Info),
        rank: Some(3),
        lamport: Some(31),
        said: "entered  the section",
    };
    assert_eq!(LogLine::read(text), line);
    let untraced = LogLine::read("2026-11-22T07:15:00Z WARN  p0 @x is gone");
    assert_eq!((untraced.rank, untraced.lamport), (Some(0), None));
    assert_eq!(untraced.said, "@x is gone");
    for other in ["", " ", "stack backtrace:", "p p p", "é"] {
        assert_eq!(LogLine::read(other), LogLine { said: other, ..LogLine::default() });
    }
}

#[test]
fn what_was_said_before_the_first_event_is_shown_with_it() {
    let mut placing = Placing::default();
    assert!(placing.take("2026-11-22T07:15:00.1Z DEBUG p3 connected").is_empty());
    let placed = placing.take("2026-11-22T07:15:00.2Z INFO  p3 @4 entered");
    let expected = ["07:15:00.1 DEBUG connected", "07:15:00.2 INFO entered"];
    assert_eq!(placed, expected.map(|text| (4, text.to_owned())));
    assert_eq!(placing.take("  second line"), [(4, "second line".to_owned())]);
    assert!(placing.finish().is_empty());

    let mut untraced = Placing::default();
    assert!(untraced.take("2026-11-22T07:15:00Z INFO  p3 joined").is_empty());
    assert_eq!(untraced.finish(), [(0, "07:15:00 INFO joined".to_owned())]);
}
