//! An average of the trained weights alone.

use crate::average::Average;
use crate::average_rule::AverageRule;
use burn::module::{Module, Param, ParamId};
use burn::store::{ModuleRecord, RecordError};
use burn::tensor::Tensor;
use burn_tricks_core::walk::{Location, Mapper, Visitor, frozen_clones, map, visit, visit_floats};
use burn_tricks_core::{ConfigError, InlineModule, Leaf, StepAverage, independent_copy, tie};
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
/// training. [Recalibrate](crate::RecalibrationConfig) batch norms if they matter.
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
        let average = Average::init(rule, &Weights::of(model, &paths))?;
        Ok(Self { average, paths })
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
    /// If `model` does not have the weights that the average was made for.
    pub fn update<M: Module>(&mut self, model: &M) {
        self.update_at(model, 1.0);
    }

    /// Like [`update`](Self::update), after a step with this learning rate.
    ///
    /// # Panics
    ///
    /// Those of [`update`](Self::update).
    pub fn update_at<M: Module>(&mut self, model: &M, lr: f64) {
        let weights = Weights::of(model, &self.paths);
        self.average.update_at(&weights, lr);
    }

    /// `model` with the averaged weights, to predict with: no gradients, dropout off. All that is not averaged is that of
    /// `model`.
    ///
    /// # Panics
    ///
    /// Those of [`update`](Self::update).
    pub fn model<M: Module>(&self, model: &M) -> M {
        self.write(model, model.valid())
    }

    /// `model` with the averaged weights, to continue training from. `model` itself keeps its values.
    ///
    /// # Panics
    ///
    /// Those of [`update`](Self::update).
    #[must_use]
    pub fn restore_into<M: Module>(&self, model: &M) -> M {
        // Each place of a tied weight is a leaf of its own in the copy, and would have a part of the gradient.
        tie(self.write(model, independent_copy(model)))
    }

    /// `copy`, a copy of `model`, with the averaged weights.
    fn write<M: Module>(&self, model: &M, copy: M) -> M {
        let mut ids = HashMap::new();
        visit_floats(model, |at, param| {
            ids.entry(at.path().to_owned()).or_insert(param.id());
        });
        let averaged = self.average.model().weights;
        let of_id = self.paths.iter().zip(averaged).map(|(path, weight)| {
            let id = ids.get(path).copied();
            (id.unwrap_or_else(|| missing(path)), weight.val())
        });
        let mut write = Write {
            weights: of_id.collect(),
            frozen_clones: frozen_clones(model),
        };
        map(copy, &mut write)
    }

    /// Restarts with the weights of `model`, as [`init`](Self::init) would, with the same paths.
    ///
    /// # Panics
    ///
    /// Those of [`update`](Self::update).
    pub fn restart<M: Module>(&mut self, model: &M) {
        self.average.restart(&Weights::of(model, &self.paths));
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

    /// The record to save with a checkpoint: the averaged weights, their paths, and the step counts.
    pub fn to_record(&self) -> ModuleRecord {
        self.average.to_labelled_record(&self.paths)
    }

    /// Resumes the recorded average. The weights that are trained must be the same as when it was recorded.
    ///
    /// # Errors
    ///
    /// Burn's error, if the record does not hold such an average of weights with these paths and sizes. It names the first
    /// path that differs.
    pub fn load_record(self, record: ModuleRecord) -> Result<Self, RecordError> {
        let average = self.average.load_labelled_record(&self.paths, record)?;
        Ok(Self { average, ..self })
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

fn missing(path: &str) -> ! {
    panic!("the model must have the weights that the average was made for, and has no `{path}`")
}

impl Weights {
    /// The weights of `model` at these paths, as a module whose parameters have the same ids each time.
    fn of<M: Module>(model: &M, paths: &[String]) -> Self {
        let mut read = Read {
            wanted: paths.iter().map(String::as_str).collect(),
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
    wanted: HashSet<&'a str>,
    found: HashMap<String, Tensor<1>>,
}

impl Visitor for Read<'_> {
    fn float<const D: usize>(&mut self, at: &Location, param: &Param<Tensor<D>>) {
        if self.wanted.contains(at.path()) {
            let weight = param.val().without_autodiff();
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
