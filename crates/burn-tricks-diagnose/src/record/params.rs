//! The parameters of a model: what they are, their first values, and their last ones.

use crate::flat::flat;
use crate::history::param::{ParamHistory, TensorStats};
use crate::numbers::{Said, join, norm, read, said};
use burn::module::{Module, Param, ParamId};
use burn::tensor::Tensor;
use burn_tricks_core::walk::{Location, Visitor, visit};
use burn_tricks_core::{ParamRole, UnitAxis, ValueKind, places};
use burn_tricks_kernels::distance;
use std::collections::HashMap;

/// A parameter, and its first values.
#[derive(Debug)]
pub(crate) struct ParamRecord {
    pub(crate) path: String,
    layer: String,
    role: ParamRole,
    shape: Vec<usize>,
    pub(crate) unit: Option<UnitAxis>,
    requires_grad: bool,
    tied_to: Option<String>,
    first: Tensor<1>,
}

/// The parameters of a model, without running statistics and derived states.
#[derive(Debug, Default)]
pub(crate) struct Params {
    pub(crate) list: Vec<ParamRecord>,
    by_path: HashMap<String, usize>,
}

impl Params {
    /// The parameters of `model`. Lazy parameters are initialised. Nothing is read from the device.
    pub(crate) fn of<M: Module>(model: &M) -> Self {
        let is_weight = places(model)
            .into_iter()
            .filter(|place| place.kind.is_float())
            .map(|place| place.kind == ValueKind::Weight);
        let mut collect = Collect {
            is_weight: is_weight.collect::<Vec<_>>().into_iter(),
            firsts: HashMap::new(),
            list: Vec::new(),
        };
        visit(model, &mut collect);
        let list = collect.list;
        let named = list.iter().enumerate();
        let by_path = named.map(|(at, param)| (param.path.clone(), at)).collect();
        Self { list, by_path }
    }

    pub(crate) fn position(&self, path: &str) -> Option<usize> {
        self.by_path.get(path).copied()
    }

    /// The parameters with the values that `model` has now. Waits for the device once.
    pub(crate) fn histories<M: Module>(&self, model: &M) -> Vec<ParamHistory> {
        let now = self.values(model);
        let mut parts = Vec::new();
        for (param, now) in self.list.iter().zip(&now) {
            let now = now.as_ref().filter(|now| now.dims() == param.first.dims());
            let now = now.unwrap_or(&param.first);
            if param.first.dims() != [0] {
                let here = now.clone().to_device(&param.first.device());
                let moved = distance(&here, &param.first);
                parts.extend([describe(&param.first), describe(now), moved]);
                // A difference may be 0 where a bit differs, and NaN where none does.
                parts.push(here.equal(param.first.clone()).all().float());
            }
        }
        let numbers = join(parts).map_or_else(Vec::new, |all| read(&all));
        let mut numbers = numbers.chunks_exact(2 * STATS + 2);
        let history = |param: &ParamRecord| {
            let numbers = match param.first.dims() {
                [0] => None,
                _ => numbers.next(),
            };
            param.history(numbers.unwrap_or(&[0.0; 2 * STATS + 2]))
        };
        self.list.iter().map(history).collect()
    }
}

impl Params {
    /// The values of `other`, flattened, by position. Nothing is read from the device.
    pub(crate) fn values<M: Module>(&self, other: &M) -> Vec<Option<Tensor<1>>> {
        let mut now: Vec<Option<Tensor<1>>> = vec![None; self.list.len()];
        visit(
            other,
            &mut Values {
                params: self,
                now: &mut now,
            },
        );
        now
    }

    /// The distance of `values` from those of `model`, relative to the distance of these from the first values. Nothing is read
    /// from the device.
    pub(crate) fn behind<M: Module>(
        &self,
        values: &[Option<Tensor<1>>],
        model: &M,
    ) -> Option<Tensor<1>> {
        let mut parts = Vec::new();
        let now = self.values(model);
        for ((param, value), now) in self.list.iter().zip(values).zip(&now) {
            let dims = param.first.dims();
            let fits = |of: &&Tensor<1>| of.dims() == dims && dims != [0];
            let both = value.as_ref().filter(fits).zip(now.as_ref().filter(fits));
            if let Some((value, now)) = both {
                let [value, now] =
                    [value, now].map(|of| of.clone().to_device(&param.first.device()));
                parts.extend([distance(&now, &value), distance(&now, &param.first)]);
            }
        }
        let norms = join(parts)?.reshape([-1, 2]).square().sum_dim(0).sqrt();
        let [behind, moved] = [0, 1].map(|at| norms.clone().narrow(1, at, 1).reshape([1]));
        Some(behind / moved)
    }

