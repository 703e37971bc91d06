//! An average of the trained weights alone.

use crate::average::Average;
use crate::average_rule::AverageRule;
use burn::module::{Module, Param, ParamId};
use burn::store::{ModuleRecord, RecordError};
use burn::tensor::Tensor;
use burn_tricks_core::walk::{Location, Mapper, Visitor, frozen_clones, map, visit, visit_floats};
use burn_tricks_core::{ConfigError, InlineModule, Leaf, Snapshot, StepAverage, params, tie};
use std::collections::{HashMap, HashSet};

/// An average of the weights of a model that are trained, such as the factors of LoRA: the frozen weights are neither copied
/// nor averaged. Made by [`TrainedAverage::init`].
///
/// # Example
///
/// ```
/// use burn::module::Module;
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::Device;
/// use burn_tricks_average::{EmaConfig, TrainedAverage};
///
/// #[derive(Module, Debug)]
/// struct Net {
///     body: Linear,
///     head: Linear,
/// }
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let device = Device::flex().autodiff();
/// let layer = || LinearConfig::new(64, 64).init(&device);
/// let model = Net { body: layer().no_grad(), head: layer() };
/// let mut ema = TrainedAverage::init(EmaConfig::new(0.999), &model)?;
/// assert_eq!(ema.paths(), ["head.weight", "head.bias"]);
/// for _ in 0..10 {
///     // ... model = optim.step(lr, model, grads); ...
///     ema.update(&model);
/// }
/// let to_validate_with = ema.model(&model); // the body of `model`, and the averaged head
/// # let _ = to_validate_with;
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// Update it after the optimizer's step, as any average; with LoRA, make it after `apply_lora`. In a `Learner` it is a
/// trick.
///
/// The trained weights are those that require gradients when the average is made. A weight that is unfrozen later is not
/// averaged, and one that is frozen later still is. Running statistics are no weights: they are those of the model in
/// training. [Recalibrate](crate::RecalibrationConfig) batch norms if they matter. State that is computed from weights
/// ([`Derived`](crate::Derived), such as the vectors of spectral norm) is computed anew in every model that is returned, also
/// that of frozen weights, and before the first update too.
///
/// # Cost
///
/// One copy of the trained weights, one pass over them per update, and a record of their size.
///
/// # Differences
///
/// With `peft`, a `ModelEmaV3` of timm copies the whole model. diffusers' `EMAModel` takes the parameters that it is given,
/// as here.
///
/// # References
///
/// - Hu et al., *LoRA: low-rank adaptation of large language models*, 2021, <https://arxiv.org/abs/2106.09685>
#[derive(Debug, Clone)]
pub struct TrainedAverage<R> {
    average: Average<Weights, R>,
    paths: Vec<String>,
    /// The dimensions of the weights at these paths.
    shapes: Vec<Vec<usize>>,
}

/// The trained weights of a model, each as a list of numbers.
#[derive(InlineModule, Debug)]
struct Weights {
    weights: Vec<Param<Tensor<1>>>,
}

impl<R: AverageRule> TrainedAverage<R> {
    /// The average by `rule` before the first step, which holds the trained weights of `model`.
    ///
    /// # Errors
    ///
    /// If a setting of the rule is invalid, or if no weight of `model` is trained: on a device without autodiff, none is.
    pub fn init<M: Module>(rule: R, model: &M) -> Result<Self, ConfigError> {
        let paths = trained_paths(model);
        if paths.is_empty() {
            let requirement = "have a weight that is trained, on a device with autodiff";
            return Err(ConfigError::new("model", requirement, model.devices()));
        }
        let floats = floats_of(model);
        let shapes: Vec<Vec<usize>> = paths.iter().map(|path| floats[path].1.clone()).collect();
        let average = Average::init(rule, &Weights::of(model, &paths, &shapes))?;
        Ok(Self {
            average,
            paths,
            shapes,
        })
    }

    /// The paths of the weights that are averaged; of a tied weight, the first one.
    pub fn paths(&self) -> &[String] {
        &self.paths
    }

    /// The rule, which is the configuration that it was made with.
    pub fn config(&self) -> &R {
        self.average.config()
    }

    /// Tells the average the weights after an optimizer step. Call it after every step.
    ///
    /// # Panics
    ///
    /// If `model` does not have the weights that the average was made for, with their shapes.
    pub fn update<M: Module>(&mut self, model: &M) {
        self.update_at(model, 1.0);
    }

    /// Like [`update`](Self::update), after a step with this learning rate.
    ///
    /// # Panics
    ///
    /// Those of [`update`](Self::update).
    pub fn update_at<M: Module>(&mut self, model: &M, lr: f64) {
        let weights = Weights::of(model, &self.paths, &self.shapes);
        self.average.update_at(&weights, lr);
    }

    /// `model` with the averaged weights, to predict with: no gradients, dropout off. All that is not averaged is that of
    /// `model`.
    ///
    /// # Panics
    ///
    /// Those of [`update`](Self::update).
    pub fn model<M: Module>(&self, model: &M) -> M {
        self.averaged(model).model()
    }

    /// `model` with the averaged weights, to continue training from. `model` itself keeps its values.
    ///
    /// # Panics
    ///
    /// Those of [`update`](Self::update).
    #[must_use]
    pub fn restore_into<M: Module>(&self, model: &M) -> M {
        let restored = self.averaged(model).restore(model);
        // `restore` ties the places of a tied weight that hold equal numbers, and a NaN equals none.
        tie(restored.expect("of the same model"))
    }

