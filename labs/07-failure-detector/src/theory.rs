//! How good a detector is, according to theory.
//!
//! The measures are those of Chen, Toueg and Aguilera (2002), section 2: the *detection time* T_D
//! from a crash to the suspicion that lasts; the *mistake recurrence time* T_MR from one wrong
//! suspicion to the next; the *mistake duration* T_M from a wrong suspicion to its end; the *query
//! accuracy probability* P_A that who asks at a random moment about a process that lives is told
//! so.
//!
//! **Detection.** The last heartbeat that is answered is sent before the crash, and the suspicion comes with the
//! (threshold+1)th after it: T_D is at most (threshold+1) intervals, and at least threshold
//! intervals less the message's way. The answer may still be under way when the process dies, and
//! the other detector must be told: a round trip more for both to know.
//!
//! **Mistakes.** Let a heartbeat get no answer with the chance q = 1−(1−p)², for a network that loses each message
//! with the chance p, and let round trips be shorter than an interval. A wrong suspicion begins in
//! a round if the heartbeat threshold+1 rounds ago was answered and the `threshold` after it were
//! not: with the chance (1−q)·q^threshold. So T_MR = interval / ((1−q)·q^threshold): *exponential*
//! in the threshold, while T_D grows only *linearly*. The first answer ends it: T_M =
//! interval·q/(1−q) + a round trip. And P_A = 1 − T_M/T_MR.

use std::time::Duration;

use crate::two_levels::Settings;

/// A network that loses each message with the same chance, and whose round trips are shorter than
/// an interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Link {
    /// The chance that a message is lost: from 0 to 1.
    pub loss: f64,
    /// The mean time of a message and its answer.
    pub round_trip: Duration,
}

/// What theory predicts, in seconds; infinite if there are no mistakes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Predicted {
    /// T_MR.
    pub recurrence_s: f64,
    /// T_M.
    pub duration_s: f64,
    /// P_A, from 0 to 1.
    pub accuracy: f64,
}

/// The time within which both detectors know of a crash, if no message about it is lost.
pub fn detection_bound(settings: Settings, round_trip: Duration) -> Duration {
    settings
        .interval
        .saturating_mul(settings.threshold.saturating_add(1))
        .saturating_add(round_trip)
}

/// How good a detector is on this link.
pub fn predict(settings: Settings, link: Link) -> Predicted {
    let interval = settings.interval.as_secs_f64();
    let unanswered = 1.0 - (1.0 - link.loss).powi(2);
    let begins = (1.0 - unanswered) * unanswered.powf(f64::from(settings.threshold));
    let recurrence_s = interval / begins;
    let duration_s = interval * unanswered / (1.0 - unanswered) + link.round_trip.as_secs_f64();
    Predicted { recurrence_s, duration_s, accuracy: 1.0 - duration_s / recurrence_s }
}

#[cfg(test)]
mod tests;
