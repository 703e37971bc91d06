//! Sentences that need no training: each is measured on a layer, a number or a step.

use burn::module::{Initializer, Module, Param};
use burn::nn::LinearConfig;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Distribution, Tensor};
use burn_tricks::compare::{ClaimFinding, ClaimRow, Conclusion, RowFinding};
use burn_tricks::optim::AdaGradConfig;
use burn_tricks::prelude::*;
use std::error::Error;

/// What was found of each of them.
pub(super) fn findings() -> Result<Vec<ClaimFinding>, Box<dyn Error>> {
    let device = Device::flex();
    device.seed(1);
    Ok(vec![
        two_magnitudes(&device),
        standard_normal_weights(&device),
        scaled_weights(&device),
        threshold()?,
        adagrad()?,
    ])
}

fn finding(
    sentence: &str,
    conclusion: Conclusion,
    place: &str,
    told: String,
    note: &str,
) -> ClaimFinding {
    let of_row = match conclusion {
        Conclusion::Corrected => Conclusion::Refuted,
        other => other,
    };
    ClaimFinding {
        sentence: sentence.to_owned(),
        conclusion,
        rows: vec![RowFinding {
            row: ClaimRow {
                task: place.to_owned(),
                variant: String::new(),
            },
            question: String::new(),
            conclusion: Some(of_row),
            told,
        }],
        note: note.to_owned(),
    }
}

/// Confirmed or refuted; and if the sentence is wrong and its correction right, corrected.
fn conclude(is_so: bool, is_corrected: bool) -> Conclusion {
    match (is_so, is_corrected) {
        (true, _) => Conclusion::Confirmed,
        (false, true) => Conclusion::Corrected,
        (false, false) => Conclusion::Refuted,
    }
}

fn two_magnitudes(device: &Device) -> ClaimFinding {
    let large = Tensor::<1>::from_floats([1e10], device);
    let sum: f32 = (large.clone() + 1e-10).into_scalar();
    finding(
        "“if we add 10⁻¹⁰ and 10¹⁰, we are likely to get 10¹⁰”",
        conclude(sum == 1e10, false),
        "numbers of 32 bits",
        format!("the sum is {sum:e}"),
        "",
    )
}

/// The standard deviation of the outputs of a linear layer with weights of N(0, `std`), for inputs of N(0, 1).
fn spread(inputs: usize, std: f64, layers: usize, device: &Device) -> f64 {
    let mut signal = Tensor::<2>::random([256, inputs], Distribution::Normal(0.0, 1.0), device);
    for _ in 0..layers {
        let layer = LinearConfig::new(inputs, inputs)
            .with_bias(false)
            .with_initializer(Initializer::Normal { mean: 0.0, std })
            .init(device);
        signal = layer.forward(signal);
    }
    let squares: f32 = signal.powi_scalar(2).mean().into_scalar();
    f64::from(squares).sqrt()
}

fn standard_normal_weights(device: &Device) -> ClaimFinding {
    let sizes = [64, 256, 1024];
    let measured = sizes.map(|inputs| spread(inputs, 1.0, 1, device));
    let close = |of: fn(f64) -> f64| {
        let pairs = sizes.iter().zip(measured);
        pairs
            .into_iter()
            .all(|(inputs, std)| (std / of(*inputs as f64) - 1.0).abs() < 0.1)
    };
    let told: Vec<String> = sizes
        .iter()
        .zip(measured)
        .map(|(n, std)| format!("n = {n}: {std:.1}"))
        .collect();
    finding(
        "N(0,1): “if we have n inputs, the standard deviation of output would be n”",
        conclude(close(|inputs| inputs), close(f64::sqrt)),
        "a linear layer",
        format!("standard deviation of the output, {}", told.join("; ")),
        "It is √n",
    )
}

fn scaled_weights(device: &Device) -> ClaimFinding {
    let [one, twenty] = [1, 20].map(|layers| spread(256, 1.0 / 16.0, layers, device));
    finding(
        "N(0,1/√n_in) “guarantees that for inputs with zero mean and standard deviation of 1 the same mean/standard \
         deviation would remain”",
        conclude(
            (one - 1.0).abs() < 0.05 && (twenty - 1.0).abs() < 0.5,
            false,
        ),
        "linear layers",
        format!("standard deviation after one layer {one:.2}, after twenty {twenty:.2}"),
        "With a ReLU behind each layer it takes He's √(2/n_in)",
    )
}

