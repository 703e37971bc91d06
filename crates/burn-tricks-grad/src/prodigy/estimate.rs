//! The estimate of the distance, shared by the transform, which sees every gradient, and the optimizer, which
//! knows the learning rate.

use crate::stored::Stored;
use burn::module::{Module, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Device, FloatDType, Tensor};
use burn_tricks_core::walk::{Location, Visitor, visit};
use burn_tricks_core::{
    StateError, accumulation_dtype, named_state_from_bytes, named_state_to_bytes,
};
use burn_tricks_kernels::{ProdigySums, prodigy_sums};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};
use std::fmt::{Display, Formatter};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// By which a recorded state shows whose it is.
const NAME: &str = "Prodigy";

/// The settings of an estimate.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    pub(super) beta_1: f64,
    pub(super) beta_2: f64,
    pub(super) beta_3: f64,
    pub(super) epsilon: f64,
    pub(super) bias_correction: bool,
    pub(super) safeguard_warmup: bool,
    pub(super) first_distance: f64,
    pub(super) distance_factor: f64,
    pub(super) growth_rate: Option<f64>,
}

impl Settings {
    /// The factor of the learning rate in the step after `taken` others.
    fn correction(&self, taken: u64) -> f64 {
        if !self.bias_correction {
            return 1.0;
        }
        let steps = (taken + 1) as f64;
        (1.0 - self.beta_2.powf(steps)).sqrt() / (1.0 - self.beta_1.powf(steps))
    }
}

/// A shared [`Estimate`].
#[derive(Clone)]
pub(super) struct SharedEstimate(Arc<Mutex<Estimate>>);

impl SharedEstimate {
    pub(super) fn new(estimate: Estimate) -> Self {
        Self(Arc::new(Mutex::new(estimate)))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Estimate> {
        // Whoever panicked did so before it changed anything.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A parameter and its gradient, flattened, at the beginning of a step.
pub(super) struct Seen {
    path: String,
    weight: Tensor<1>,
    grad: Tensor<1>,
}

/// The state of a parameter, flattened.
struct Memory {
    /// w₀.
    first: Tensor<1>,
    /// s.
    sum: Tensor<1>,
}

/// d, the largest d found so far, and r; each has one element.
#[derive(Clone)]
struct Numbers {
    distance: Tensor<1>,
    largest: Tensor<1>,
    numerator: Tensor<1>,
}

/// The numbers that all parameters share in one step.
#[derive(Clone)]
pub(super) struct StepNumbers {
    /// How many steps were taken with it.
    pub(super) taken: u64,
    /// d.
    pub(super) distance: Tensor<1>,
    /// η d, with the correction; 0 if there was never a gradient.
    pub(super) rate: Tensor<1>,
    /// ε d'.
    pub(super) epsilon: Tensor<1>,
}

/// The step that is being taken.
struct Step {
    /// η.
    lr: f64,
    /// How many of the gradients seen have not been stepped with.
    left: usize,
    /// None at a learning rate of 0, where nothing changes.
    numbers: Option<StepNumbers>,
}

/// Why a parameter cannot be stepped.
#[derive(Debug, Clone, Copy)]
pub(super) enum Refused {
    Unseen,
    /// The learning rate of the parameters before it, and its own.
    OtherRate(f64, f64),
}

impl Display for Refused {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unseen => f.write_str(
                "Prodigy has not seen the gradients of this step: call `prodigy.apply(&model, grads)` before \
                 `optim.step`, and load the states of both",
            ),
            Self::OtherRate(before, lr) => write!(
                f,
                "Prodigy needs one learning rate for all parameters, and has got {before} and {lr} in one step"
            ),
        }
    }
}

pub(super) struct Estimate {
    pub(super) settings: Settings,
    /// The number of elements of each parameter of the model.
    sizes: BTreeMap<String, usize>,
    /// The device to which a state is loaded; a parameter on another device gets its part there.
    device: Device,
    taken: u64,
    numbers: Option<Numbers>,
    memories: BTreeMap<String, Memory>,
    /// The gradients of the next step.
    seen: Option<Vec<Seen>>,
    step: Option<Step>,
}

impl Estimate {
    pub(super) fn new(settings: Settings, sizes: BTreeMap<String, usize>, device: Device) -> Self {
        Self {
            settings,
            sizes,
            device,
            taken: 0,
            numbers: None,
            memories: BTreeMap::new(),
            seen: None,
            step: None,
        }
    }

