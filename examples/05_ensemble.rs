//! Model averaging: five networks from different weights, one at a time and together.

use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{AdamConfig, GradientsParams};
use burn::prelude::*;
use burn::tensor::activation::softmax;
use burn_tricks::average::Combine;
use burn_tricks::prelude::*;
use burn_tricks_examples::{
    data::{Source, Split},
    mlp::{Mlp, MlpConfig},
    score::Score,
};

fn train(mut model: Mlp, seed: u64, split: &Split, device: &Device) -> Mlp {
    let mut optim = AdamConfig::new().init();
    let loss = CrossEntropyLossConfig::new().init(device);
    for epoch in 1..=15 {
        for batch in split.train.batches(32, seed, epoch) {
            let (images, labels) = split.train.batch(&batch, device);
            let loss = loss.forward(model.predict(images), labels);
            let grads = GradientsParams::from_grads(loss.backward(), &model);
            model = optim.step(1e-3, model, grads);
        }
    }
    model.valid()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let device = Device::flex().autodiff();
    let split = Source::digits().split(1).scaled();
    let config = MlpConfig::new(split.train.features);

    let untrained =
        EnsembleConfig::new().init_seeded(5, &device, 42, |device| config.init(device))?;
    let members: Vec<Mlp> = untrained
        .into_members()
        .into_iter()
        .zip(1..)
        .map(|(member, seed)| train(member, seed, &split, &device))
        .collect();

    let (images, _) = split.test.all(&Device::flex());
    let show = |what: &str, probabilities: Tensor<2>| {
        let Score { accuracy, loss } = Score::of(probabilities, &split.test.labels);
        println!(
            "{what:22} test accuracy {:.1} %, loss {loss:.3}",
            100.0 * accuracy
        );
    };
    for (at, member) in members.iter().enumerate() {
        let probabilities = softmax(member.predict(images.clone()), 1);
        show(&format!("member {at}"), probabilities);
    }
    let config = EnsembleConfig::new();
    let mean = config.init(members.clone())?;
    show("mean of probabilities", mean.predict(images.clone()));
    let logits = config
        .clone()
        .with_combine(Combine::MeanLogits)
        .init(members.clone())?;
    show("mean of logits", softmax(logits.predict(images.clone()), 1));
    let vote = config.with_combine(Combine::MajorityVote).init(members)?;
    show("majority vote", vote.predict(images));
    Ok(())
}
