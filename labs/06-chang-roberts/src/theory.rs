//! What the election costs.
//!
//! An identity travels from its initiator to the next initiator with a better one; the best, all round.
//! Chang and Roberts give the mean for N initiators: N·H(N), where H(N) = 1 + 1/2 + ... + 1/N. For K
//! initiators at random places it is N·H(K): the gaps between them are N/K wide on average.

/// The exact number of ELECTION messages where the greatest identity is elected, for identities and
/// initiators in the direction of the messages.
///
/// Takes time and space proportional to their number: those still under way are kept on a stack, the
/// greatest at the bottom, and each is removed when a greater one stops it.
pub fn elections(ring: &[(u64, bool)]) -> u64 {
    let n = ring.len();
    let initiators = |&place: &usize| ring[place].1;
    let Some(best) = (0..n).filter(initiators).max_by_key(|&place| ring[place].0) else { return 0 };
    let mut under_way: Vec<usize> = vec![0];
    let mut total = n as u64;
    // From the best one on, once round to itself: nobody's identity gets past it.
    for steps in (1..=n).filter(|steps| initiators(&((best + steps) % n))) {
        let identity = ring[(best + steps) % n].0;
        while let Some(&start) = under_way.last().filter(|&&start| start > 0) {
            if identity < ring[(best + start) % n].0 {
                break;
            }
            total += (steps - start) as u64;
            under_way.pop();
        }
        under_way.push(steps);
    }
    total
}

/// The fewest ELECTION messages of `n` processes, `initiators` of them initiating: sorted, side by side.
pub fn best(n: u32, initiators: u32) -> u64 {
    u64::from(n) + u64::from(initiators) - 1
}

/// The most: initiators side by side, in reverse order.
pub fn worst(n: u32, initiators: u32) -> u64 {
    let (n, k) = (u64::from(n), u64::from(initiators));
    n * k - k * (k - 1) / 2
}

/// The mean over all orders and all places of the initiators: N·H(K).
pub fn mean(n: u32, initiators: u32) -> f64 {
    // The small ones first, so that none is lost in the sum.
    f64::from(n) * (1..=initiators).rev().map(|i| 1.0 / f64::from(i)).sum::<f64>()
}

#[cfg(test)]
mod tests;
