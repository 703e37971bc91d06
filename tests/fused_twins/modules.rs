//! The modules of the library and of Burn that change weights or features: forward and backward, each by itself on one
//! matrix, beyond what the same program takes without a module.

use crate::measure::Bench;
use burn::module::{Module, Param};
use burn::nn::{BatchNormConfig, DropoutConfig, LayerNormConfig, Linear};
use burn::tensor::{Device, Distribution, Tensor};
use burn_tricks::nn as ours;
use std::error::Error;

const SHAPE: [usize; 2] = [2048, 2048];
const PROB: f64 = 0.2;

/// What a module does with a matrix that autodiff tracks.
type Forward = Box<dyn Fn(Tensor<2>) -> Tensor<2>>;

fn layers(device: &Device) -> Result<Vec<(&'static str, Forward)>, Box<dyn Error>> {
    let [_, width] = SHAPE;
    let batch_norm = || BatchNormConfig::new(width).init(device);
    let alpha = ours::AlphaDropoutConfig::new(PROB).init()?;
    let gaussian = ours::GaussianDropoutConfig::new(PROB).init()?;
    let spatial = ours::SpatialDropoutConfig::new(PROB).init()?;
    let blocks = ours::DropBlockConfig::new(PROB).init()?;
    let path = ours::DropPathConfig::new(PROB).init()?;
    let dropout = ours::DropoutConfig::new(PROB).init()?;
    let burns_dropout = DropoutConfig::new(PROB).init();
    let ghost = ours::GhostBatchNormConfig::new(width, 16).init(device)?;
    let torch = ours::TorchBatchNormConfig::new(width).init(device)?;
    let frozen = ours::FrozenBatchNorm::from(&batch_norm());
    let burns_batch = batch_norm();
    let burns_layer = LayerNormConfig::new(width).init(device);
    Ok(vec![
        ("alpha dropout", Box::new(move |x| alpha.forward(x))),
        ("Gaussian dropout", Box::new(move |x| gaussian.forward(x))),
        (
            "spatial dropout",
            Box::new(move |x| {
                let maps: Tensor<3> = x.reshape([SHAPE[0], SHAPE[1] / 16, 16]);
                spatial.forward(maps).reshape(SHAPE)
            }),
        ),
        (
            "DropBlock",
            Box::new(move |x| {
                let images: Tensor<4> = x.reshape([4, SHAPE[0] * SHAPE[1] / 4 / 64 / 64, 64, 64]);
                blocks.forward(images).reshape(SHAPE)
            }),
        ),
        ("drop-path", Box::new(move |x| path.forward(x))),
        ("dropout", Box::new(move |x| dropout.forward(x))),
        (
            "Burn's dropout",
            Box::new(move |x| burns_dropout.forward(x)),
        ),
        ("ghost batch norm", Box::new(move |x| ghost.forward(x))),
        ("PyTorch's batch norm", Box::new(move |x| torch.forward(x))),
        ("frozen batch norm", Box::new(move |x| frozen.forward(x))),
        (
            "Burn's batch norm",
            Box::new(move |x| burns_batch.forward(x)),
        ),
        (
            "Burn's layer norm",
            Box::new(move |x| burns_layer.forward(x)),
        ),
    ])
}

/// A linear layer without bias, whose weights the features are.
fn linear(bench: &Bench) -> Linear {
    let distribution = Distribution::Normal(0.0, 1.0);
    let values = Tensor::random(SHAPE, distribution, &bench.device);
    Linear {
        weight: Param::from_tensor(Tensor::from_inner(values)),
        bias: None,
    }
}

fn attached<M: Module>(model: &M) -> Result<Vec<(&'static str, M)>, Box<dyn Error>> {
    let model = || model.clone();
    Ok(vec![
        (
            "weight norm",
            ours::WeightNormConfig::new().attach(model())?,
        ),
        (
            "spectral norm",
            ours::SpectralNormConfig::new().attach(model())?,
        ),
        (
            "weight standardisation",
            ours::WeightStandardizationConfig::new().attach(model())?,
        ),
        (
            "DropConnect",
            ours::DropConnectConfig::new(PROB).attach(model())?,
        ),
    ])
}

pub(crate) fn report(bench: &Bench) -> Result<(), Box<dyn Error>> {
    println!(
        "\nmodules, forward and backward on {SHAPE:?} in f32, beyond the same without a module: ms, launches, passes"
    );
    let plain = linear(bench);
    let distribution = Distribution::Default;
    let grad = Tensor::<2>::from_inner(Tensor::random(SHAPE, distribution, &bench.device));
    let cost = |name: &str, layer: &Linear, forward: &dyn Fn(Tensor<2>) -> Tensor<2>| {
        let work = |()| {
            let output = forward(layer.weight.val());
            (output * grad.clone()).sum().backward()
        };
        bench.cost(name, || (), work)
    };
    let same = |x| x;
    let line = |name: &str, layer: &Linear, forward: &dyn Fn(Tensor<2>) -> Tensor<2>| {
        // Taken anew: other work on the machine comes and goes.
        let without = cost("nothing", &plain, &same);
        let pass = bench.pass(SHAPE[0] * SHAPE[1]);
        let with = cost(name, layer, forward);
        let launches = with.launches as i64 - without.launches as i64;
        let passes = (with.ms - without.ms) / pass;
        let ms = with.ms - without.ms;
        println!("{name:<28} {ms:>9.2} {launches:>9} {passes:>9.1}");
    };
    for (name, layer) in attached(&plain)? {
        line(name, &layer, &same);
    }
    for (name, forward) in layers(&bench.device.clone().autodiff())? {
        line(name, &plain, &*forward);
    }
    Ok(())
}
