//! Regularisation where there is too little data: dropped weights, penalties, constraints, and dropout at
//! inference, which says how sure the model is.

use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{GradientsParams, SgdConfig};
use burn::prelude::*;
use burn::tensor::activation::softmax;
use burn_tricks::average::Predict;
use burn_tricks::nn::{
    DropConnectConfig, MaxNorm, MaxNormConfig, McDropoutConfig, Penalty, PenaltyConfig,
};
use burn_tricks::prelude::*;
use burn_tricks_examples::{
    data::{Samples, Source},
    mlp::{Mlp, MlpConfig},
    score::Score,
};

const EPOCHS: usize = 100;
const BATCH: usize = 32;
/// Images to learn from.
const FEW: usize = 200;

/// What happens in a step besides the step.
#[derive(Default)]
struct Regularisation {
    penalty: Option<Penalty>,
    constraint: Option<MaxNorm>,
}

impl Regularisation {
    fn train(&self, mut model: Mlp, train: &Samples, device: &Device) -> Mlp {
        let mut optim = SgdConfig::new().init();
        let cross_entropy = CrossEntropyLossConfig::new().init(device);
        for epoch in 1..=EPOCHS {
            for batch in train.batches(BATCH, 1, epoch) {
                let (images, labels) = train.batch(&batch, device);
                let mut loss = cross_entropy.forward(model.predict(images), labels);
                if let Some(penalty) = &self.penalty {
                    loss = penalty.add_to(loss, &model);
                }
                let grads = GradientsParams::from_grads(loss.backward(), &model);
                model = optim.step(0.1, model, grads);
                if let Some(constraint) = &self.constraint {
                    model = constraint.apply(model);
                }
            }
        }
        model
    }
}

fn show(what: &str, probabilities: Tensor<2>, test: &Samples) {
    let score = Score::of(probabilities, &test.labels);
    let (accuracy, loss) = (100.0 * score.accuracy, score.loss);
    println!("{what:34} accuracy {accuracy:.1} %, loss {loss:.3}");
}

/// Some images of every class.
fn few(all: &Samples) -> Samples {
    let chosen = all.batches(FEW, 1, 0).swap_remove(0);
    let pixels = |at: &usize| &all.pixels[at * all.features..(at + 1) * all.features];
    Samples {
        pixels: chosen.iter().flat_map(pixels).copied().collect(),
        labels: chosen.iter().map(|at| all.labels[*at]).collect(),
        features: all.features,
        ..Samples::default()
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let device = Device::flex().autodiff();
    let mut split = Source::digits().split(1).scaled();
    split.train = few(&split.train);
    let (images, _) = split.test.all(&Device::flex());
    let start = |dropout| {
        let config = MlpConfig {
            dropout,
            ..MlpConfig::new(split.train.features)
        };
        device.seed(1);
        let model = config.init(&device);
        force_init(&model);
        model
    };
    let run = |what: &str, model: Mlp, regularisation: Regularisation| {
        let model = regularisation.train(model, &split.train, &device);
        show(
            what,
            softmax(model.valid().predict(images.clone()), 1),
            &split.test,
        );
        model
    };

    run("plain", start(0.0), Regularisation::default());
    let drop_connect = DropConnectConfig::new(0.3).attach(start(0.0))?;
    run("DropConnect 0.3", drop_connect, Regularisation::default());
    let penalty = PenaltyConfig::new().with_l2(1e-3).init()?;
    println!("penalised: {}", penalty.paths(&start(0.0)).join(", "));
    let l2 = Regularisation {
        penalty: Some(penalty),
        ..Default::default()
    };
    run("L2 1e-3", start(0.0), l2);
    let l1 = PenaltyConfig::new().with_l1(3e-4).init()?;
    let l1 = Regularisation {
        penalty: Some(l1),
        ..Default::default()
    };
    run("L1 3e-4", start(0.0), l1);
    let max_norm = MaxNormConfig::new(1.0).init()?;
    let constraint = Regularisation {
        constraint: Some(max_norm),
        ..Default::default()
    };
    run("max-norm 1", start(0.0), constraint);
    let dropped = run("dropout 0.3", start(0.3), Regularisation::default());

    let mc = McDropoutConfig::new(50).init(&dropped)?;
    let predict = |model: &Mlp| softmax(model.predict(Tensor::from_inner(images.clone())), 1);
    let (mean, deviation) = mc.moments(predict);
    show("dropout 0.3, mean of 50 passes", mean.clone(), &split.test);

    // How sure it is of its choice, where the choice is right and where it is wrong.
    let chosen = mean.argmax(1);
    let spread: Vec<f32> = deviation
        .gather(1, chosen.clone())
        .into_data()
        .iter()
        .collect();
    let chosen: Vec<i64> = chosen.into_data().iter().collect();
    let mean_spread = |right: bool| {
        let pairs = chosen.iter().zip(&split.test.labels).zip(&spread);
        let of_these: Vec<f32> = pairs
            .filter(|((choice, label), _)| (**choice == i64::from(**label)) == right)
            .map(|(_, spread)| *spread)
            .collect();
        of_these.iter().sum::<f32>() / of_these.len() as f32
    };
    println!(
        "deviation of the chosen probability: {:.3} where it is right, {:.3} where it is wrong",
        mean_spread(true),
        mean_spread(false)
    );
    Ok(())
}
