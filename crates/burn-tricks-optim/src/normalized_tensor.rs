//! The normalised-gradient step where all elements of a tensor share a norm.

use crate::held::Held;
use crate::normalized_gradient::{Epsilon, Memory, Momentum, NormalizedGradient};
use crate::normalized_gradient_state::NormalizedGradientState;
use burn::tensor::{FloatDType, Tensor};
use burn_tricks_core::accumulation_dtype;
use burn_tricks_kernels::{Decay, SumOfSquares, TensorList, blend, descend, sum_of_squares};

impl NormalizedGradient {
    /// All elements together: the norm is a number on the device, and takes a read of its own.
    pub(crate) fn step_of_tensor<const D: usize>(
        &self,
        lr: f64,
        weight: Tensor<D>,
        grad: Tensor<D>,
        mut state: NormalizedGradientState<D>,
    ) -> (Tensor<D>, Option<NormalizedGradientState<D>>) {
        let config = &self.config;
        state.time = state.time.saturating_add(1);
        let decay = config.weight_decay.at(lr, config.decay_scope, D);
        let grad = match decay {
            Decay::Coupled(_) => {
                let wide = accumulation_dtype(weight.dtype());
                decay.of_grads(grad.cast(wide), &weight.clone().cast(wide))
            }
            _ => grad,
        };
        let mut old_momentum = state
            .momentum
            .take()
            .map(|held| held.beside(&weight, "momentum"));
        let old_squares = state
            .accumulator
            .take()
            .map(|held| held.one_beside(&weight, "accumulator"));
        let squares = match config.memory {
            Memory::None => None,
            Memory::Sum | Memory::Decay { .. } => {
                let now = self.squared_norm(&grad, &weight);
                let old = old_squares.unwrap_or_else(|| now.full_like(config.initial_accumulator));
                Some(match config.memory {
                    Memory::Decay { beta } => old * beta + now * (1.0 - beta),
                    _ => old + now,
                })
            }
        };
        state.accumulator = squares.clone().map(Held::from);

        // What is divided, and by what it must be divided besides: the bias correction.
        let (direction, correction) = match config.momentum {
            Momentum::OfGradient { beta } => {
                let mean = self.mean(beta, state.time);
                let old = old_momentum.take().unwrap_or_else(|| wide_zeros(&weight));
                let direction = blend(old, beta, grad, 1.0 - beta);
                state.momentum = Some(direction.clone().into());
                (direction, mean.correction)
            }
            _ => (grad, 1.0),
        };
        let divisor = match (config.memory, squares) {
            (Memory::Decay { beta }, Some(squares)) => {
                let mean = self.mean(beta, state.time);
                self.divisor_of_squares(squares.reshape([1]) / mean.correction)
            }
            (_, Some(squares)) => self.divisor_of_squares(squares.reshape([1])),
            (_, None) => self.divisor_of_norm(own_norm(&direction), correction),
        };
        let keep = match decay {
            Decay::Decoupled(rate) => 1.0 - rate,
            _ => 1.0,
        };
        let weight = match config.momentum {
            Momentum::OfUpdate { mu } => {
                let old = old_momentum.unwrap_or_else(|| wide_zeros(&weight));
                let update = descend(old, mu, direction, 1.0, &divisor);
                state.momentum = Some(update.clone().into());
                blend(weight, keep, update, -lr)
            }
            _ => descend(weight, keep, direction, -lr / correction, &divisor),
        };
        let stateless = state.accumulator.is_none() && state.momentum.is_none();
        (weight, (!stateless).then_some(state))
    }

    /// `‖g‖²`, of shape `[1, 1, ..]`, in the type of the state.
    fn squared_norm<const D: usize>(&self, grad: &Tensor<D>, weight: &Tensor<D>) -> Tensor<D> {
        let SumOfSquares { scale, sum } = squares_of(grad);
        let dtype = accumulation_dtype(weight.dtype());
        (sum * scale.square()).cast(dtype).unsqueeze()
    }

    /// `√v + ε` or `√(v + ε)`
    fn divisor_of_squares(&self, squares: Tensor<1>) -> Tensor<1> {
        match self.config.epsilon {
            Epsilon::InsideRoot(epsilon) => (squares + epsilon).sqrt(),
            Epsilon::OutsideRoot(epsilon) => squares.sqrt() + epsilon,
        }
    }

    /// `‖m̂‖ + ε` or `√(‖m̂‖² + ε)`, from `‖m‖` and the bias correction `‖m‖ / ‖m̂‖`.
    fn divisor_of_norm(&self, norm: Tensor<1>, correction: f64) -> Tensor<1> {
        let norm = norm / correction;
        match self.config.epsilon {
            Epsilon::OutsideRoot(epsilon) => norm + epsilon,
            Epsilon::InsideRoot(0.0) => norm,
            Epsilon::InsideRoot(epsilon) => (norm.square() + epsilon).sqrt(),
        }
    }
}

/// `‖x‖`, without squaring the large or the small.
fn own_norm<const D: usize>(tensor: &Tensor<D>) -> Tensor<1> {
    let SumOfSquares { scale, sum } = squares_of(tensor);
    sum.sqrt() * scale
}

fn squares_of<const D: usize>(tensor: &Tensor<D>) -> SumOfSquares {
    let list = TensorList::from(tensor.clone());
    sum_of_squares(&list).expect("a step of an empty tensor ends before")
}

fn wide_zeros<const D: usize>(weight: &Tensor<D>) -> Tensor<D> {
    let dtype: FloatDType = accumulation_dtype(weight.dtype());
    Tensor::zeros(weight.dims(), (&weight.device(), dtype.into()))
}
