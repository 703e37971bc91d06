//! Work that a thread of the pool does behind its caller.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// [`behind`](crate::behind::behind) with a thread of the pool.
pub(crate) fn behind<I: Send, T: Send, R>(
    work: &(dyn Fn(I) -> T + Sync),
    giver: impl FnOnce(&mut dyn FnMut(I)) -> R,
    mut taker: impl FnMut(&mut R, T),
) -> R {
    if rayon::current_num_threads() == 1 {
        let mut done = Vec::new();
        let mut given = giver(&mut |item| done.push(work(item)));
        done.into_iter().for_each(|done| taker(&mut given, done));
        return given;
    }
    let line = Line {
        state: Mutex::new(State {
            waiting: VecDeque::new(),
            done: Vec::new(),
            at_work: 0,
            sleepers: 0,
            is_closed: false,
        }),
        changed: Condvar::new(),
        work,
    };
    rayon::in_place_scope(|scope| {
        // Also if the giver panics: the helper would wait forever.
        let closes = CloseOnDrop(&line);
        let mut has_helper = false;
        let mut given = giver(&mut |item| {
            line.give(item);
            if !has_helper {
                has_helper = true;
                scope.spawn(|_| line.help());
            }
        });
        drop(closes);
        while let Some(done) = line.next_done() {
            let done = done.unwrap_or_else(|panic| resume_unwind(panic));
            taker(&mut given, done);
        }
        given
    })
}

/// Items, from which each thread takes the first.
struct Line<'a, I, T> {
    state: Mutex<State<I, T>>,
    changed: Condvar,
    work: &'a (dyn Fn(I) -> T + Sync),
}

struct State<I, T> {
    waiting: VecDeque<I>,
    /// The results, or what the work has panicked with.
    done: Vec<thread::Result<T>>,
    /// How many items are worked on.
    at_work: usize,
    /// How many threads wait for a change.
    sleepers: usize,
    /// Whether no more items come.
    is_closed: bool,
}

type Locked<'a, I, T> = MutexGuard<'a, State<I, T>>;

impl<I, T> Line<'_, I, T> {
    fn lock(&self) -> Locked<'_, I, T> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sleep<'a>(&'a self, mut state: Locked<'a, I, T>) -> Locked<'a, I, T> {
        state.sleepers += 1;
        let state = self.changed.wait(state);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        state.sleepers -= 1;
        state
    }

    /// To be called after a change. A message takes longer than to see that nobody sleeps.
    fn wake(&self, state: &Locked<'_, I, T>) {
        if state.sleepers > 0 {
            self.changed.notify_all();
        }
    }

    fn give(&self, item: I) {
        let mut state = self.lock();
        state.waiting.push_back(item);
        self.wake(&state);
    }

    fn done(&self, item: I) -> thread::Result<T> {
        catch_unwind(AssertUnwindSafe(|| (self.work)(item)))
    }

    /// Works on items until the line is closed and empty.
    fn help(&self) {
        let mut state = self.lock();
        loop {
            if let Some(item) = state.waiting.pop_front() {
                state.at_work += 1;
                drop(state);
                let done = self.done(item);
                state = self.lock();
                state.at_work -= 1;
                state.done.push(done);
                self.wake(&state);
            } else if state.is_closed {
                return;
            } else {
                state = self.sleep(state);
            }
        }
    }

    /// A result of the closed line, if need be of work that this thread does; `None` after the last.
    fn next_done(&self) -> Option<thread::Result<T>> {
        let mut state = self.lock();
        loop {
            if let Some(done) = state.done.pop() {
                return Some(done);
            }
            if let Some(item) = state.waiting.pop_front() {
                drop(state);
                return Some(self.done(item));
            }
            if state.at_work == 0 {
                return None;
            }
            state = self.sleep(state);
        }
    }
}

/// Closes the line when it is dropped.
struct CloseOnDrop<'a, 'b, I, T>(&'a Line<'b, I, T>);

impl<I, T> Drop for CloseOnDrop<'_, '_, I, T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.is_closed = true;
        self.0.wake(&state);
    }
}
