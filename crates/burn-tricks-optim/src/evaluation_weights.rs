//! The weights that schedule-free learning evaluates, from those of the model and the optimizer's state.

use crate::optimizer_record::{check_optimizer_record, guarded};
use crate::optimizer_record_error::OptimizerRecordError;
use crate::record_entries::{Entry, entries};
use crate::schedule_free::{BETA, NUMBERS, ScheduleFreeConfig};
use burn::module::{Module, Param, ParamId};
use burn::optim::OptimizerRecord;
use burn::tensor::{Tensor, TensorData};
use burn_tricks_core::walk::{Location, Mapper, frozen_clones, map};
use burn_tricks_core::{Snapshot, accumulation_dtype, params};
use burn_tricks_kernels::{AnyTensor, blend, cast, compensated, take_over};
use std::collections::{HashMap, HashSet};

impl ScheduleFreeConfig {
    /// The model to evaluate, with the weights `x = (y − (1 − β) z) / β`: y are the weights of `model`, which is in training,
    /// and z and β those in `record`, the present record of its optimizer. So a loop needs no second copy of the weights
    /// during the training, nor the configuration of the optimizer.
    ///
    /// ```
    /// use burn::nn::LinearConfig;
    /// use burn::optim::GradientsParams;
    /// use burn::tensor::{Device, Tensor};
    /// use burn_tricks_optim::{ScheduleFreeConfig, SgdConfig};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let device = Device::flex().autodiff();
    /// let mut model = LinearConfig::new(4, 2).init(&device);
    /// let mut optim = ScheduleFreeConfig::new().init(SgdConfig::torch().build()?)?;
    /// for _ in 0..3 {
    ///     let loss = model.forward(Tensor::<2>::ones([8, 4], &device)).square().mean();
    ///     let grads = GradientsParams::from_grads(loss.backward(), &model);
    ///     model = optim.step(1.0, model, grads);
    /// }
    /// let to_validate = ScheduleFreeConfig::evaluation_model(&model, optim.to_record())?;
    /// # let _ = to_validate;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// The returned model is in validation mode: it has no gradients, dropout is off, and its running statistics are
    /// those of `model` (recalibrate batch norms). `model` is not changed. Wrappers may be around the schedule-free
    /// optimizer: with `MasterWeights`, y is the `f32` weight. A parameter for which the record has no
    /// z of a schedule-free optimizer keeps its weight: it was never stepped, all its steps were skipped, or another
    /// optimizer of a group steps it. If a parameter is tied, all its places that are trained get the weight of the first
    /// place, which the optimizer steps.
    ///
    /// The cost is that of making the record: the optimizer's state is copied to the host, and z back to the device.
    ///
    /// # Errors
    ///
    /// If the record cannot be read, is not that of an optimizer of `model`, has states but none of a schedule-free optimizer, or
    /// has a z without its β; or if β is 0: then y is z, and x is in neither. Use a `ScheduleFreeAverage` of
    /// `burn-tricks-average` in this case.
    pub fn evaluation_model<M: Module>(
        model: &M,
        record: OptimizerRecord,
    ) -> Result<M, OptimizerRecordError> {
        guarded(|| {
            let bytes = record.into_bytes()?.shared();
            check_optimizer_record(model, bytes.clone())?;
            let mut entries = entries(bytes)?;
            let is_free = |entry: &Entry| schedule_free_path(entry).is_some();
            if !entries.is_empty() && !entries.values().any(is_free) {
                return Err(no_weights(
                    "it has no state with `lr_max`, `weight_sum` and `taken`, so the optimizer is not schedule-free",
                ));
            }
            let mut of_params = HashMap::new();
            for param in params(model) {
                if let Some(entry) = entries.remove(&param.id.val())
                    && let Some(state) = State::of(entry, &param.path)?
                {
                    of_params.insert(param.id, state);
                }
            }
            let mut evaluate = Evaluate {
                of_params,
                found: HashMap::new(),
                frozen_clones: frozen_clones(model),
            };
            let training = Snapshot::new(model);
            let evaluated = map(training.held_model(), &mut evaluate);
            let evaluated = training.with_held_model(&evaluated);
            Ok(evaluated.expect("of the same model").as_mean().model())
        })
    }
}

fn no_weights(reason: impl Into<String>) -> OptimizerRecordError {
    let reason = reason.into();
    OptimizerRecordError::NoEvaluationWeights { reason }
}

