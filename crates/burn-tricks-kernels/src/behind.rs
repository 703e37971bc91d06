//! Work that another thread does behind its caller.

/// Does `work` on each item that `giver` gives away, and returns what `giver` returns, with the results in the order of the
/// items.
///
/// `giver` is called on this thread, with a function that takes an item. On the CPU backend a thread of the pool works on the
/// items meanwhile, one after the other, and this thread helps it when `giver` has returned. Without the feature `flex`, and
/// if the pool has one thread, each item is worked on when it is given.
///
/// An item should be worth a message to a thread: a hundred small tensors, not one.
///
/// ```
/// use burn_tricks_kernels::behind;
///
/// let (count, squares) = behind(&|number: u64| number * number, |give| {
///     (1..=3).for_each(&mut *give);
///     3
/// });
/// assert_eq!((count, squares), (3, vec![1, 4, 9]));
/// ```
///
/// # Panics
///
/// If `work` panics: with the same message, when `giver` has returned.
pub fn behind<I: Send, T: Send, R>(
    work: &(dyn Fn(I) -> T + Sync),
    giver: impl FnOnce(&mut dyn FnMut(I)) -> R,
) -> (R, Vec<T>) {
    #[cfg(feature = "flex")]
    {
        crate::flex::behind(work, giver)
    }
    #[cfg(not(feature = "flex"))]
    {
        let mut done = Vec::new();
        let given = giver(&mut |item| done.push(work(item)));
        (given, done)
    }
}
