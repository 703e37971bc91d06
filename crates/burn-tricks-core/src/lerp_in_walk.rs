//! A snapshot that moves towards a module in a walk that somebody else makes.

use crate::place::{Mismatch, Place, ValueKind};
use crate::snapshot_values::held_dtype;
use crate::step_average::WeightTaker;
use crate::walk::Location;
use burn::tensor::{DType, Tensor};
use burn_tricks_kernels::{LerpTask, TensorList};
use std::sync::Arc;

/// A [`Snapshot`](crate::Snapshot) that moves towards a module, one weight at a time, in a walk through the module
/// that its caller makes anyway. Made by [`Snapshot::begin_lerp`](crate::Snapshot::begin_lerp), and given back by
/// [`Snapshot::end_lerp`](crate::Snapshot::end_lerp).
#[derive(Debug)]
pub struct LerpInWalk<M> {
    /// The module of the snapshot without its values.
    pub(crate) shell: M,
    places: Arc<[Place]>,
    share: f64,
    wide: bool,
    /// The values of the places that the walk has not reached yet.
    held: TensorList,
    next: Batch,
    tasks: Vec<LerpTask>,
    /// The element types of the module in the walk, as far as it has come.
    dtypes: Vec<DType>,
    mismatch: Option<Mismatch>,
}

/// Values and the weights towards which they move.
#[derive(Debug, Default)]
struct Batch {
    held: TensorList,
    weights: TensorList,
    /// How many numbers the values have.
    numbers: usize,
}

/// As many numbers are moved at a time, on another thread on the CPU backend, while the walk steps the next parameters:
/// few enough to find the weights in the cache, and enough to be worth the message to that thread.
const BATCH: usize = 1 << 15;

impl<M> LerpInWalk<M> {
    pub(crate) fn new(
        (shell, held): (M, TensorList),
        (places, wide): (Arc<[Place]>, bool),
        share: f64,
    ) -> Self {
        Self {
            shell,
            share,
            wide,
            next: Batch::default(),
            tasks: Vec::new(),
            dtypes: Vec::with_capacity(held.len()),
            held,
            places,
            mismatch: None,
        }
    }

    /// The module without its values, the values, and the element types of the module in the walk.
    pub(crate) fn into_parts(mut self) -> (M, TensorList, Result<Vec<DType>, Mismatch>) {
        self.begin_batch();
        let at = self.dtypes.len();
        let mut values = TensorList::with_capacity(at + self.held.len());
        for task in self.tasks {
            values.append(task.end());
        }
        values.append(self.held);
        let all = match (self.mismatch, self.places.get(at)) {
            (Some(mismatch), _) => Err(mismatch),
            (None, Some(place)) => Err(Mismatch::between_two(Some(place), None)),
            (None, None) => Ok(self.dtypes),
        };
        (self.shell, values, all)
    }

    fn begin_batch(&mut self) {
        let Batch { held, weights, .. } = std::mem::take(&mut self.next);
        self.tasks.push(LerpTask::begin(held, weights, self.share));
    }
}

impl<M> WeightTaker for LerpInWalk<M> {
    /// Moves the weight of this place. From the first that the snapshot does not have at this place, none is moved.
    fn take<const D: usize>(&mut self, at: &Location, weight: &Tensor<D>) {
        if self.mismatch.is_some() {
            return;
        }
        let (dtype, dims) = (weight.dtype(), weight.dims());
        let place = self.places.get(self.dtypes.len());
        if !place.is_some_and(|place| place.path == at.path() && place.shape == dims) {
            let got = Place {
                path: at.path().to_owned(),
                kind: ValueKind::Weight,
                shape: dims.to_vec(),
                dtype,
            };
            self.mismatch = Some(Mismatch::between_two(place, Some(&got)));
            return;
        }
        self.dtypes.push(dtype);
        let mut held: Tensor<D> = self.held.pop().expect("a value for each place");
        let device = weight.device();
        if held.device() != device {
            held = held.to_device(&device);
        }
        let wide = held_dtype(dtype, self.wide);
        let weight = TensorList::from(weight.clone().cast(wide));
        // A GPU moves all of them together, after the walk.
        if weight.is_on_cpu() {
            self.next.numbers += dims.iter().product::<usize>();
        }
        self.next.held.push(held.cast(wide));
        self.next.weights.append(weight);
        if self.next.numbers >= BATCH {
            self.begin_batch();
        }
    }
}