    pub(super) fn distance(&self) -> Option<Tensor<1>> {
        self.numbers
            .as_ref()
            .map(|numbers| numbers.distance.clone())
    }

    pub(super) fn observe(&mut self, seen: Vec<Seen>) {
        self.seen = Some(seen);
    }

    pub(super) fn restart(&mut self) {
        let sizes = std::mem::take(&mut self.sizes);
        *self = Self::new(self.settings, sizes, self.device.clone());
    }

    /// The numbers of the step of the next parameter, whose learning rate is `lr`; none if it is 0. The first parameter
    /// after gradients were seen makes them, for as many parameters as have a gradient.
    pub(super) fn step(&mut self, lr: f64) -> Result<Option<StepNumbers>, Refused> {
        if let Some(seen) = self.seen.take().filter(|seen| !seen.is_empty()) {
            self.step = Some(Step {
                lr,
                left: seen.len(),
                numbers: (lr != 0.0).then(|| self.stepped(lr, seen)),
            });
        }
        match &mut self.step {
            Some(step) if step.left > 0 && step.lr != lr => Err(Refused::OtherRate(step.lr, lr)),
            Some(step) if step.left > 0 => {
                step.left -= 1;
                Ok(step.numbers.clone())
            }
            _ if lr == 0.0 => Ok(None),
            _ => Err(Refused::Unseen),
        }
    }

    fn stepped(&mut self, lr: f64, seen: Vec<Seen>) -> StepNumbers {
        let settings = self.settings;
        let (device, dtype) = (seen[0].grad.device(), seen[0].grad.dtype());
        let Numbers {
            distance,
            largest,
            numerator,
        } = self.numbers.take().unwrap_or_else(|| {
            let d0 = || Tensor::full([1], settings.first_distance, (&device, dtype));
            Numbers {
                distance: d0(),
                largest: d0(),
                numerator: Tensor::zeros([1], (&device, dtype)),
            }
        });
        let here = |number: Tensor<1>| number.to_device(&device).cast(dtype);
        let [distance, largest, numerator] = [distance, largest, numerator].map(here);
        let relative = distance.clone().div_scalar(settings.first_distance);
        let rate = distance
            .clone()
            .mul_scalar(lr * settings.correction(self.taken));
        let share = relative.clone()
            * if settings.safeguard_warmup {
                distance.clone()
            } else {
                rate.clone()
            };

        let (mut products, mut sizes) = (Vec::new(), Vec::new());
        for Seen { path, weight, grad } in seen {
            let (on, as_grad) = (grad.device(), grad.dtype());
            let Memory { first, sum } = self.memories.remove(&path).unwrap_or_else(|| Memory {
                first: weight.clone(),
                sum: grad.zeros_like(),
            });
            let there = |tensor: Tensor<1>| tensor.to_device(&on).cast(as_grad);
            let [first, sum] = [first, sum].map(there);
            let beta_3 = settings.beta_3;
            let ProdigySums { sum, product, size } =
                prodigy_sums(grad, weight, first.clone(), sum, beta_3, &share);
            products.push(here(product));
            sizes.push(here(size));
            self.memories.insert(path, Memory { first, sum });
        }
        let product = Tensor::cat(products, 0).sum();
        let size = Tensor::cat(sizes, 0).sum();

        let never = size.clone().equal_elem(0.0);
        let moved =
            numerator.clone().mul_scalar(settings.beta_3) + relative * rate.clone() * product;
        let found = (moved.clone() / size).mul_scalar(settings.distance_factor);
        let found = found.mask_where(never.clone(), distance.clone());
        let numerator = moved.mask_where(never.clone(), numerator);
        // At first the estimate itself grows, and not only its bound.
        let is_first = distance.clone().equal_elem(settings.first_distance);
        let grown = distance
            .clone()
            .mask_where(is_first, larger(distance.clone(), found.clone()));
        let largest = larger(largest, found);
        let next = match settings.growth_rate {
            Some(growth) => smaller(largest.clone(), grown.mul_scalar(growth)),
            None => largest.clone(),
        };
        self.numbers = Some(Numbers {
            distance: next.clone(),
            largest,
            numerator,
        });
        self.taken += 1;
        StepNumbers {
            taken: self.taken,
            distance,
            rate: rate.mask_fill(never, 0.0),
            epsilon: next.mul_scalar(settings.epsilon),
        }
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let numbers = self.numbers.clone();
        let state = State {
            taken: self.taken,
            numbers: numbers.map(|numbers| {
                [numbers.distance, numbers.largest, numbers.numerator].map(Stored::of)
            }),
            memories: self
                .memories
                .iter()
                .map(|(path, memory)| {
                    let stored =
                        [&memory.first, &memory.sum].map(|tensor| Stored::of(tensor.clone()));
                    (path.clone(), stored)
                })
                .collect(),
        };
        named_state_to_bytes(NAME, &state)
    }

