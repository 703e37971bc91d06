//! The weights and running statistics of a module at one moment.

use crate::apart::{joined, take_apart};
use crate::buffers::Buffers;
use crate::lerp_in_walk::LerpInWalk;
use crate::module_tensors::ModuleTensors;
use crate::place::{Mismatch, Place, ValueKind, places};
use crate::restore::with_values;
use crate::shared_weights::SharedWeights;
use crate::snapshot_values::{Cast, Lerp, cast_to, held_dtype};
use crate::stale_derived::{stale_floats, with_stale};
use burn::module::Module;
use burn::tensor::DType;
use burn_tricks_kernels::{TensorList, lerp_all};
use std::collections::VecDeque;
use std::sync::Arc;

/// The weights and running statistics of a module at one moment. Later changes to the module do not affect them.
///
/// `model.clone()` is not a snapshot. Clones share the running statistics of batch norm, so those of a clone
/// keep changing with the training, and loading a record into one clone changes all. A [`Snapshot`] holds its
/// own values, detached from autodiff, on the module's device.
///
/// # Example
///
/// ```
/// use burn::nn::{BatchNorm, BatchNormConfig};
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_core::Snapshot;
///
/// # fn main() -> Result<(), burn_tricks_core::Mismatch> {
/// let device = Device::flex().autodiff();
/// let model: BatchNorm = BatchNormConfig::new(2).init(&device);
/// let start = Snapshot::new(&model);
///
/// model.forward(Tensor::<2>::full([4, 2], 10.0, &device)); // moves the running mean
///
/// let mean = |model: &BatchNorm| model.running_mean.value().into_data().to_vec::<f32>().unwrap();
/// assert_eq!(mean(&start.model()), [0.0, 0.0]); // to predict with
/// let model = start.restore(&model)?; // to train on
/// assert_eq!(mean(&model), [0.0, 0.0]);
/// # Ok(())
/// # }
/// ```
///
/// # The mean of several
///
/// [`lerp`](Snapshot::lerp) moves a snapshot towards another module by a fraction of the difference. A constant
/// fraction gives a moving average; the fractions 1/2, 1/3, ..., 1/n give the plain mean of n modules. Numbers
/// that are the same in all modules stay the same, to the bit. State that is computed from the weights
/// ([`Derived`](crate::Derived)) is not averaged, but computed anew when a model is handed out.
///
/// # Cost
///
/// [`Snapshot::new`] copies nothing: the tensors are shared until one side changes them. If training continues,
/// the next optimizer step cannot update the weights in place, and the memory of one copy of the weights is
/// needed.
#[derive(Debug)]
pub struct Snapshot<M> {
    /// Always `Some`, except during an update.
    model: Option<M>,
    /// The values of `model`, which then has none, if they are weights and have been moved as a list: a list needs no
    /// walk through the module at each move.
    apart: Option<TensorList>,
    places: Arc<[Place]>,
    /// Whether half-precision values are held in `f32`.
    wide: bool,
    /// Whether it is the mean of several modules, so that their derived state does not belong to it.
    mean: bool,
}

impl<M: Module> Clone for Snapshot<M> {
    fn clone(&self) -> Self {
        Self {
            model: Some(self.held()),
            apart: None,
            places: self.places.clone(),
            wide: self.wide,
            mean: self.mean,
        }
    }
}

impl<M: Module> Snapshot<M> {
    /// A snapshot of `model` as it is now, with pending updates of its statistics. Lazy parameters are
    /// initialised.
    pub fn new(model: &M) -> Self {
        Self {
            model: Some(model.valid()),
            apart: None,
            places: places(model).into(),
            wide: false,
            mean: false,
        }
    }

    /// The module in validation mode: without gradients, dropout off, batch norm on its running statistics.
    /// Call `Module::train` on it to train it.
    pub fn model(&self) -> M {
        let mut dtypes = Cast(self.float_dtypes());
        self.settled().map(&mut dtypes)
    }

    /// `model` with the values of this snapshot.
    ///
    /// Parameter ids, devices, element types, gradient requirements and training flags are those of `model`, so
    /// that an optimizer's state still fits. `model` itself and its clones keep their values; a pending update
    /// of their statistics is applied, as their next forward pass would do.
    ///
    /// # Errors
    ///
    /// If the two differ in a path, a kind or a shape: the first such place.
    pub fn restore(&self, model: &M) -> Result<M, Mismatch> {
        self.check(model)?;
        let settled = self.settled();
        let values = ModuleTensors::of(&settled);
        Ok(with_values(model, values, stale_floats(&settled)))
    }

