//! Iterators over the batches of an epoch, which are made when they are needed, or ahead by threads.

use burn::data::dataloader::{DataLoaderIterator, Progress};
use burn::data::dataset::DatasetError;
use std::sync::mpsc;
use std::thread::JoinHandle;

/// Batches that are made when they are needed, by `make`, which gets the indices of a batch.
pub(crate) struct Here<F> {
    pub(crate) make: F,
    pub(crate) batches: std::vec::IntoIter<Vec<usize>>,
    pub(crate) progress: Progress,
}

impl<O, F: FnMut(&[usize]) -> Result<O, DatasetError>> Iterator for Here<F> {
    type Item = Result<O, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        let indices = self.batches.next()?;
        self.progress.items_processed += indices.len();
        Some((self.make)(&indices))
    }
}

impl<O, F: FnMut(&[usize]) -> Result<O, DatasetError>> DataLoaderIterator<O> for Here<F> {
    fn progress(&self) -> Progress {
        self.progress.clone()
    }
}

/// A batch, and how many samples it has.
type Made<O> = (Result<O, DatasetError>, usize);

/// Batches that are made by threads: worker w of n makes the batches w, w + n, ..., and the workers' batches are
/// taken in turn.
pub(crate) struct Ahead<O> {
    workers: Vec<Worker<O>>,
    next: usize,
    left: usize,
    progress: Progress,
}

struct Worker<O> {
    receiver: mpsc::Receiver<Made<O>>,
    thread: Option<JoinHandle<()>>,
}

impl<O: Send + 'static> Ahead<O> {
    pub(crate) fn new(
        make: impl Fn(&[usize]) -> Result<O, DatasetError> + Clone + Send + 'static,
        batches: Vec<Vec<usize>>,
        workers: usize,
        progress: Progress,
    ) -> Self {
        let workers = workers.min(batches.len());
        let worker = |at: usize| {
            let (sender, receiver) = mpsc::sync_channel(2);
            let mine: Vec<_> = batches.iter().skip(at).step_by(workers).cloned().collect();
            let make = make.clone();
            let thread = std::thread::spawn(move || {
                for indices in mine {
                    // Nobody listens any more when the epoch was broken off.
                    let batch = make(&indices);
                    if sender.send((batch, indices.len())).is_err() {
                        return;
                    }
                }
            });
            Worker {
                receiver,
                thread: Some(thread),
            }
        };
        Self {
            workers: (0..workers).map(worker).collect(),
            next: 0,
            left: batches.len(),
            progress,
        }
    }
}

impl<O> Iterator for Ahead<O> {
    type Item = Result<O, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let worker = &mut self.workers[self.next];
        let Ok((batch, samples)) = worker.receiver.recv() else {
            // It owes a batch and is gone: the batcher panicked, and so does whoever asked for it.
            match worker.thread.take().map(JoinHandle::join) {
                Some(Err(panic)) => std::panic::resume_unwind(panic),
                _ => unreachable!("a worker makes all its batches or panics"),
            }
        };
        self.next = (self.next + 1) % self.workers.len();
        self.progress.items_processed += samples;
        Some(batch)
    }
}

impl<O> DataLoaderIterator<O> for Ahead<O> {
    fn progress(&self) -> Progress {
        self.progress.clone()
    }
}
