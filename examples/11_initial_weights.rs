//! Initial weights: what a signal and its gradient become on their way through twenty layers.
//!
//!     cargo run --release --example 11_initial_weights

use burn::nn::{Linear, LinearConfig};
use burn::prelude::*;
use burn::tensor::Distribution;
use burn::tensor::activation::{relu, tanh};
use burn_tricks::nn::{InitWeightsConfig, LsuvConfig, WeightInit};

const LAYERS: usize = 20;

/// Root mean square, in `f64`: 16²⁰ has no square in `f32`.
fn size(tensor: Tensor<2>) -> f64 {
    let values: Vec<f64> = tensor.into_data().iter::<f64>().collect();
    let squares: f64 = values.iter().map(|value| value * value).sum();
    (squares / values.len() as f64).sqrt()
}

/// A layer between each two widths.
fn layers(widths: &[usize], device: &Device) -> Vec<Linear> {
    let layer = |ends: &[usize]| LinearConfig::new(ends[0], ends[1]).init(device);
    widths.windows(2).map(layer).collect()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let device = Device::flex().autodiff();
    device.seed(1);
    let normal = |width| Tensor::<2>::random([64, width], Distribution::Normal(0.0, 1.0), &device);
    let linear = |signal: Tensor<2>| signal;

    // n products of independent numbers of variance 1 sum to variance n: deviation √n, not n.
    println!("one linear layer of n inputs, N(0, 1) weights: the output's deviation is √n, not n");
    for inputs in [16, 64, 256, 1024] {
        let layer = LinearConfig::new(inputs, 256).init(&device);
        let layer = InitWeightsConfig::new(WeightInit::STANDARD_NORMAL)
            .init()?
            .apply(&layer)?;
        println!(
            "  n = {inputs:4}: {:6.2}   √n = {:6.2}",
            size(layer.forward(normal(inputs))),
            (inputs as f64).sqrt()
        );
    }

    type Activation = fn(Tensor<2>) -> Tensor<2>;
    let show = |widths: &[usize], cases: &[(&str, WeightInit, Activation)]| {
        let input = normal(widths[0]).require_grad();
        let slope = normal(widths[LAYERS]);
        for (name, weights, activation) in cases {
            let layers = InitWeightsConfig::new(*weights)
                .with_seed(Some(2))
                .init()?
                .apply(&layers(widths, &device))?;
            let mut signal = input.clone();
            let mut line = String::new();
            for (at, layer) in layers.iter().enumerate() {
                signal = activation(layer.forward(signal));
                if [1, LAYERS].contains(&(at + 1)) {
                    line += &format!("{:10.2e}", size(signal.clone()));
                }
            }
            let grads = (signal * slope.clone()).sum().backward();
            let gradient = size(input.grad(&grads).expect("the input asked for it"));
            println!("  {name:20}{line}   gradient {gradient:9.2e}");
        }
        Ok::<(), Box<dyn std::error::Error>>(())
    };
    println!(
        "\n{LAYERS} layers of 256: root mean square after 1 and {LAYERS}, and of the gradient at the input"
    );
    let linear_cases: [(&str, WeightInit, Activation); 5] = [
        ("N(0, 1), linear", WeightInit::STANDARD_NORMAL, linear),
        ("N(0, 1/n), linear", WeightInit::InverseFanIn, linear),
        ("N(0, 1/√n), linear", WeightInit::LECUN_NORMAL, linear),
        ("Xavier, linear", WeightInit::XAVIER_NORMAL, linear),
        ("orthogonal, linear", WeightInit::ORTHOGONAL, linear),
    ];
    let equal = [256; LAYERS + 1];
    show(&equal, &linear_cases)?;
    show(
        &equal,
        &[
            ("Xavier, tanh", WeightInit::XAVIER_NORMAL, tanh),
            ("Xavier, ReLU", WeightInit::XAVIER_NORMAL, relu),
            ("He, ReLU", WeightInit::HE_NORMAL, relu),
        ],
    )?;
    // Between equal widths Xavier is 1/√n. Here each layer is narrower than the one before.
    let narrowing: Vec<usize> = (0..=LAYERS)
        .map(|at| (512.0 * 0.0625f64.powf(at as f64 / LAYERS as f64)).round() as usize)
        .collect();
    println!("\nthe same of widths from 512 down to 32");
    show(&narrowing, &linear_cases[2..4])?;

    println!("\nLSUV on orthogonal weights, inputs of deviation 20: variances before tanh");
    let data = normal(256).inner() * 20.0;
    let run = |layers: &Vec<Linear>, path: &str| {
        let last: usize = path.parse().expect("layers are numbered");
        let first = layers[0].forward(data.clone());
        layers[1..=last]
            .iter()
            .fold(first, |signal, layer| layer.forward(tanh(signal)))
    };
    let start = InitWeightsConfig::new(WeightInit::ORTHOGONAL)
        .init()?
        .apply(&layers(&[256; LAYERS + 1], &device.without_autodiff()))?;
    let outcome = LsuvConfig::new()
        .init()?
        .apply(&start, &["0", "1", "2", "3"], run)?;
    for layer in &outcome.layers {
        let before = size(run(&start, &layer.path)).powi(2);
        println!(
            "  layer {}: {before:8.3}, after {} divisions {:.3}",
            layer.path, layer.iterations, layer.variance
        );
    }
    Ok(())
}
