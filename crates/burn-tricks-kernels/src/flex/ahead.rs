//! Work that threads of the pool do ahead of its use.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::{mem, thread};

/// So many items are worth the message to a thread.
const WORTH_A_THREAD: usize = 16;

thread_local! {
    static IS_AMONG_OTHERS: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread and others work on the items of an [`ahead`]. Then it must not wait for the pool while it holds a
/// lock that the work on another item needs: the threads of the pool may all wait for that lock, and this thread, if it is
/// one of them, takes up other items while it waits.
pub(super) fn is_among_others() -> bool {
    IS_AMONG_OTHERS.get()
}

/// Calls `work` as one thread of several.
fn among_others<R>(work: impl FnOnce() -> R) -> R {
    struct Before(bool);

    impl Drop for Before {
        fn drop(&mut self) {
            IS_AMONG_OTHERS.set(self.0);
        }
    }

    let _before = Before(IS_AMONG_OTHERS.replace(true));
    work()
}

/// [`ahead`](crate::ahead::ahead) with the threads of the pool.
pub(crate) fn ahead<I: Send, T: Send, R>(
    items: Vec<I>,
    count: usize,
    work: &(dyn Fn(I) -> T + Sync),
    user: impl FnOnce(&mut dyn FnMut() -> Option<T>) -> R,
) -> R {
    let helpers = (count / WORTH_A_THREAD).min(rayon::current_num_threads() - 1);
    let queue = Queue {
        items: items
            .into_iter()
            .map(|item| Mutex::new(State::Waiting(item)))
            .collect(),
        next: AtomicUsize::new(0),
        work,
    };
    let mut taken = 0;
    let mut next = || {
        taken += 1;
        queue.take(taken - 1)
    };
    if helpers == 0 {
        return user(&mut next);
    }
    let help = || among_others(|| while queue.work_on_next() {});
    rayon::in_place_scope(|scope| {
        for _ in 0..helpers {
            scope.spawn(|_| help());
        }
        among_others(|| user(&mut next))
    })
}

/// Items, of which each thread takes the next.
struct Queue<'a, I, T> {
    items: Vec<Mutex<State<I, T>>>,
    /// The first that nobody has begun.
    next: AtomicUsize,
    work: &'a (dyn Fn(I) -> T + Sync),
}

enum State<I, T> {
    Waiting(I),
    /// The result, or what the work has panicked with.
    Done(thread::Result<T>),
    Taken,
}

impl<I, T> Queue<'_, I, T> {
    /// Works on the first item that nobody has begun; `false` if there is none.
    fn work_on_next(&self) -> bool {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let Some(state) = self.items.get(number) else {
            return false;
        };
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        // Unless its user has been faster than this thread.
        if let State::Waiting(item) = mem::replace(&mut *state, State::Taken) {
            // A panic in a thread of the pool belongs to the user of the item.
            let done = catch_unwind(AssertUnwindSafe(|| (self.work)(item)));
            *state = State::Done(done);
        }
        true
    }

    /// The result of this item; `None` if there is no such item.
    fn take(&self, number: usize) -> Option<T> {
        let item = self.items.get(number)?;
        let mut state = loop {
            if let Ok(state) = item.try_lock()
                && matches!(*state, State::Done(_))
            {
                break state;
            }
            if !self.work_on_next() {
                // Each has been begun: a thread is at work on this one, or about to be.
                break item.lock().unwrap_or_else(PoisonError::into_inner);
            }
        };
        let state = {
            let of_item = mem::replace(&mut *state, State::Taken);
            drop(state); // nobody waits for this thread while it works
            of_item
        };
        match state {
            State::Waiting(item) => Some((self.work)(item)),
            State::Done(done) => Some(done.unwrap_or_else(|panic| resume_unwind(panic))),
            State::Taken => unreachable!("an item is taken once"),
        }
    }
}