    /// Moves this snapshot towards `model`: each weight by `share`, in `[0, 1]`, of its difference, and running
    /// statistics too if `buffers` says so. Integers, booleans and [`Derived`](crate::Derived) state are copied
    /// from `model`; derived state is stale in a model that is handed out.
    ///
    /// This is one pass over memory on the CPU backend, in place, and nothing is read from the device. If
    /// `model` has moved to another device, or has other element types now, the snapshot moves or changes
    /// accordingly.
    ///
    /// # Errors
    ///
    /// If the two differ in a path, a kind or a shape: the first such place. The snapshot is then as
    /// it was.
    pub fn lerp(&mut self, model: &M, share: f64, buffers: Buffers) -> Result<(), Mismatch> {
        let weights = self.weights_of(model)?;
        self.lerp_weights(&weights, share, buffers)
    }

    /// Replaces the values of this snapshot by those of `model`, with their element types. It does not list the
    /// places of `model`, so it is cheap enough to call at each step.
    ///
    /// # Errors
    ///
    /// If the two differ in a path, a kind or a shape: the first such place. The snapshot is then as
    /// it was.
    pub fn replace(&mut self, model: &M) -> Result<(), Mismatch> {
        let weights = self.weights_of(model)?;
        self.replace_weights(&weights)
    }

