//! Initial weights: what a signal and its gradient become on their way through twenty layers.
//!
//!     cargo run --release --example 11_initial_weights

use burn::nn::{Linear, LinearConfig};
use burn::prelude::*;
use burn::tensor::Distribution;
use burn::tensor::activation::{relu, tanh};
use burn_tricks::nn::{InitWeightsConfig, LsuvConfig, WeightInit};

const WIDTH: usize = 256;
const LAYERS: usize = 20;

/// Root mean square, in `f64`: 16²⁰ has no square in `f32`.
fn size(tensor: Tensor<2>) -> f64 {
    let values: Vec<f64> = tensor.into_data().iter::<f64>().collect();
    let squares: f64 = values.iter().map(|value| value * value).sum();
    (squares / values.len() as f64).sqrt()
}

fn layers(device: &Device) -> Vec<Linear> {
    (0..LAYERS)
        .map(|_| LinearConfig::new(WIDTH, WIDTH).init(device))
        .collect()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let device = Device::flex().autodiff();
    device.seed(1);
    let normal = || Tensor::<2>::random([64, WIDTH], Distribution::Normal(0.0, 1.0), &device);
    let (input, slope) = (normal().require_grad(), normal());
    let linear = |signal: Tensor<2>| signal;

    // n products of independent numbers of variance 1 sum to variance n: deviation √n, not n.
    println!("one linear layer of n inputs, N(0, 1) weights: deviation of the output");
    for inputs in [16, 64, 256, 1024] {
        let layer = LinearConfig::new(inputs, 256).init(&device);
        let layer = InitWeightsConfig::new(WeightInit::STANDARD_NORMAL)
            .init()?
            .apply(&layer)?;
        let signal = Tensor::<2>::random([64, inputs], Distribution::Normal(0.0, 1.0), &device);
        println!(
            "  n = {inputs:4}: {:6.2}   √n = {:6.2}",
            size(layer.forward(signal)),
            (inputs as f64).sqrt()
        );
    }

    println!(
        "\n{LAYERS} layers of {WIDTH}: root mean square after 1, 5 and {LAYERS}, and of the gradient at the input"
    );
    type Activation = fn(Tensor<2>) -> Tensor<2>;
    let cases: [(&str, WeightInit, Activation); 8] = [
        ("N(0, 1), linear", WeightInit::STANDARD_NORMAL, linear),
        ("N(0, 1/n), linear", WeightInit::InverseFanIn, linear),
        ("N(0, 1/√n), linear", WeightInit::LECUN_NORMAL, linear),
        ("Xavier, linear", WeightInit::XAVIER_NORMAL, linear),
        ("orthogonal, linear", WeightInit::ORTHOGONAL, linear),
        ("Xavier, tanh", WeightInit::XAVIER_NORMAL, tanh),
        ("Xavier, ReLU", WeightInit::XAVIER_NORMAL, relu),
        ("He, ReLU", WeightInit::HE_NORMAL, relu),
    ];
    for (name, weights, activation) in cases {
        let layers = InitWeightsConfig::new(weights)
            .with_seed(Some(2))
            .init()?
            .apply(&layers(&device))?;
        let mut signal = input.clone();
        let mut line = String::new();
        for (at, layer) in layers.iter().enumerate() {
            signal = activation(layer.forward(signal));
            if [1, 5, LAYERS].contains(&(at + 1)) {
                line += &format!("{:10.2e}", size(signal.clone()));
            }
        }
        let grads = (signal * slope.clone()).sum().backward();
        let gradient = size(input.grad(&grads).expect("the input asked for it"));
        println!("  {name:20}{line}   gradient {gradient:9.2e}");
    }

    println!("\nLSUV on orthogonal weights, inputs of deviation 20: variances before tanh");
    let data = normal().inner() * 20.0;
    let run = |layers: &Vec<Linear>, path: &str| {
        let last: usize = path.parse().expect("layers are numbered");
        let first = layers[0].forward(data.clone());
        layers[1..=last]
            .iter()
            .fold(first, |signal, layer| layer.forward(tanh(signal)))
    };
    let start = InitWeightsConfig::new(WeightInit::ORTHOGONAL)
        .init()?
        .apply(&layers(&device.without_autodiff()))?;
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