    /// `model` with the averaged weights. It counts as a mean: its state that is computed from the weights is that of other ones.
    fn averaged<M: Module>(&self, model: &M) -> Snapshot<M> {
        let floats = floats_of(model);
        let averaged = self.average.model().weights;
        let places = self.paths.iter().zip(&self.shapes);
        let of_id = places.zip(averaged).map(|((path, shape), weight)| {
            let (id, got) = floats.get(path).unwrap_or_else(|| missing(path));
            assert_shape(path, shape, got);
            (*id, weight.val())
        });
        let mut write = Write {
            weights: of_id.collect(),
            frozen_clones: frozen_clones(model),
        };
        Snapshot::new(&map(model.valid(), &mut write)).as_mean()
    }

    /// Restarts with the weights of `model`, as [`init`](Self::init) would, with the same paths.
    ///
    /// # Panics
    ///
    /// Those of [`update`](Self::update).
    pub fn restart<M: Module>(&mut self, model: &M) {
        let weights = Weights::of(model, &self.paths, &self.shapes);
        self.average.restart(&weights);
    }

    /// Whether there has been an update. Before the first one, [`model`](Self::model) is not an average.
    pub fn has_started(&self) -> bool {
        self.average.has_started()
    }

    /// The number of optimizer steps seen.
    pub fn steps(&self) -> u64 {
        self.average.steps()
    }

    /// The number of steps whose weights were taken.
    pub fn updates(&self) -> u64 {
        self.average.updates()
    }

    /// The record to save with a checkpoint: the averaged weights, their paths and shapes, and the step counts.
    pub fn to_record(&self) -> ModuleRecord {
        self.average.to_labelled_record(&self.labels())
    }

    /// Resumes the recorded average. The weights that are trained must be the same as when it was recorded.
    ///
    /// # Errors
    ///
    /// Burn's error, if the record does not hold such an average of weights with these paths and shapes. It names the first
    /// weight that differs.
    pub fn load_record(self, record: ModuleRecord) -> Result<Self, RecordError> {
        let labels = self.labels();
        let average = self.average.load_labelled_record(&labels, record)?;
        Ok(Self { average, ..self })
    }

    /// Which weight each list of numbers of the record is: its path and its shape.
    fn labels(&self) -> Vec<String> {
        let places = self.paths.iter().zip(&self.shapes);
        let labels = places.map(|(path, shape)| format!("{path} {shape:?}"));
        labels.collect()
    }
}

/// As [`update_at`](TrainedAverage::update_at).
impl<M: Module, R: AverageRule> StepAverage<M> for TrainedAverage<R> {
    type Update = ();

    fn begin_update(&mut self, _lr: f64) -> Option<()> {
        None
    }

    fn end_update(&mut self, _update: Option<()>, model: &M, lr: f64) {
        self.update_at(model, lr);
    }
}

fn trained_paths<M: Module>(model: &M) -> Vec<String> {
    let (mut paths, mut seen) = (Vec::new(), HashSet::new());
    visit_floats(model, |at, param| {
        if param.is_require_grad() && seen.insert(param.id()) {
            paths.push(at.path().to_owned());
        }
    });
    paths
}

/// The id and the shape of each float of `model`, by path.
fn floats_of<M: Module>(model: &M) -> HashMap<String, (ParamId, Vec<usize>)> {
    let mut floats = HashMap::new();
    for param in params(model) {
        floats.insert(param.path, (param.id, param.shape));
    }
    floats
}

fn missing(path: &str) -> ! {
    panic!("the model must have the weights that the average was made for, and has no `{path}`")
}

fn assert_shape(path: &str, expected: &[usize], got: &[usize]) {
    assert!(
        got == expected,
        "the model must have the weights that the average was made for: `{path}` had the shape {expected:?}, got {got:?}"
    );
}

impl Weights {
    /// The weights of `model` at these paths, which must have these shapes, as a module whose parameters have the same ids each
    /// time.
    fn of<M: Module>(model: &M, paths: &[String], shapes: &[Vec<usize>]) -> Self {
        let places = paths.iter().zip(shapes);
        let mut read = Read {
            wanted: places
                .map(|(path, shape)| (path.as_str(), shape.as_slice()))
                .collect(),
            found: HashMap::new(),
        };
        visit(model, &mut read);
        let mut found = read.found;
        let weight = |(at, path): (usize, &String)| {
            let weight = found.remove(path).unwrap_or_else(|| missing(path));
            Param::initialized(ParamId::from(at as u64), weight)
        };
        Self {
            weights: paths.iter().enumerate().map(weight).collect(),
        }
    }
}

struct Read<'a> {
    /// The shapes by path.
    wanted: HashMap<&'a str, &'a [usize]>,
    found: HashMap<String, Tensor<1>>,
}

impl Visitor for Read<'_> {
    fn float<const D: usize>(&mut self, at: &Location, param: &Param<Tensor<D>>) {
        if let Some(shape) = self.wanted.get(at.path()) {
            let weight = param.val().without_autodiff();
            assert_shape(at.path(), shape, &weight.dims());
            let count = weight.shape().num_elements();
            self.found
                .insert(at.path().to_owned(), weight.reshape([count]));
        }
    }
}

/// Writes weights by id, at all places of a tied one but for those of frozen clones.
struct Write {
    weights: HashMap<ParamId, Tensor<1>>,
    frozen_clones: HashSet<String>,
}

impl Mapper for Write {
    fn float<const D: usize>(
        &mut self,
        at: &Location,
        param: Param<Tensor<D>>,
    ) -> Param<Tensor<D>> {
        let id = param.id;
        let weight = self.weights.get(&id).cloned();
        let Some(weight) = weight.filter(|_| !self.frozen_clones.contains(at.path())) else {
            return param;
        };
        param.map(|old| {
            let weight = weight.reshape(old.dims());
            Leaf::new(&old).with_value(weight, id)
        })
    }
}
