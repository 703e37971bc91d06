//! Loops that are compiled for the processor that they run on.

use pulp::{Arch, WithSimd};

/// Runs the loop with the vector instructions that the processor has.
///
/// [`Arch::dispatch`] is inlined with all its loops wherever it is called. This function is not: there is one copy of it for
/// each loop.
#[inline(never)]
pub(super) fn vectorized<L: WithSimd>(work: L) -> L::Output {
    Arch::new().dispatch(work)
}
