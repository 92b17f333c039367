use super::*;

fn event(process: u32, at_us: u64, lamport: u64, what: What) -> TraceEvent {
    TraceEvent { process: ProcessId(process), n: 1, clock: None, lamport, at_us, what }
}

fn note(kind: &str) -> Note {
    Note { kind: kind.to_owned().into(), text: kind.to_owned(), ..Note::default() }
}

#[test]
fn numbers_are_leb128_and_differences_zigzag() {
    let mut column = Column::default();
    for number in [0, 127, 128, 300, u64::MAX] {
        column.push(number);
    }
    let max = [255, 255, 255, 255, 255, 255, 255, 255, 255, 1];
    assert_eq!(column.0, [&[0, 127, 128, 1, 172, 2][..], &max].concat());

    let mut column = Column::default();
    for (now, before) in [(7, 7), (8, 7), (7, 8), (3, 0)] {
        column.push_difference(now, before);
    }
    assert_eq!(column.0, [0, 2, 1, 6]);
}

#[test]
fn times_are_counted_from_the_last_event_of_the_same_process() {
    let mut encoder = Encoder::new();
    encoder.push(&event(0, 1_000_000, 5, What::Init), None);
    encoder.push(&event(1, 7, 1, What::Init), None);
    encoder.push(&event(0, 1_000_003, 4, What::Crash(None)), None);
    let chunk = encoder.take().unwrap();
    assert_eq!(chunk.lamport.0, [10, 2, 1]);
    assert_eq!(chunk.time.0[chunk.time.0.len() - 2..], [14, 6]);
}

#[test]
fn lines_of_logs_have_an_end() {
    let mut encoder = Encoder::new();
    let long = "x".repeat(2 * LOG_LINE_SHOWN);
    let taken = (0..).take_while(|&i| encoder.log(ProcessId(1), i, &long)).count();
    assert!((10..=LOGS_MAX / LOG_LINE_SHOWN).contains(&taken), "{taken}");
    let chunk = encoder.take().unwrap();
    assert_eq!((chunk.events(), chunk.logs.len()), (0, taken));
    assert_eq!((chunk.logs[9].0, chunk.logs[9].1), (1, 9));
    assert!(!encoder.log(ProcessId(1), 0, &long), "what was taken counts too");
}

#[test]
fn strings_stand_once_and_are_counted_on() {
    let mut encoder = Encoder::new();
    encoder.push(&event(0, 0, 1, What::Request(note("Enter"))), Some("Idle"));
    encoder.push(&event(0, 0, 2, What::Timeout(note("Enter"))), Some("Idle"));
    let first = encoder.take().unwrap();
    assert_eq!(first.strings, ["Enter", "Idle"]);
    assert_eq!(first.state.0, [2, 2]);
    encoder.push(&event(0, 0, 3, What::Indication(note("Left"))), Some("Enter"));
    let second = encoder.take().unwrap();
    assert_eq!(second.strings, ["Left"]);
    assert_eq!((second.kind.0, second.state.0), (vec![3], vec![1]));
    assert!(encoder.take().is_none());
    assert_eq!(encoder.total(), 3);
}
