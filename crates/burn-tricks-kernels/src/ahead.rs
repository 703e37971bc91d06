//! Work that other threads do ahead of its use.

/// Does `work` on each item, and lets `user` take the results one by one, in the order of the items.
///
/// `user` is called on this thread with a function that returns the next result, and `None` after the last. On the CPU
/// backend, threads of the pool work on the items meanwhile, in their order, and this thread helps them whenever the next
/// result is not ready; each item is worked on once. With `count`, the number of items that are worth a thread, the caller
/// says how many threads to ask: one for each 16. Without the feature `flex` each item is worked on when its result is
/// taken.
///
/// Which thread works on an item, and when, is not determined, so that `work` must not depend on it.
/// Where items share a lock, `work` must not wait for the pool of rayon while it holds that lock: all threads of the pool may
/// be waiting for the lock, and a thread of the pool that waits takes up other items meanwhile.
///
/// ```
/// use burn_tricks_kernels::ahead;
///
/// let items = (1..=100_u64).collect();
/// let sum: u64 = ahead(items, 100, &|item| item * item, |next| {
///     std::iter::from_fn(next).sum()
/// });
/// assert_eq!(sum, 338_350);
/// ```
///
/// # Panics
///
/// If `work` panics: with the same message, in the call that takes the result of that item.
pub fn ahead<I: Send, T: Send, R>(
    items: Vec<I>,
    count: usize,
    work: &(dyn Fn(I) -> T + Sync),
    user: impl FnOnce(&mut dyn FnMut() -> Option<T>) -> R,
) -> R {
    #[cfg(feature = "flex")]
    {
        crate::flex::ahead(items, count, work, user)
    }
    #[cfg(not(feature = "flex"))]
    {
        let _ = count;
        let mut items = items.into_iter();
        user(&mut || items.next().map(work))
    }
}
