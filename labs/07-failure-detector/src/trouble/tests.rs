use labs::faults::Plan;

use super::*;

fn settings(interval_ms: u64, threshold: u32, rounds: u32) -> Settings {
    Settings { interval: Duration::from_millis(interval_ms), threshold, rounds }
}

/// Whatever the options are, and however extreme.
#[test]
fn the_plan_can_be_carried_out() {
    for processes in [2, 3, 4, 5, 6, 7, 8, 10, 200_002] {
        for (interval_ms, threshold, rounds) in
            [(250, 3, 40), (1, 1, 1), (1, 1, 2_500_000), (86_400_000, 3, 30), (250, 1_000_000, 40)]
        {
            let plan = usual_faults(processes, settings(interval_ms, threshold, rounds));
            let read: Plan = plan.parse().unwrap_or_else(|error| panic!("{plan}: {error}"));
            read.validate(processes).unwrap_or_else(|error| panic!("{plan}: {error}"));
        }
    }
}

#[test]
fn it_fits_the_run() {
    let usual = usual_faults(10, settings(250, 3, 40));
    assert_eq!(usual.matches(';').count(), 5, "{usual}");
    assert_eq!(usual_faults(2, settings(250, 3, 40)).matches(';').count(), 1);
    assert_eq!(usual_faults(10, settings(100, 3, 4)), "stop 3 from 250ms to 850ms");
    assert_eq!(usual_faults(10, settings(100, 3, 2)), "");
}
