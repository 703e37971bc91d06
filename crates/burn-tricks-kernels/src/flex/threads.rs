//! Work that threads share.
//!
//! The compiler generates the code of a parallel loop of rayon again for every closure. Here there is one, which calls the
//! closure through a pointer; each call is for thousands of numbers.

use super::GRAIN;
use super::share::on_threads;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// How many threads do some work. The result is the same, to the bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Threads {
    /// The calling thread alone.
    One,
    /// All threads of the pool.
    All,
}

impl Threads {
    /// All threads for more than [`GRAIN`] numbers.
    pub(crate) fn for_len(len: usize) -> Self {
        if len > GRAIN { Self::All } else { Self::One }
    }

    /// For a tensor of `len` elements among tensors of `all` elements, each of which is passed over twice. If this is less
    /// than half of what each thread has to do, one thread is enough, because the other tensors give work to the others: it
    /// does not wait for them between its two passes, and finds more of the tensor in its cache in the second.
    pub(crate) fn for_share(len: usize, all: usize) -> Self {
        if len.saturating_mul(2 * rayon::current_num_threads()) <= all {
            Self::One
        } else {
            Self::All
        }
    }
}

/// Calls `work` with each index below `count`, on all threads, of which the calling one is the first to begin.
fn for_each_index(count: usize, work: &(dyn Fn(usize) + Sync)) {
    let next = AtomicUsize::new(0);
    on_threads(count, &|| {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                return;
            }
            work(index);
        }
    });
}

/// Calls `work` with the number of each chunk of `len` numbers, and with the chunk.
pub(super) fn for_each_chunk<E: Send>(
    threads: Threads,
    numbers: &mut [E],
    len: usize,
    work: &(dyn Fn(usize, &mut [E]) + Sync),
) {
    let chunks = numbers.chunks_mut(len.max(1));
    if threads == Threads::One {
        return chunks.enumerate().for_each(|(i, chunk)| work(i, chunk));
    }
    let chunks: Vec<_> = chunks.map(Mutex::new).collect();
    for_each_index(chunks.len(), &|index| {
        let chunk = chunks[index].lock();
        work(index, &mut chunk.unwrap_or_else(PoisonError::into_inner));
    });
}

/// What `work` returns for each index below `count`, in order.
pub(super) fn map<T: Send>(
    threads: Threads,
    count: usize,
    work: &(dyn Fn(usize) -> T + Sync),
) -> Vec<T> {
    if threads == Threads::One {
        return (0..count).map(work).collect();
    }
    let mut done: Vec<Option<T>> = Vec::new();
    done.resize_with(count, || None);
    for_each_item(threads, &mut done, &|at, done| *done = Some(work(at)));
    done.into_iter().flatten().collect()
}

/// What `work` returns for each item, in order.
pub(crate) fn map_items<I: Send, T: Send>(
    threads: Threads,
    items: Vec<I>,
    work: &(dyn Fn(I) -> T + Sync),
) -> Vec<T> {
    let mut all: Vec<_> = items.into_iter().map(|item| (Some(item), None)).collect();
    for_each_item(threads, &mut all, &|_, (item, done)| {
        *done = item.take().map(work);
    });
    all.into_iter().filter_map(|(_, done)| done).collect()
}

/// Calls `work` with the number of each item, and with the item.
pub(super) fn for_each_item<I: Send>(
    threads: Threads,
    items: &mut [I],
    work: &(dyn Fn(usize, &mut I) + Sync),
) {
    let some = at_a_time(items.len());
    for_each_chunk(threads, items, some, &|chunk, items| {
        for (at, item) in items.iter_mut().enumerate() {
            work(chunk * some + at, item);
        }
    });
}

/// How many of `count` pieces of work a thread takes at a time: some, if there are many.
pub(super) fn at_a_time(count: usize) -> usize {
    (count / (64 * rayon::current_num_threads())).max(1)
}