    /// The distance of `values` from the first values, relative to their norm. Nothing is read from the device.
    pub(crate) fn distance(&self, values: &[Option<Tensor<1>>]) -> Option<Tensor<1>> {
        let mut parts = Vec::new();
        for (param, now) in self.list.iter().zip(values) {
            let now = now.as_ref();
            let now = now.filter(|now| now.dims() == param.first.dims() && now.dims() != [0]);
            if let Some(now) = now {
                let here = now.clone().to_device(&param.first.device());
                parts.extend([distance(&here, &param.first), norm(&param.first)]);
            }
        }
        let norms = join(parts)?.reshape([-1, 2]).square().sum_dim(0).sqrt();
        let [moved, size] = [0, 1].map(|at| norms.clone().narrow(1, at, 1).reshape([1]));
        Some(moved / size.clamp_min(f32::MIN_POSITIVE))
    }

    /// Whether `model` has these values, to the bit. Waits for the device.
    pub(crate) fn are_of<M: Module>(&self, values: &[Option<Tensor<1>>], model: &M) -> bool {
        let now = self.values(model);
        let same = values
            .iter()
            .zip(&now)
            .map(|(one, other)| match (one, other) {
                (Some(one), Some(other)) if one.dims() == other.dims() && one.dims() != [0] => {
                    let other = other.clone().to_device(&one.device());
                    Some(one.clone().equal(other).all().float())
                }
                _ => None,
            });
        let same = join(same.flatten().collect());
        same.is_some_and(|same| read(&same).iter().all(|same| *same == 1.0))
    }
}

/// The numbers of [`describe`].
const STATS: usize = 6;

/// Norm, mean, minimum, maximum, share of zeros and share of numbers that are not finite.
fn describe(values: &Tensor<1>) -> Tensor<1> {
    let which = [
        Said::Norm,
        Said::Mean,
        Said::Smallest,
        Said::Largest,
        Said::Zeros,
        Said::NonFinite,
    ];
    Tensor::cat(said(values, &which), 0)
}

impl TensorStats {
    fn of(numbers: &[f64], elements: usize) -> Self {
        let (norm, mean, min, max) = (numbers[0], numbers[1], numbers[2], numbers[3]);
        // The difference of two squares: of equal numbers, the rounding error of f32 is left.
        let variance = norm * norm / elements.max(1) as f64 - mean * mean;
        Self {
            norm,
            mean,
            deviation: if min == max {
                0.0
            } else {
                variance.max(0.0).sqrt()
            },
            min,
            max,
            zeros: numbers[4],
            non_finite: numbers[5],
        }
    }
}

impl ParamRecord {
    fn history(&self, numbers: &[f64]) -> ParamHistory {
        let elements = self.shape.iter().product();
        let fans = self.unit.and_then(|unit| unit.fans(&self.shape));
        ParamHistory {
            path: self.path.clone(),
            layer: self.layer.clone(),
            role: self.role,
            fan_in: fans.map(|fans| fans.fan_in),
            fan_out: fans.map(|fans| fans.fan_out),
            units: (self.unit.filter(|_| fans.is_some())).map(|unit| self.shape[unit.axis()]),
            shape: self.shape.clone(),
            requires_grad: self.requires_grad,
            tied_to: self.tied_to.clone(),
            initial: TensorStats::of(numbers, elements),
            last: TensorStats::of(&numbers[STATS..], elements),
            moved: numbers[2 * STATS],
            changed: numbers[2 * STATS + 1] == 0.0,
            silent_units: None,
            steps: Vec::new(),
        }
    }
}

struct Collect {
    is_weight: std::vec::IntoIter<bool>,
    /// The first path of each id.
    firsts: HashMap<ParamId, String>,
    list: Vec<ParamRecord>,
}

impl Visitor for Collect {
    fn float<const D: usize>(&mut self, at: &Location, param: &Param<Tensor<D>>) {
        let is_weight = self.is_weight.next().unwrap_or(true);
        if !is_weight || at.is_derived() {
            return;
        }
        let value = param.val();
        let path = at.path().to_owned();
        let tied_to = self.firsts.get(&param.id).cloned();
        self.firsts.entry(param.id).or_insert_with(|| path.clone());
        self.list.push(ParamRecord {
            path,
            layer: at.layer().to_owned(),
            role: ParamRole::at(at),
            shape: value.dims().to_vec(),
            unit: UnitAxis::for_weight(at.container(), D),
            requires_grad: value.is_require_grad(),
            tied_to,
            first: flat(value),
        });
    }
}

/// The present values, by position in the list.
struct Values<'a> {
    params: &'a Params,
    now: &'a mut Vec<Option<Tensor<1>>>,
}

impl Visitor for Values<'_> {
    fn float<const D: usize>(&mut self, at: &Location, param: &Param<Tensor<D>>) {
        if let Some(position) = self.params.position(at.path()) {
            self.now[position] = Some(flat(param.val()));
        }
    }
}
