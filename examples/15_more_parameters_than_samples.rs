//! More parameters than samples: how far the digits seen and the digits not seen are apart.

use burn::module::Module;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{AdamConfig, GradientsParams};
use burn::prelude::*;
use burn::tensor::activation::softmax;
use burn_tricks::average::Predict;
use burn_tricks::force_init;
use burn_tricks_examples::{
    data::{Samples, Source},
    mlp::{Mlp, MlpConfig},
    score::Score,
};

/// Steps of 32 samples, however many there are to choose from.
const STEPS: usize = 1500;

fn score(model: &Mlp, samples: &Samples) -> Score {
    let (images, _) = samples.all(&Device::flex());
    Score::of(softmax(model.predict(images), 1), &samples.labels)
}

fn train(hidden: &[usize], train: &Samples) -> Mlp {
    let device = Device::flex().autodiff();
    device.seed(1);
    let config = MlpConfig {
        hidden: hidden.to_vec(),
        ..MlpConfig::new(train.features)
    };
    let mut model = config.init(&device);
    force_init(&model);
    let mut optim = AdamConfig::new().init();
    let loss = CrossEntropyLossConfig::new().init(&device);
    let batches = (1..).flat_map(|epoch| train.batches(32, 1, epoch));
    for batch in batches.take(STEPS) {
        let (images, labels) = train.batch(&batch, &device);
        let loss = loss.forward(model.predict(images), labels);
        let grads = GradientsParams::from_grads(loss.backward(), &model);
        model = optim.step(3e-3, model, grads);
    }
    model.valid()
}

fn main() {
    let split = Source::digits().split(1).scaled();
    println!(" hidden    weights  samples  weights    accuracy, %     loss");
    println!(" layers                      /sample   seen  unseen   seen  unseen");
    for hidden in [&[4][..], &[64, 64]] {
        for count in [50, 200, split.train.len()] {
            // The training part is sorted by class, and batches are not.
            let order = &split.train.batches(count, 1, 0)[0];
            let seen = split.train.select(order);
            let model = train(hidden, &seen);
            let (on_seen, on_unseen) = (score(&model, &seen), score(&model, &split.test));
            println!(
                "{:9} {:8} {count:8} {:8.1} {:6.1} {:7.1} {:6.3} {:7.3}",
                format!("{hidden:?}"),
                model.num_params(),
                model.num_params() as f64 / count as f64,
                100.0 * on_seen.accuracy,
                100.0 * on_unseen.accuracy,
                on_seen.loss,
                on_unseen.loss
            );
        }
    }
}