    /// The present weights of `model`, for several snapshots of such models: one walk through the model serves
    /// them all.
    ///
    /// # Errors
    ///
    /// If the two differ in a path, a kind or a shape: the first such place.
    pub fn weights_of<'a>(&self, model: &'a M) -> Result<SharedWeights<'a, M>, Mismatch> {
        SharedWeights::of(model, &self.places)
    }

    /// [`lerp`](Self::lerp) with weights from [`weights_of`](Self::weights_of).
    ///
    /// # Errors
    ///
    /// Those of [`lerp`](Self::lerp).
    pub fn lerp_weights(
        &mut self,
        weights: &SharedWeights<'_, M>,
        share: f64,
        buffers: Buffers,
    ) -> Result<(), Mismatch> {
        weights.check(&self.places)?;
        if !self.lerp_list(weights.values.floats(), share) {
            self.follow(weights.values.dtypes());
            self.lerp_values(&*weights.model, weights.values.clone(), share, buffers);
        }
        Ok(())
    }

    /// Begins a [`lerp`](Self::lerp) towards a module through which the caller walks anyway: what is returned takes the
    /// weights one by one, and [`end_lerp`](Self::end_lerp) ends it. `None`, and nothing is changed, if the module of this
    /// snapshot has running statistics, or values that are not floats.
    ///
    /// In between, for instance if the walk panics, the snapshot has no values, and its methods panic.
    pub fn begin_lerp(&mut self, share: f64) -> Option<LerpInWalk<M>> {
        self.is_weights().then(|| {
            let values = self.take_values();
            LerpInWalk::new(values, (self.places.clone(), self.wide), share)
        })
    }

    /// Ends the [`lerp`](Self::lerp) that [`begin_lerp`](Self::begin_lerp) has begun.
    ///
    /// # Errors
    ///
    /// If the walk has come to another place or shape than those of this snapshot, or to fewer: the first such place. The
    /// values before that place have then moved, and the others are as they were.
    pub fn end_lerp(&mut self, lerp: LerpInWalk<M>) -> Result<(), Mismatch> {
        let (shell, values, dtypes) = lerp.into_parts();
        (self.model, self.apart) = (Some(shell), Some(values));
        self.mean = true;
        self.follow(&dtypes?);
        Ok(())
    }

    /// [`lerp`](Self::lerp) with the float tensors of such a module as a list: no walk through the module is needed.
    /// `false`, and nothing is changed, if they cannot be used without the module: because there are running statistics or
    /// values that are not floats, or because of the number, shapes, types and devices of the tensors.
    fn lerp_list(&mut self, weights: &TensorList, share: f64) -> bool {
        let of_places = self.places.iter().map(|place| place.dtype);
        if !(self.is_weights() && weights.dtypes().eq(of_places)) {
            return false;
        }
        let (shell, held) = self.take_values();
        let fits = held.is_like(weights);
        let held = if fits {
            lerp_all(held, &cast_to(weights, &self.held_dtypes()), share)
        } else {
            held
        };
        (self.model, self.apart) = (Some(shell), Some(held));
        self.mean |= fits;
        fits
    }

    /// The module without its values, which must all be weights, and these; until both are put back the snapshot is empty.
    fn take_values(&mut self) -> (M, TensorList) {
        let model = self.model.take().expect(HOLDS);
        match self.apart.take() {
            Some(values) => (model, values),
            None => take_apart(model),
        }
    }

    fn is_weights(&self) -> bool {
        let mut kinds = self.places.iter().map(|place| place.kind);
        kinds.all(|kind| kind == ValueKind::Weight)
    }

    /// [`replace`](Self::replace) with weights from [`weights_of`](Self::weights_of).
    ///
    /// # Errors
    ///
    /// Those of [`replace`](Self::replace).
    pub fn replace_weights(&mut self, weights: &SharedWeights<'_, M>) -> Result<(), Mismatch> {
        weights.check(&self.places)?;
        self.follow(weights.values.dtypes());
        let mut held = Cast(self.held_dtypes());
        self.model = Some(weights.model.valid().map(&mut held));
        self.apart = None;
        self.mean = false;
        Ok(())
    }

    /// [`lerp`](Self::lerp) with another snapshot.
    ///
    /// # Errors
    ///
    /// Those of [`lerp`](Self::lerp).
    pub fn lerp_with(
        &mut self,
        other: &Self,
        share: f64,
        buffers: Buffers,
    ) -> Result<(), Mismatch> {
        if let Some(mismatch) = Mismatch::apart_from_dtype(&self.places, &other.places) {
            return Err(mismatch);
        }
        let dtypes: Vec<_> = other.places.iter().map(|place| place.dtype).collect();
        self.follow(&dtypes);
        let model = other.held();
        self.lerp_values(&model, ModuleTensors::of(&model), share, buffers);
        Ok(())
    }

    /// The same values, held in `f32` where the module has `f16` or `bf16`, so that small changes are not lost
    /// in rounding. [`model`](Self::model) still returns the module's own types.
    #[must_use]
    pub fn widened(mut self) -> Self {
        self.wide = true;
        let mut held = Cast(self.held_dtypes());
        self.model = Some(self.held().map(&mut held));
        self.apart = None;
        self
    }

    /// The places of its tensors, in the module's order. The element types are those of the module.
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// The module with the values as they are held, [widened](Self::widened) ones in `f32`. It serves for
    /// records; do not compute with it, since its tensors may have different types.
    pub fn held_model(&self) -> M {
        self.held()
    }

    /// A snapshot like this one that holds the values of `model`. `model` is a [`held_model`](Self::held_model)
    /// with the same places whose values were read from a record.
    ///
    /// # Errors
    ///
    /// If the two differ in a path, a kind or a shape: the first such place.
    pub fn with_held_model(&self, model: &M) -> Result<Self, Mismatch> {
        self.check(model)?;
        Ok(Self {
            model: Some(model.valid()),
            apart: None,
            places: self.places.clone(),
            wide: self.wide,
            mean: false,
        })
    }

    /// The same values, marked as the mean of several modules: derived state is computed anew when a model is
    /// handed out. Use it for values that were read from the record of a mean.
    #[must_use]
    pub fn as_mean(self) -> Self {
        Self { mean: true, ..self }
    }

    /// Whether `model` has the paths, kinds and shapes of this snapshot.
    ///
    /// # Errors
    ///
    /// If they differ: the first place where they do.
    pub fn check(&self, model: &M) -> Result<(), Mismatch> {
        self.weights_of(model).map(|_| ())
    }

    fn held(&self) -> M {
        let model = self.model.as_ref().expect(HOLDS).valid();
        match &self.apart {
            Some(values) => joined(model, values.clone()),
            None => model,
        }
    }

    /// The held module, ready to be handed out: in a mean, every derived state is stale, or its
    /// reparameterization has already computed it from the mean.
    fn settled(&self) -> M {
        let model = self.held();
        if !(self.mean && self.has_derived()) {
            return model;
        }
        let floats = self.places.iter().filter(|place| place.kind.is_float());
        let model = with_stale(model, floats.map(is_derived).collect());
        // To materialize is to use every reparameterization once. The clone shares the states.
        let _materialized = model.clone().materialize();
        model
    }

    fn has_derived(&self) -> bool {
        self.places.iter().any(is_derived)
    }

    /// Moves the values towards `values`, those of `model`.
    fn lerp_values(&mut self, model: &M, values: ModuleTensors, share: f64, buffers: Buffers) {
        let stale = if self.has_derived() {
            stale_floats(model)
        } else {
            VecDeque::new()
        };
        let lerp = Lerp::new((share, buffers), (values, stale), (&self.places, self.wide));
        let model = self.model.take().expect(HOLDS);
        let model = match self.apart.take() {
            Some(values) => joined(model, values),
            None => model,
        };
        self.model = Some(lerp.of(model));
        self.mean = true;
    }

    /// Adopts the element types of a model, which may have been cast since the last update.
    fn follow(&mut self, dtypes: &[DType]) {
        let now = self.places.iter().zip(dtypes);
        if now.clone().all(|(place, dtype)| place.dtype == *dtype) {
            return;
        }
        let cast = |(place, dtype): (&Place, &DType)| Place {
            dtype: *dtype,
            ..place.clone()
        };
        self.places = now.map(cast).collect();
    }

    /// The types in which the floats are held.
    fn held_dtypes(&self) -> VecDeque<DType> {
        let held = |dtype| held_dtype(dtype, self.wide);
        self.float_dtypes().into_iter().map(held).collect()
    }

    fn float_dtypes(&self) -> VecDeque<DType> {
        let floats = self.places.iter().filter(|place| place.kind.is_float());
        floats.map(|place| place.dtype).collect()
    }
}

fn is_derived(place: &Place) -> bool {
    place.kind == ValueKind::Derived
}

const HOLDS: &str = "a snapshot has values, unless a panic has interrupted an update of it";
