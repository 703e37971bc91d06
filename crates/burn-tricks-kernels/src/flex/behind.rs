//! Work that a thread of the pool does behind its caller.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// [`behind`](crate::behind::behind) with a thread of the pool.
pub(crate) fn behind<I: Send, T: Send, R>(
    work: &(dyn Fn(I) -> T + Sync),
    giver: impl FnOnce(&mut dyn FnMut(I)) -> R,
) -> (R, Vec<T>) {
    if rayon::current_num_threads() == 1 {
        let mut done = Vec::new();
        let given = giver(&mut |item| done.push(work(item)));
        return (given, done);
    }
    let line = Line {
        state: Mutex::new(State {
            given: 0,
            waiting: VecDeque::new(),
            done: Vec::new(),
            is_closed: false,
        }),
        changed: Condvar::new(),
        work,
    };
    let given = rayon::in_place_scope(|scope| {
        // Also if the giver panics: the helper would wait forever.
        let closes = CloseOnDrop(&line);
        let mut has_helper = false;
        let given = giver(&mut |item| {
            line.give(item);
            if !has_helper {
                has_helper = true;
                scope.spawn(|_| line.work(true));
            }
        });
        drop(closes);
        line.work(false);
        given
    });
    let state = line.state.into_inner();
    let mut done = state.unwrap_or_else(PoisonError::into_inner).done;
    done.sort_by_key(|(number, _)| *number);
    let done = done.into_iter();
    let done = done.map(|(_, done)| done.unwrap_or_else(|panic| resume_unwind(panic)));
    (given, done.collect())
}

/// Items, from which each thread takes the first.
struct Line<'a, I, T> {
    state: Mutex<State<I, T>>,
    changed: Condvar,
    work: &'a (dyn Fn(I) -> T + Sync),
}

struct State<I, T> {
    /// How many items there have been.
    given: usize,
    waiting: VecDeque<(usize, I)>,
    /// The number of each item, and its result, or what the work has panicked with.
    done: Vec<(usize, thread::Result<T>)>,
    /// Whether no more items come.
    is_closed: bool,
}

impl<I, T> Line<'_, I, T> {
    fn state(&self) -> MutexGuard<'_, State<I, T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give(&self, item: I) {
        let mut state = self.state();
        let number = state.given;
        state.given += 1;
        state.waiting.push_back((number, item));
        drop(state);
        self.changed.notify_one();
    }

    /// Works on the items that wait, and if it `waits`, on those that come until the line is closed.
    fn work(&self, waits: bool) {
        let mut state = self.state();
        loop {
            if let Some((number, item)) = state.waiting.pop_front() {
                drop(state);
                let done = catch_unwind(AssertUnwindSafe(|| (self.work)(item)));
                state = self.state();
                state.done.push((number, done));
            } else if !waits || state.is_closed {
                return;
            } else {
                let changed = self.changed.wait(state);
                state = changed.unwrap_or_else(PoisonError::into_inner);
            }
        }
    }
}

/// Closes the line when it is dropped.
struct CloseOnDrop<'a, 'b, I, T>(&'a Line<'b, I, T>);

impl<I, T> Drop for CloseOnDrop<'_, '_, I, T> {
    fn drop(&mut self) {
        self.0.state().is_closed = true;
        self.0.changed.notify_all();
    }
}
