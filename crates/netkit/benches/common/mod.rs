//! What the benches share: one core for both ends, alternating samples, medians, the ratio.

#![allow(dead_code, reason = "each bench uses a part of it")]

use std::time::Duration;

use netkit::{Admission, Membership, Outgoing, Secret};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// How many samples are taken of each side. The median of seven bears three that something else
/// disturbed.
pub(crate) const SAMPLES: usize = 7;

/// How many bytes the body of each frame has.
pub(crate) const BODY: usize = 64;

/// The run whose members the sealed side connects.
pub(crate) fn member(me: u32) -> Membership {
    let secret = Secret::from_hex(&"5e".repeat(32)).expect("64 digits");
    Membership { run: "bench".into(), secret, me }
}

/// Both ends of a connection of members, or of anybody: with seals or without.
pub(crate) fn ends(sealed: bool) -> (Admission, Outgoing) {
    if sealed {
        (Admission::Members(member(1)), Outgoing::Member { membership: member(0), to: 1 })
    } else {
        (Admission::Anyone, Outgoing::Anyone)
    }
}

/// Puts this thread, and those that it starts from now on, on the first core that it may use. On
/// two cores the wake-up from core to core would be measured, which costs more than all of netkit.
pub(crate) fn pin() {
    let allowed = sched_getaffinity(Pid::from_raw(0)).expect("this thread");
    let core = (0..CpuSet::count()).find(|&core| allowed.is_set(core) == Ok(true)).expect("a core");
    let mut one = CpuSet::new();
    one.set(core).expect("a valid core");
    sched_setaffinity(Pid::from_raw(0), &one).expect("an allowed core");
    println!("placement: both ends on core {core}, {SAMPLES} samples of each side, alternating");
}

/// Measures all sides in turn, and prints each one's median and its ratio to the first.
///
/// The first side is netkit; a sample is the time for `operations` of what is measured.
pub(crate) fn compare(operations: u32, sides: &mut [(&str, &mut dyn FnMut() -> Duration)]) {
    let mut samples = vec![Vec::new(); sides.len()];
    for round in 0..=SAMPLES {
        for (times, (_, measure)) in samples.iter_mut().zip(sides.iter_mut()) {
            let time = measure();
            // The first round warms up buffers and caches.
            if round > 0 {
                times.push(time);
            }
        }
    }
    let medians: Vec<f64> = samples.iter_mut().map(|times| median(times)).collect();
    for ((name, _), median) in sides.iter().zip(&medians) {
        let each = median * 1e9 / f64::from(operations);
        let rate = f64::from(operations) / median;
        println!("  {name:<58} {each:>9.1} ns each  {rate:>11.0}/s");
    }
    for ((name, _), other) in sides.iter().zip(&medians).skip(1) {
        let ratio = medians[0] / other;
        println!("  time of netkit against {name}: {ratio:.3} x (throughput {:.3} x)", 1.0 / ratio);
    }
}

fn median(times: &mut [Duration]) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64()
}
