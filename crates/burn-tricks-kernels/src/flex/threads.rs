//! Work that threads share.
//!
//! The compiler generates the code of a parallel loop of rayon again for every closure. Here there is one, which calls the
//! closure through a pointer; each call is for thousands of numbers.

use rayon::prelude::*;
use std::sync::{Mutex, PoisonError};

/// Calls `work` with each index below `count`.
fn for_each_index(count: usize, work: &(dyn Fn(usize) + Sync)) {
    (0..count).into_par_iter().for_each(work);
}

/// Calls `work` with the number of each chunk of `len` numbers, and with the chunk.
pub(super) fn for_each_chunk<E: Send>(
    numbers: &mut [E],
    len: usize,
    work: &(dyn Fn(usize, &mut [E]) + Sync),
) {
    let chunks: Vec<_> = numbers.chunks_mut(len).map(Mutex::new).collect();
    for_each_index(chunks.len(), &|index| {
        let chunk = chunks[index].lock();
        work(index, &mut chunk.unwrap_or_else(PoisonError::into_inner));
    });
}

/// What `work` returns for each index below `count`, in order.
pub(super) fn map<T: Send>(count: usize, work: &(dyn Fn(usize) -> T + Sync)) -> Vec<T> {
    let mut done: Vec<Option<T>> = Vec::new();
    done.resize_with(count, || None);
    let some = at_a_time(count);
    for_each_chunk(&mut done, some, &|chunk, done| {
        for (at, done) in done.iter_mut().enumerate() {
            *done = Some(work(chunk * some + at));
        }
    });
    done.into_iter().flatten().collect()
}

/// What `work` returns for each item, in order.
pub(crate) fn map_items<I: Send, T: Send>(items: Vec<I>, work: &(dyn Fn(I) -> T + Sync)) -> Vec<T> {
    let some = at_a_time(items.len());
    let items = items.into_iter().map(|item| (Some(item), None));
    let mut items: Vec<(Option<I>, Option<T>)> = items.collect();
    for_each_chunk(&mut items, some, &|_, items| {
        for (item, done) in items {
            *done = item.take().map(work);
        }
    });
    items.into_iter().filter_map(|(_, done)| done).collect()
}

/// How many of `count` pieces of work a thread takes at a time: some, if there are many.
fn at_a_time(count: usize) -> usize {
    (count / (64 * rayon::current_num_threads())).max(1)
}
