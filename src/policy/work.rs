//! Counts the steps of evaluations, for tests of bounds.

use std::cell::Cell;

thread_local! {
    static STEPS: Cell<usize> = const { Cell::new(0) };
}

/// Counts a rule or condition that is evaluated, a probe that runs, or a value that it searches.
pub(super) fn count() {
    STEPS.set(STEPS.get() + 1);
}

/// Returns the number of steps of this thread since the last call.
pub(super) fn take() -> usize {
    STEPS.take()
}
