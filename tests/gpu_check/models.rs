//! What changes batches, and what makes a model of others: the same on every device, since random numbers are drawn on the
//! host.

use crate::modules::{Made, Named, Place, made, read, values};
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::tanh;
use burn::tensor::{Device, FloatDType, Tensor};
use burn_tricks::average::{
    Combine, EnsembleConfig, Predict, RecalibrationConfig, TestTimeAugmentationConfig, uniform_soup,
};
use burn_tricks::data::{
    Augmentations, CutoutConfig, ErasingFill, HorizontalFlipConfig, LabelSmoothingConfig,
    MixSamplesConfig, RandomCropConfig, RandomErasingConfig,
};
use burn_tricks::nn::{InitWeightsConfig, LsuvConfig, TorchBatchNormConfig, WeightInit};
use std::convert::Infallible;

/// Seeds of the samples of a batch.
const SEEDS: [u64; 8] = [3, 1, 4, 15, 9, 2, 6, 5];

pub(crate) const MODELS: [Named; 11] = [
    ("augmented images", |place| {
        let augmentations = Augmentations::new()
            .with(RandomCropConfig::new([8, 8]).with_padding(2).init()?)
            .with(HorizontalFlipConfig::new().init()?)
            .with(CutoutConfig::new(3).init()?);
        Ok(vec![read(augmentations.apply(images(place), &SEEDS))])
    }),
    ("erased images", |place| {
        let config = RandomErasingConfig::timm().with_prob(0.8);
        let erasing = config.with_fill(ErasingFill::RandomPixels).init()?;
        let augmentations = Augmentations::new().with(erasing);
        Ok(vec![read(augmentations.apply(images(place), &SEEDS))])
    }),
    ("mixup", |place| mixed(MixSamplesConfig::mixup(0.8), place)),
    ("cutmix", |place| {
        mixed(MixSamplesConfig::cutmix(1.0), place)
    }),
    ("label smoothing", |place| {
        let smoothing = Augmentations::new().with(LabelSmoothingConfig::new(0.1).init()?);
        let targets = values([SEEDS.len(), 5], place).inner();
        let (_, targets) = smoothing.apply((images(place), targets), &SEEDS);
        Ok(vec![read(targets)])
    }),
    // Each device draws another matrix, whose rows are orthogonal.
    ("orthogonal initialisation", |place| {
        let linear = |device: &Device| Ok::<_, Infallible>(LinearConfig::new(12, 30).init(device));
        let linear = made(place, linear)?;
        let init = InitWeightsConfig::new(WeightInit::ORTHOGONAL).init()?;
        let weight = init.apply(&linear)?.weight.val().cast(FloatDType::F32);
        Ok(vec![read(weight.clone().matmul(weight.transpose()))])
    }),
    ("LSUV", |place| {
        let linear = |size, device: &Device| LinearConfig::new(20, size).init(device);
        let layers = |device: &Device| {
            let layers: Vec<Linear> = vec![linear(20, device), linear(7, device)];
            Ok::<_, Infallible>(layers)
        };
        let layers = made(place, layers)?;
        let batch = values([64, 20], place).inner();
        let outcome = LsuvConfig::new().init()?;
        let outcome = outcome.apply(&layers, &["0", "1"], |layers, path| {
            let first = layers[0].forward(batch.clone());
            match path {
                "0" => first,
                _ => layers[1].forward(tanh(first)),
            }
        })?;
        let weights = outcome.model.iter().map(|layer| read(layer.weight.val()));
        Ok(weights.collect())
    }),
    ("recalibration", |place| {
        let config = TorchBatchNormConfig::new(6);
        let norm = made(place, |device| config.init(device))?;
        let batch = values([30, 6], place) * 3.0 + 1.0;
        let batches = [batch.clone(), batch.clone().square()];
        let norm = RecalibrationConfig::new()
            .apply(&norm, batches, |norm, batch| norm.forward(batch).dims()[0])?;
        Ok(vec![read(norm.valid().forward(batch.inner()))])
    }),
    ("soup", |place| {
        let soup = uniform_soup(&made(place, classifiers)?)?;
        Ok(vec![read(soup.layer.weight.val())])
    }),
    ("ensemble", |place| {
        let mut all = Vec::new();
        for combine in [Combine::MeanProbabilities, Combine::MeanLogits] {
            let config = EnsembleConfig::new().with_combine(combine);
            let config = config.with_weights(Some(vec![1.0, 2.0, 0.5]));
            let ensemble = config.init(made(place, classifiers)?)?;
            all.push(read(ensemble.predict(images(place))));
        }
        Ok(all)
    }),
    ("test-time augmentation", |place| {
        let model = made(place, classifiers)?.swap_remove(0);
        let model = TestTimeAugmentationConfig::new().init(model);
        let model = model.with_horizontal_flip().with_view(|x| x * 0.9);
        Ok(vec![read(model.predict(images(place)))])
    }),
];

/// A layer that tells images apart.
#[derive(Module, Debug)]
struct Classifier {
    layer: Linear,
}

impl Predict for Classifier {
    type Input = Tensor<4>;

    fn predict(&self, images: Tensor<4>) -> Tensor<2> {
        self.layer.forward(images.flatten(1, 3))
    }
}

fn classifiers(device: &Device) -> Result<Vec<Classifier>, Infallible> {
    let config = LinearConfig::new(3 * 8 * 8, 5);
    let classifier = |_| Classifier {
        layer: config.init(device),
    };
    Ok((0..3).map(classifier).collect())
}

fn images(place: &Place) -> Tensor<4> {
    values([SEEDS.len(), 3, 8, 8], place).inner()
}

fn mixed(config: MixSamplesConfig, place: &Place) -> Made {
    let mixing = Augmentations::new().with(config.init()?);
    let targets = values([SEEDS.len(), 5], place).inner();
    let (images, targets) = mixing.apply((images(place), targets), &SEEDS);
    Ok(vec![read(images), read(targets)])
}
