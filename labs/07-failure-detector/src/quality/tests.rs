use super::*;

const D: ProcessId = ProcessId(0);
const P: ProcessId = ProcessId(2);
const Q: ProcessId = ProcessId(4);

#[test]
fn mistakes_end_and_detections_do_not() {
    let mut quality = Quality::default();
    quality.on_round(D, [P, Q], 1_000_000);
    quality.on_suspect(D, P, 2_000_000);
    quality.on_restore(D, P, 2_500_000);
    quality.on_suspect(D, P, 6_000_000);
    quality.on_restore(D, P, 7_500_000);
    quality.on_crash(Q, 5_000_000);
    quality.on_suspect(D, Q, 5_400_000);
    quality.on_round(D, [P, Q], 10_000_000);
    let measures = quality.measure();
    assert_eq!(measures.detections_s, [0.4]);
    assert_eq!(measures.duration_s(), Some(1.0));
    // Ten seconds of P, five of Q.
    assert_eq!(measures.recurrence_s(), Some(7.5));
    assert!((measures.accuracy().unwrap() - 13.0 / 15.0).abs() < 1e-12);
    assert_eq!(measures.unresolved, 0);
}

#[test]
fn who_dies_suspected_was_suspected_by_mistake_until_then() {
    let mut quality = Quality::default();
    quality.on_round(D, [P, Q], 1_000_000);
    quality.on_suspect(D, P, 2_000_000);
    quality.on_crash(P, 9_000_000);
    // Its last answer was under way when it died.
    quality.on_suspect(D, Q, 3_000_000);
    quality.on_crash(Q, 4_000_000);
    quality.on_restore(D, Q, 4_500_000);
    quality.on_suspect(D, Q, 4_800_000);
    quality.on_round(D, [P, Q], 10_000_000);
    let measures = quality.measure();
    assert_eq!(measures.detections_s, [0.0, 0.8]);
    assert_eq!((measures.mistakes_s.as_slice(), measures.ended_by_death), (&[7.0, 1.0][..], 2));
    // Nine seconds of P, four of Q.
    assert_eq!(measures.recurrence_s(), Some(6.5));
    assert!((measures.accuracy().unwrap() - 5.0 / 13.0).abs() < 1e-12);
}

#[test]
fn who_dies_after_its_detector_is_not_detected() {
    let mut quality = Quality::default();
    quality.on_suspect(D, P, 2_000_000);
    quality.on_crash(D, 4_000_000);
    quality.on_crash(P, 5_000_000);
    let measures = quality.measure();
    assert_eq!((measures.unresolved, measures.detections_s.len()), (1, 0));
    assert_eq!(measures.accuracy(), Some(0.5));
}

#[test]
fn nothing_is_made_up_where_nothing_happened() {
    let mut quality = Quality::default();
    assert_eq!(quality.measure().accuracy(), None);
    quality.on_round(D, [P], 1_000_000);
    let measures = quality.measure();
    assert_eq!(measures.accuracy(), Some(1.0));
    assert_eq!((measures.detection_s(), measures.recurrence_s()), (None, None));
}

#[test]
fn a_suspicion_of_who_is_not_known_to_be_dead_is_no_detection() {
    let mut quality = Quality::default();
    quality.on_suspect(D, P, 1_000_000);
    quality.on_suspect(D, P, 2_000_000);
    let measures = quality.measure();
    assert_eq!((measures.unresolved, measures.detections_s.len()), (1, 0));
    // Of two seconds, one.
    assert_eq!(measures.accuracy(), Some(0.5));
}