/// One tensor, whose gradient is chosen.
#[derive(Module, Debug)]
struct Weight {
    weight: Param<Tensor<1>>,
}

impl Weight {
    fn new(device: &Device) -> Self {
        Self {
            weight: Initializer::Zeros.init([2], device),
        }
    }

    /// Of (3, 4) times `size` / 5.
    fn gradient(&self, size: f32) -> GradientsParams {
        let device = self.weight.val().device();
        let gradient = Tensor::<1>::from_floats([0.6 * size, 0.8 * size], &device);
        let loss = (self.weight.val() * gradient).sum();
        GradientsParams::from_grads(loss.backward(), self)
    }

    fn length(tensor: Tensor<1>) -> f32 {
        tensor.powi_scalar(2).sum().sqrt().into_scalar()
    }
}

/// The text divides a gradient above θ by its norm, so that it falls to 1, whatever θ is.
fn threshold() -> Result<ClaimFinding, Box<dyn Error>> {
    let weight = Weight::new(&Device::flex().autodiff());
    let clipped = |config: ClipGradNormConfig, size: f32| -> Result<f32, Box<dyn Error>> {
        let grads = config.init()?.apply(&weight, weight.gradient(size));
        let gradient = grads.get::<1>(weight.weight.id).ok_or("a gradient")?;
        Ok(Weight::length(gradient))
    };
    let as_written = [9.9, 10.1].map(|size| clipped(ClipGradNormConfig::to_unit_norm(10.0), size));
    let rescaled = [9.9, 10.1].map(|size| clipped(ClipGradNormConfig::new(10.0), size));
    let ([below, above], [same, kept]) = (all(as_written)?, all(rescaled)?);
    Ok(finding(
        "Gradient clipping: “when ||∇|| > θ, we divide the gradient by it's norm”",
        conclude(
            (above - 10.0).abs() < 0.1,
            (same - 9.9).abs() < 1e-3 && (kept - 10.0).abs() < 1e-3,
        ),
        "θ = 10",
        format!(
            "gradients of norm 9.9 and 10.1 become {below:.1} and {above:.1}; times θ, {same:.1} and {kept:.1}"
        ),
        "Divide by the norm and multiply by θ; for θ = 1 that is the same",
    ))
}

fn all<T, E>([one, other]: [Result<T, E>; 2]) -> Result<[T; 2], E> {
    Ok([one?, other?])
}

/// Steps of a constant gradient: of the rule in the text, and of AdaGrad.
fn adagrad() -> Result<ClaimFinding, Box<dyn Error>> {
    let lengths = |mut optim: ModuleOptimizer| -> Vec<f32> {
        let mut weight = Weight::new(&Device::flex().autodiff());
        let mut lengths = Vec::new();
        for _ in 0..4 {
            let before = weight.weight.val().inner();
            let gradient = weight.gradient(5.0);
            weight = optim.step(0.1, weight, gradient);
            lengths.push(Weight::length(weight.weight.val().inner() - before));
        }
        lengths
    };
    let text = lengths(NormalizedGradientConfig::per_tensor().init()?);
    let ada_grad = lengths(AdaGradConfig::new().init()?);
    let ratio = |lengths: &[f32]| lengths[3] / lengths[0];
    let is_constant = (ratio(&text) - 1.0).abs() < 1e-3;
    let is_root = (ratio(&ada_grad) - 0.5).abs() < 1e-3;
    Ok(finding(
        "w − η(∇ℒ/||∇ℒ||): “This algorithm is called Adagrad”",
        conclude(!is_root || !is_constant, is_root && is_constant),
        "a constant gradient",
        format!(
            "the fourth step is {:.2} of the first by the rule, {:.2} by AdaGrad",
            ratio(&text),
            ratio(&ada_grad)
        ),
        "The rule is normalised gradient descent; AdaGrad divides each coordinate by the root of its summed squares",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_formulas_of_the_text_are_what_they_are() {
        let _alone = crate::trainer::tests::alone();
        let found = findings().unwrap();
        let conclusions: Vec<Conclusion> = found.iter().map(|finding| finding.conclusion).collect();
        use Conclusion::{Confirmed, Corrected};
        assert_eq!(
            conclusions,
            [Confirmed, Corrected, Confirmed, Corrected, Corrected],
            "{found:?}"
        );
    }
}
