//! Work that another thread does behind its caller.

/// Does `work` on each item that `giver` passes on, and lets `taker` put each result, in any order, into the value that
/// `giver` returns.
///
/// `giver` is called on this thread, with a function that takes an item. On the CPU backend a thread of the pool works on the
/// items meanwhile, one after the other. When `giver` has returned, this thread calls `taker`, and helps. Without the feature
/// `flex`, and if the pool has one thread, each item is worked on when it is given.
///
/// An item should be worth a message to a thread: a hundred small tensors, not one.
/// `giver` must not wait for the pool of rayon: a thread of the pool that waits may take up the work itself, and would wait
/// for items that it has to give.
///
/// ```
/// use burn_tricks_kernels::behind;
///
/// let square = |number: u64| number * number;
/// let sum = behind(
///     &square,
///     |give| {
///         (1..=3).for_each(&mut *give);
///         0
///     },
///     |sum, square| *sum += square,
/// );
/// assert_eq!(sum, 14);
/// ```
///
/// # Panics
///
/// If `work` panics: with the same message, when `giver` has returned.
pub fn behind<I: Send, T: Send, R>(
    work: &(dyn Fn(I) -> T + Sync),
    giver: impl FnOnce(&mut dyn FnMut(I)) -> R,
    taker: impl FnMut(&mut R, T),
) -> R {
    #[cfg(feature = "flex")]
    {
        crate::flex::behind(work, giver, taker)
    }
    #[cfg(not(feature = "flex"))]
    {
        let (mut done, mut taker) = (Vec::new(), taker);
        let mut given = giver(&mut |item| done.push(work(item)));
        done.into_iter().for_each(|done| taker(&mut given, done));
        given
    }
}
