//! What properties are owed throughout a step, in one number.

use crate::verdict::NOBODY_IN_PARTICULAR;

/// What is owed throughout a step: [`owe`](crate::verdict::Monitors::owe) of the first properties, some bits each. A process may be
/// served and ask again within one step.
pub(super) type Kept = u64;

/// Of how many properties it is known what is owed.
pub(super) const KEPT_SLOTS: usize = 3;

/// One bit for each process that `check` may have, and one for nobody in particular.
const KEPT_BITS: usize = 17;

/// To nobody in particular.
pub(super) const TO_NOBODY: u32 = 16;

/// What one property is owed, among all.
pub(super) fn kept_at(slot: usize, owed: u64) -> Kept {
    let named = owed & ((1 << TO_NOBODY) - 1);
    let unnamed = u64::from(owed & NOBODY_IN_PARTICULAR != 0) << TO_NOBODY;
    if slot < KEPT_SLOTS { (named | unnamed) << (KEPT_BITS * slot) } else { 0 }
}
