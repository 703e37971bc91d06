//! A mean that moves on another thread.

use crate::lerp::lerp_all;
use crate::tensor_list::TensorList;
#[cfg(feature = "flex")]
use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread,
};

/// [`lerp_all`](crate::lerp_all) that may run on another thread while its caller goes on with other work, such as the steps
/// of the next parameters. Made by [`LerpTask::begin`].
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_kernels::{LerpTask, TensorList};
///
/// let of = |number| TensorList::from(Tensor::<1>::full([4], number, &Device::flex()));
/// let task = LerpTask::begin(of(1.0), of(3.0), 0.25);
/// // ... other work ...
/// let mean: Tensor<1> = task.end().pop().unwrap();
/// assert_eq!(mean.into_data().to_vec::<f32>().unwrap(), [1.5; 4]);
/// ```
#[derive(Debug)]
pub struct LerpTask(State);

#[derive(Debug)]
enum State {
    Done(TensorList),
    #[cfg(feature = "flex")]
    Running(Arc<Slot>),
}

impl LerpTask {
    /// Begins to move `x` towards `y`. On backends other than the CPU's the operations are queued at once.
    ///
    /// # Panics
    ///
    /// If the lists have different lengths.
    pub fn begin(x: TensorList, y: TensorList, b: f64) -> Self {
        assert_eq!(x.len(), y.len(), "lists of one length are averaged");
        // A thread of the pool that waits for another of its tasks could wait forever.
        #[cfg(feature = "flex")]
        if rayon::current_thread_index().is_none() && crate::flex::on_flex(x.0.iter().chain(&y.0)) {
            let slot = Arc::new(Slot::default());
            let done = Arc::clone(&slot);
            rayon::spawn(move || {
                // A panic of its own would end the process. Nobody waits any more if the caller has panicked.
                let moved = catch_unwind(AssertUnwindSafe(|| lerp_all(x, &y, b)));
                slot.put(moved);
            });
            return Self(State::Running(done));
        }
        Self(State::Done(lerp_all(x, &y, b)))
    }

    /// The moved `x`. Waits until it is ready.
    ///
    /// # Panics
    ///
    /// If two tensors do not have the same shape.
    pub fn end(self) -> TensorList {
        match self.0 {
            State::Done(moved) => moved,
            #[cfg(feature = "flex")]
            State::Running(done) => done.take().unwrap_or_else(|panic| resume_unwind(panic)),
        }
    }
}

/// What the other thread has done. (A channel would be compiled in each of the kinds that the standard library has.)
#[cfg(feature = "flex")]
#[derive(Debug, Default)]
struct Slot {
    moved: Mutex<Option<thread::Result<TensorList>>>,
    is_there: Condvar,
}

#[cfg(feature = "flex")]
impl Slot {
    fn put(&self, moved: thread::Result<TensorList>) {
        *self.moved.lock().unwrap_or_else(PoisonError::into_inner) = Some(moved);
        self.is_there.notify_one();
    }

    /// Waits until it is there.
    fn take(&self) -> thread::Result<TensorList> {
        let mut moved = self.moved.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(moved) = moved.take() {
                return moved;
            }
            let waited = self.is_there.wait(moved);
            moved = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }
}
