use super::*;

fn settings(threshold: u32) -> Settings {
    Settings { interval: Duration::from_millis(100), threshold, rounds: 1 }
}

#[test]
fn detection_grows_by_an_interval_and_recurrence_by_a_factor() {
    let link = Link { loss: 0.5, round_trip: Duration::ZERO };
    for threshold in 1..9 {
        let [one, next] = [threshold, threshold + 1].map(settings);
        let longer = detection_bound(next, Duration::ZERO) - detection_bound(one, Duration::ZERO);
        assert_eq!(longer, one.interval);
        let factor = predict(next, link).recurrence_s / predict(one, link).recurrence_s;
        // Three of four heartbeats get no answer.
        assert!((factor - 4.0 / 3.0).abs() < 1e-9, "{factor}");
    }
    let bound = detection_bound(settings(3), Duration::from_millis(7));
    assert_eq!(bound, Duration::from_millis(407));
}

#[test]
fn who_loses_nothing_makes_no_mistake() {
    let link = Link { loss: 0.0, round_trip: Duration::from_millis(6) };
    let predicted = predict(settings(2), link);
    assert_eq!(predicted.recurrence_s, f64::INFINITY);
    assert_eq!(predicted.accuracy, 1.0);
}
