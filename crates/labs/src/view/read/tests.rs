use std::fs::File;
use std::io::{BufReader, Write};

use super::*;

const HEADER: &str =
    r#"{"trace":2,"lab":"any","verb":"run","run":"r","processes":2,"seed":1,"arguments":[]}"#;
const INIT: &str = r#"{"process":0,"n":1,"lamport":1,"at_us":0,"event":"init"}"#;

#[test]
fn a_line_counts_once_it_is_complete() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "{HEADER}").unwrap();
    let reader = BufReader::new(File::open(file.path()).unwrap());
    let mut trace = Trace::new(reader).unwrap();
    assert_eq!(trace.next_entry().unwrap(), None);
    let (begin, end) = INIT.split_at(20);
    file.write_all(begin.as_bytes()).unwrap();
    assert_eq!(trace.next_entry().unwrap(), None);
    writeln!(file, "{end}").unwrap();
    let entry = trace.next_entry().unwrap().unwrap();
    assert_eq!((entry.event.n, entry.state, trace.line()), (1, None, 2));
    assert_eq!(trace.next_entry().unwrap(), None);
}

#[test]
fn a_state_is_read_where_there_is_one() {
    let line = INIT.replace('}', r#","state":"Idle \"x\""}"#);
    assert_eq!(entry(line.as_bytes()).unwrap().state.as_deref(), Some("Idle \"x\""));
    let within = r#"{"process":0,"n":1,"lamport":1,"at_us":0,"event":"request","value":{"kind":"A","text":"\"state\":7"}}"#;
    assert_eq!(entry(within.as_bytes()).unwrap().state, None);
    let wrong = INIT.replace('}', r#","state":7}"#);
    assert!(entry(wrong.as_bytes()).is_err());
}

#[test]
fn a_line_without_end_fills_no_memory() {
    let text = format!("{HEADER}\n{}", " ".repeat(2 * LINE_MAX as usize));
    let mut trace = Trace::new(text.as_bytes()).unwrap();
    let error = trace.next_entry().unwrap_err();
    assert!(error.to_string().contains("line 2: longer than"), "{error}");
}
