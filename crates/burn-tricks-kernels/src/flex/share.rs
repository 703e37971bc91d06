//! Work that the calling thread does together with those of the pool.

use std::sync::{Mutex, PoisonError};

/// Calls `work` with each piece, in any order, on the calling thread and on those of the pool.
///
/// Rayon's iterators give all work to the pool and let the caller sleep. An optimizer's step is called from outside the
/// pool, once for each weight, and to wake first the pool and then the caller takes about as long as the step of a weight
/// of a million numbers. Here the caller begins at once, and between the weights the pool has no time to fall asleep.
pub(super) fn share<I>(pieces: I, work: impl Fn(I::Item) + Sync)
where
    I: Iterator + Send,
{
    let count = pieces.size_hint().0;
    let pieces = Mutex::new(pieces);
    let next = || pieces.lock().unwrap_or_else(PoisonError::into_inner).next();
    share_all(count, &|| next().map(&work).is_some());
}

/// Calls `one`, on as many threads as there are pieces at least, until it returns that there was no piece left. Apart from
/// [`share`], so that it is compiled once and not for each kernel.
fn share_all(pieces: usize, one: &(dyn Fn() -> bool + Sync)) {
    let all = || while one() {};
    if pieces <= 1 {
        return all();
    }
    on_threads(pieces, &all);
}

/// Calls `work` on the calling thread and on others, on at most `most` together. Apart from [`share`], so that rayon's code
/// is compiled once and not for each kernel.
pub(super) fn on_threads(most: usize, work: &(dyn Fn() + Sync)) {
    rayon::in_place_scope(|scope| {
        for _ in 1..most.min(rayon::current_num_threads()) {
            scope.spawn(|_| work());
        }
        work();
    });
}