/// What stands before the names of a schedule-free optimizer's state, such as `inner.` inside of another wrapper; `None` if the
/// optimizer of this parameter is not schedule-free. One that has skipped every step so far has no z.
fn schedule_free_path(entry: &Entry) -> Option<&str> {
    let paths = entry.scalars.keys().filter_map(|field| {
        let path = field.strip_suffix(NUMBERS[0])?;
        let has = |name: &&str| entry.scalars.contains_key(&format!("{path}{name}"));
        let is_whole = path.is_empty() || path.ends_with('.');
        (is_whole && NUMBERS.iter().all(has)).then_some(path)
    });
    paths.min_by_key(|path| path.len())
}

/// What the weight to evaluate is made of, besides that of the model.
struct State {
    beta: f64,
    z: TensorData,
    /// The exact y, of which the model has the rounded one.
    master: Option<TensorData>,
    /// What is lost in rounding it.
    compensation: Option<TensorData>,
}

impl State {
    /// None if the optimizer of the parameter at `at` is not schedule-free, or has no z so far.
    fn of(entry: Entry, at: &str) -> Result<Option<Self>, OptimizerRecordError> {
        let Some(path) = schedule_free_path(&entry).map(str::to_owned) else {
            return Ok(None);
        };
        let mut tensors = HashMap::new();
        for tensor in entry.tensors {
            let (name, dtype, shape, _, bytes) = tensor.into_parts()?;
            // Behind the number of the parameter, as `inner.z`.
            let field = name.split_once('.').map_or("", |(_, field)| field);
            let data = TensorData::from_bytes(bytes, shape, dtype);
            tensors.insert(field.to_owned(), data);
        }
        let Some(z) = tensors.remove(&format!("{path}z")) else {
            return Ok(None);
        };
        let beta = entry.scalars.get(&format!("{path}{BETA}"));
        let beta = beta.and_then(|beta| f64::try_from(*beta).ok());
        let unknown = || no_weights(format!("it does not say with which β `{at}` was made"));
        let beta = beta.ok_or_else(unknown)?;
        if !(beta > 0.0 && beta < 1.0) {
            return Err(no_weights(format!(
                "β must lie in (0, 1), got {beta} for `{at}`: with β = 0 the model has the weights z"
            )));
        }
        // Of a wrapper around it, the nearest one.
        let mut around = path.as_str();
        let (mut master, mut compensation) = (None, None);
        while let Some(outer) = around.strip_suffix("inner.") {
            around = outer;
            master = tensors.remove(&format!("{outer}master"));
            compensation = tensors.remove(&format!("{outer}compensation"));
            if master.is_some() || compensation.is_some() {
                break;
            }
        }
        Ok(Some(Self {
            beta,
            z,
            master,
            compensation,
        }))
    }

    fn x<const D: usize>(self, weight: Tensor<D>) -> Tensor<D> {
        let (device, dtype) = (weight.device(), weight.dtype());
        let wide = accumulation_dtype(dtype);
        let read = |data: TensorData| {
            let dtype = data.dtype();
            Tensor::<D>::from_data(data, (&device, dtype))
        };
        let y = match (self.master, self.compensation) {
            (Some(master), _) => take_over(cast(read(master), wide), weight),
            (None, Some(lost)) => compensated(&weight, &read(lost)),
            (None, None) => cast(weight, wide),
        };
        let z = cast(read(self.z), wide);
        let x = blend(y, 1.0 / self.beta, z, (self.beta - 1.0) / self.beta);
        x.cast(dtype)
    }
}

struct Evaluate {
    of_params: HashMap<ParamId, State>,
    /// The weights at first places.
    found: HashMap<ParamId, AnyTensor>,
    frozen_clones: HashSet<String>,
}

impl Mapper for Evaluate {
    fn float<const D: usize>(
        &mut self,
        at: &Location,
        param: Param<Tensor<D>>,
    ) -> Param<Tensor<D>> {
        if self.frozen_clones.contains(at.path()) {
            return param;
        }
        let (id, weight, mapper) = param.consume();
        let weight = match (self.of_params.remove(&id), self.found.get(&id)) {
            (Some(state), _) => {
                let x = state.x(weight);
                self.found.insert(id, x.clone().into());
                x
            }
            (None, Some(first)) => first.clone().into_tensor(),
            (None, None) => weight,
        };
        Param::from_mapped_value(id, weight, mapper)
    }
}