    pub(super) fn load_bytes(&mut self, bytes: &[u8]) -> Result<(), StateError> {
        let state: State = named_state_from_bytes(NAME, bytes)?;
        for (path, stored) in &state.memories {
            let Some(size) = self.sizes.get(path) else {
                return Err(format!("the model has no parameter `{path}`").into());
            };
            for stored in stored {
                let recorded = stored.len();
                if recorded != *size {
                    return Err(
                        format!("`{path}` has {size} numbers, and the state {recorded}").into(),
                    );
                }
            }
        }
        let names = ["distance", "largest distance", "numerator"];
        for (name, number) in names.iter().zip(state.numbers.iter().flatten()) {
            let recorded = number.len();
            if recorded != 1 {
                let error = format!("the estimate's {name} is {recorded} numbers, expected 1");
                return Err(error.into());
            }
        }
        self.restart();
        let device = self.device.clone();
        self.taken = state.taken;
        self.numbers = state.numbers.map(|numbers| {
            let [distance, largest, numerator] = numbers.map(|number| number.tensor(&device));
            Numbers {
                distance,
                largest,
                numerator,
            }
        });
        let memories = state.memories.into_iter().map(|(path, stored)| {
            let [first, sum] = stored.map(|stored| stored.tensor(&device));
            (path, Memory { first, sum })
        });
        self.memories = memories.collect();
        Ok(())
    }
}

/// The larger of two numbers; `b` if it is NaN.
fn larger(a: Tensor<1>, b: Tensor<1>) -> Tensor<1> {
    let keeps_a = b.clone().lower(a.clone());
    b.mask_where(keeps_a, a)
}

/// The smaller of two numbers; `b` if one of them is NaN.
fn smaller(a: Tensor<1>, b: Tensor<1>) -> Tensor<1> {
    let keeps_a = a.clone().lower(b.clone());
    b.mask_where(keeps_a, a)
}

/// The state of an [`Estimate`], to be saved as bytes.
#[derive(Serialize, Deserialize)]
struct State {
    taken: u64,
    /// d, the largest d, r.
    numbers: Option<[Stored; 3]>,
    /// w₀ and s, by path.
    memories: Vec<(String, [Stored; 2])>,
}

/// The parameters of `model` that a step changes: all that have a gradient, a tied one at its first place.
pub(super) fn gathered<M: Module>(model: &M, grads: &GradientsParams) -> Vec<Seen> {
    let mut gather = Gather {
        grads,
        known: HashSet::new(),
        seen: Vec::new(),
    };
    visit(model, &mut gather);
    gather.seen
}

struct Gather<'a> {
    grads: &'a GradientsParams,
    known: HashSet<ParamId>,
    seen: Vec<Seen>,
}

impl Visitor for Gather<'_> {
    fn float<const D: usize>(&mut self, at: &Location, param: &Param<Tensor<D>>) {
        if let Some(grad) = self.grads.get::<D>(param.id)
            && self.known.insert(param.id)
            && grad.shape().num_elements() > 0
        {
            let weight = param.val().without_autodiff();
            let dtype = accumulation_dtype(weight.dtype());
            self.seen.push(Seen {
                path: at.path().to_owned(),
                weight: flat(weight, dtype),
                grad: flat(grad, dtype),
            });
        }
    }
}

fn flat<const D: usize>(tensor: Tensor<D>, dtype: FloatDType) -> Tensor<1> {
    tensor.cast(dtype).reshape([-1])
}
