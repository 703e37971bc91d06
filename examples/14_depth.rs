//! Twenty layers on the digits: in these 30 epochs batch norm and ReZero reach about 95 %, a plain network and
//! one with layer norm guess, and He weights or a plain residual come to a quarter at most. And two small
//! convolutional networks that come ready.

use burn::module::{Module, ModuleVisitor, Param};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::norm::{Normalization, NormalizationConfig};
use burn::nn::{BatchNormConfig, LayerNormConfig, Linear, LinearConfig, Relu};
use burn::optim::{GradientsParams, SgdConfig};
use burn::prelude::*;
use burn::tensor::activation::softmax;
use burn_tricks::average::Predict;
use burn_tricks::force_init;
use burn_tricks::nn::{Forward, Inception, InceptionConfig, ResNet, ResNetConfig, try_seeded};
use burn_tricks_examples::{
    data::{Samples, Source, Split},
    mlp::{HiddenNorm, Init, Mlp, MlpConfig, Skip},
    score::Score,
};

const EPOCHS: usize = 30;
const LEARNING_RATE: f64 = 0.1;

/// What takes flat images.
trait Classifier: Module {
    fn logits(&self, images: Tensor<2>) -> Tensor<2>;
}

impl Classifier for Mlp {
    fn logits(&self, images: Tensor<2>) -> Tensor<2> {
        self.predict(images)
    }
}

impl Classifier for ResNet {
    fn logits(&self, images: Tensor<2>) -> Tensor<2> {
        self.forward(square(images))
    }
}

impl Classifier for Inception {
    fn logits(&self, images: Tensor<2>) -> Tensor<2> {
        self.forward(square(images))
    }
}

/// `[batch, 64]` to `[batch, 1, 8, 8]`.
fn square(images: Tensor<2>) -> Tensor<4> {
    let [batch, _] = images.dims();
    images.reshape([batch, 1, 8, 8])
}

fn score(model: &impl Classifier, samples: &Samples) -> Score {
    let (images, _) = samples.all(&Device::flex());
    Score::of(softmax(model.logits(images), 1), &samples.labels)
}

/// The norm of the gradient of the first weight of a module.
struct FirstNorm<'a> {
    grads: &'a GradientsParams,
    norm: Option<f32>,
}

impl ModuleVisitor for FirstNorm<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if self.norm.is_none() {
            let grad = self.grads.get::<D>(param.id);
            self.norm = grad.map(|grad| grad.square().sum().sqrt().into_scalar());
        }
    }
}

fn train<M: Classifier>(what: &str, mut model: M, split: &Split) {
    let device = Device::flex().autodiff();
    let mut optim = SgdConfig::new().init();
    let loss = CrossEntropyLossConfig::new().init(&device);
    let mut at_first = None;
    for epoch in 1..=EPOCHS {
        for batch in split.train.batches(128, 1, epoch) {
            let (images, labels) = split.train.batch(&batch, &device);
            let loss = loss.forward(model.logits(images), labels);
            let grads = GradientsParams::from_grads(loss.backward(), &model);
            if at_first.is_none() {
                let (grads, norm) = (&grads, None);
                let mut first = FirstNorm { grads, norm };
                model.visit(&mut first);
                at_first = first.norm;
            }
            model = optim.step(LEARNING_RATE, model, grads);
        }
    }
    println!(
        "{what:35} {:6} numbers, first layer's gradient at first {:7.1e}, test accuracy {:4.1} %",
        model.num_params(),
        at_first.unwrap_or_default(),
        100.0 * score(&model.valid(), &split.test).accuracy
    );
}

/// How alike the signals of different digits are behind 20 untrained layers: the mean of the cosines of the
/// angles between each two.
fn likeness(norm: NormalizationConfig, samples: &Samples) -> f32 {
    let device = Device::flex().autodiff();
    device.seed(1);
    let (images, _) = samples.all(&device);
    let mut inputs = samples.features;
    let mut layers: Vec<(Linear, Normalization, Relu)> = Vec::new();
    for _ in 0..20 {
        let mut linear = LinearConfig::new(inputs, 32).init(&device);
        linear.bias = None;
        layers.push((
            linear,
            norm.clone().with_num_features(32).init(&device),
            Relu,
        ));
        inputs = 32;
    }
    let signals = layers.forward(images);
    let lengths = signals.clone().square().sum_dim(1).sqrt();
    let directions = signals / (lengths + 1e-30);
    let [count, _] = directions.dims();
    let cosines = directions.clone().matmul(directions.transpose());
    (cosines.sum().into_scalar::<f32>() / count as f32 - 1.0) / (count - 1) as f32
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let device = Device::flex().autodiff();
    let split = Source::digits().split(1).scaled();
    let plain = MlpConfig {
        hidden: vec![32; 20],
        ..MlpConfig::new(split.train.features)
    };
    let mlp = |what: &str, config: &MlpConfig| {
        device.seed(1);
        let model = config.init(&device);
        force_init(&model);
        train(what, model, &split);
    };
    mlp("20 layers", &plain);
    mlp(
        "20 layers, He weights",
        &MlpConfig {
            init: Init::He,
            ..plain.clone()
        },
    );
    mlp(
        "20 layers, layer norm",
        &MlpConfig {
            norm: HiddenNorm::Layer,
            ..plain.clone()
        },
    );
    mlp(
        "20 layers, batch norm",
        &MlpConfig {
            norm: HiddenNorm::Batch,
            ..plain.clone()
        },
    );
    mlp(
        "20 layers, residual",
        &MlpConfig {
            skip: Skip::Residual,
            ..plain.clone()
        },
    );
    mlp(
        "20 layers, residual from 0 (ReZero)",
        &MlpConfig {
            skip: Skip::ReZero,
            ..plain
        },
    );

    println!("mean cosine between two digits' signals behind 20 untrained layers:");
    for (what, norm) in [
        ("no norm", NormalizationConfig::Identity),
        ("layer norm", LayerNormConfig::new(1).into()),
        ("batch norm", BatchNormConfig::new(1).into()),
    ] {
        println!("{what:35} {:.2}", likeness(norm, &split.test));
    }

    let res_net = try_seeded(&device, 1, || ResNetConfig::for_8x8(1, 10).init(&device))?;
    train("ResNet for 8×8 pixels", res_net, &split);
    let inception = try_seeded(&device, 1, || InceptionConfig::for_8x8(1, 10).init(&device))?;
    train("Inception for 8×8 pixels", inception, &split);
    Ok(())
}
