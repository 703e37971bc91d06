//! Three sentences of a lesson on deep learning, on vanishing gradients, on exploding ones and on capacity, measured by a
//! doctor and its probes. It ends with an error if one of them does not hold.

use burn::module::{Initializer, Module};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::{Linear, LinearConfig};
use burn::optim::{GradientsParams, SgdConfig};
use burn::prelude::*;
use burn::tensor::activation::{relu, sigmoid, softmax, tanh};
use burn_tricks::diagnose::{
    Diagnosis, DoctorConfig, EpochMetrics, FindingKind, Probe, ProbeHistory, Severity,
};
use burn_tricks_examples::data::{Samples, Source, Split};
use burn_tricks_examples::score::Score;
use std::f64::consts::{FRAC_1_SQRT_2, SQRT_2};

type Activation = fn(Tensor<2>) -> Tensor<2>;

/// A network, and how many of the digits it is trained on.
#[derive(Clone, Copy)]
struct Plan {
    hidden: usize,
    width: usize,
    activation: Activation,
    /// What the activation multiplies a gradient by, near 0.
    slope: f64,
    /// The deviation of the weights of a layer, times the root of its inputs.
    gain: f64,
    lr: f64,
    samples: usize,
}

/// What the network is called, and what the doctor should say of it: `None` for a healthy one.
type Row = (&'static str, Plan, Option<FindingKind>);

const TANH: Plan = Plan {
    hidden: 2,
    width: 64,
    activation: tanh,
    slope: 1.0,
    gain: 1.0,
    lr: 0.1,
    samples: 1078,
};

const SIGMOID: Plan = Plan {
    activation: sigmoid,
    slope: 0.25,
    lr: 1.0,
    ..TANH
};

/// Half of a gradient passes, and so does half of its square.
const RELU: Plan = Plan {
    hidden: 10,
    activation: relu,
    slope: FRAC_1_SQRT_2,
    lr: 0.02,
    ..TANH
};

impl Plan {
    /// The gradient of the first hidden layer over that of the last, as the weights and the slopes between them predict it.
    fn expected_ratio(&self) -> f64 {
        (self.gain * self.slope).powi(self.hidden as i32 - 1)
    }
}

#[derive(Module, Debug)]
struct Network {
    layers: Vec<Linear>,
    probe: Probe,
    #[module(skip)]
    activation: Activation,
}

impl Network {
    fn new(plan: &Plan, device: &Device) -> Self {
        let mut widths = vec![64];
        widths.resize(1 + plan.hidden, plan.width);
        widths.push(10);
        let layer = |ends: &[usize]| {
            let weights = Initializer::Normal {
                mean: 0.0,
                std: plan.gain / (ends[0] as f64).sqrt(),
            };
            let layer = LinearConfig::new(ends[0], ends[1]).with_initializer(weights);
            let mut layer = layer.init(device);
            layer.bias = Some(Initializer::Zeros.init([ends[1]], device));
            layer
        };
        Self {
            layers: widths.windows(2).map(layer).collect(),
            probe: Probe::new(),
            activation: plan.activation,
        }
    }

    fn forward(&self, images: Tensor<2>) -> Tensor<2> {
        let (last, hidden) = self.layers.split_last().expect("a network has layers");
        let mut signal = images;
        for (at, layer) in hidden.iter().enumerate() {
            signal = (self.activation)(layer.forward(signal));
            signal = self.probe.record(&format!("hidden {at}"), signal);
        }
        last.forward(signal)
    }

    fn score(&self, samples: &Samples) -> Score {
        let (images, _) = samples.all(&Device::flex());
        Score::of(softmax(self.valid().forward(images), 1), &samples.labels)
    }
}

/// What a doctor says of 680 steps, and the scores on the samples that were trained on and on others.
fn train(
    plan: &Plan,
    digits: &Split,
) -> Result<(Diagnosis, [Score; 2]), Box<dyn std::error::Error>> {
    let device = Device::flex().autodiff();
    device.seed(1);
    let mut model = Network::new(plan, &device);
    let mut optim = SgdConfig::new().init();
    let loss = CrossEntropyLossConfig::new().init(&device);
    let mut doctor = DoctorConfig::new().init(&model)?;
    doctor.attach(&model.probe);
    // The digits are sorted by class.
    let order = digits.train.batches(plan.samples, 1, 0);
    let train = digits.train.select(&order[0]);
    let mut scores = [model.score(&train), model.score(&digits.valid)];
    for epoch in 1..=680 / plan.samples.div_ceil(32) {
        for batch in train.batches(32, 1, epoch) {
            let (images, labels) = train.batch(&batch, &device);
            doctor.observe_batch(&images, &labels);
            let loss = loss.forward(model.forward(images), labels);
            doctor.observe_loss(&loss);
            let grads = GradientsParams::from_grads(model.probe.backward(&loss), &model);
            doctor.before_step(&model, &grads, plan.lr);
            model = optim.step(plan.lr, model, grads);
            doctor.after_step(&model);
        }
        scores = [model.score(&train), model.score(&digits.valid)];
        let metrics = EpochMetrics::new()
            .with_train_loss(scores[0].loss)
            .with_train_accuracy(scores[0].accuracy)
            .with_valid_loss(scores[1].loss)
            .with_valid_accuracy(scores[1].accuracy);
        doctor.observe_epoch(metrics);
    }
    Ok((doctor.diagnose(&model), scores))
}

/// The gradient of the first hidden layer over that of the last, in the first step.
fn ratio(probes: &[ProbeHistory]) -> Option<f64> {
    let gradient = |probe: &ProbeHistory| probe.steps.first()?.gradient;
    Some(gradient(probes.first()?)? / gradient(probes.last()?)?)
}

/// Prints a row, and says whether the gradient and the doctor's words are as expected.
fn measure(
    name: &str,
    plan: &Plan,
    expected: Option<FindingKind>,
    digits: &Split,
) -> Result<bool, Box<dyn std::error::Error>> {
    let (diagnosis, [seen, unseen]) = train(plan, digits)?;
    let history = &diagnosis.history;
    let weights: usize = (history.params.iter())
        .map(|param| param.shape.iter().product::<usize>())
        .sum();
    let ratio = ratio(&history.probes).ok_or("no gradient came back")?;
    let serious = diagnosis.findings.iter();
    let mut serious: Vec<&str> = (serious.filter(|of| of.severity >= Severity::Warning))
        .map(|of| of.kind.title())
        .collect();
    serious.dedup();
    println!(
        "  {name:34} {:6.1} {ratio:10.1e} {:8.1e} {:7.1} {:7.1}   {}",
        weights as f64 / plan.samples as f64,
        plan.expected_ratio(),
        100.0 * seen.accuracy,
        100.0 * unseen.accuracy,
        if diagnosis.is_healthy() {
            "healthy".to_owned()
        } else {
            serious.join(", ")
        },
    );
    let is_as_predicted = (1.0 / 3.0..3.0).contains(&(ratio / plan.expected_ratio()));
    Ok(is_as_predicted
        && match expected {
            Some(kind) => diagnosis.accuses(kind),
            None => diagnosis.is_healthy(),
        })
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    use FindingKind::{ExplodingGradient, Overfitting, TooLargeModel, VanishingGradient};
    let deep = |plan: Plan, gain: f64| Plan {
        hidden: 10,
        gain,
        ..plan
    };
    let few = |width: usize| Plan {
        width,
        samples: 50,
        ..TANH
    };
    let sentences: [(&str, Vec<Row>); 3] = [
        (
            "“As neural networks become deeper”, gradients vanish",
            vec![
                ("2 layers of sigmoids", SIGMOID, None),
                (
                    "10 layers of sigmoids",
                    deep(SIGMOID, 1.0),
                    Some(VanishingGradient),
                ),
            ],
        ),
        (
            "“depending on ||W||, the gradient can either diminish and be close to 0, or rise indefinitely”",
            vec![
                (
                    "10 of tanh, weights N(0, 1/(3√n))",
                    deep(TANH, 1.0 / 3.0),
                    Some(VanishingGradient),
                ),
                ("10 of tanh, N(0, 1/√n)", deep(TANH, 1.0), None),
                ("10 of ReLU, N(0, √(2/n))", deep(RELU, SQRT_2), None),
                (
                    "10 of ReLU, N(0, 1)",
                    deep(RELU, 8.0),
                    Some(ExplodingGradient),
                ),
            ],
        ),
        (
            "“balance the number of model parameters with the number of training samples”",
            vec![
                ("2 of tanh, 1,078 samples", TANH, None),
                ("2 of tanh, 50 samples", few(64), Some(TooLargeModel)),
                ("2 of 4 tanh, 50 samples", few(4), Some(Overfitting)),
            ],
        ),
    ];
    let digits = Source::digits().split(1).scaled();
    println!("                                    weights    gradient         accuracy, %");
    println!(
        "hidden layers                       /sample first/last expected  seen  unseen   the doctor says"
    );
    let mut broken = Vec::new();
    for (sentence, networks) in &sentences {
        println!("{sentence}");
        for (name, plan, expected) in networks {
            if !measure(name, plan, *expected, &digits)? {
                broken.push(format!("{sentence}: not so with {name}"));
            }
        }
    }
    if !broken.is_empty() {
        return Err(broken.join("; ").into());
    }
    Ok(())
}
