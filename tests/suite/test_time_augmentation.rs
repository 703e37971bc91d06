//! Test-time augmentation: what it predicts is the combination of the predictions for the views.

use crate::devices::devices;
use crate::oracle::assert_close;
use burn::module::{Module, Param};
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor};
use burn_tricks::average::{Combine, EnsembleConfig, Predict, TestTimeAugmentationConfig};

const COMBINATIONS: [Combine; 3] = [
    Combine::MeanProbabilities,
    Combine::MeanLogits,
    Combine::MajorityVote,
];

/// Scores of three classes that depend on where a pixel is.
#[derive(Module, Debug)]
struct Places {
    weights: Param<Tensor<2>>,
}

impl Predict for Places {
    type Input = Tensor<4>;

    fn predict(&self, images: Tensor<4>) -> Tensor<2> {
        images.flatten::<2>(1, 3).matmul(self.weights.val())
    }
}

fn model(device: &Device) -> Places {
    let weights = Tensor::<1, burn::tensor::Int>::arange(0..18, device).float();
    Places {
        weights: Param::from_tensor((weights * 1.7).sin().reshape([6, 3])),
    }
}

/// Two images of 2×3 pixels.
fn images(device: &Device) -> Tensor<4> {
    let pixels = [
        0.5, -1.0, 2.0, 0.25, 1.5, -0.5, 3.0, 0.0, -2.0, 1.0, -1.5, 0.75,
    ];
    Tensor::<1>::from_floats(pixels, device).reshape([2, 1, 2, 3])
}

fn flat<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

#[test]
fn the_prediction_combines_those_for_the_views() {
    for (name, device) in devices() {
        let (plain, model) = (images(&device), model(&device));
        let views = [
            plain.clone(),
            plain.clone().flip([3]),
            plain.clone().flip([2]),
            plain.clone() * 0.5,
        ];
        let outputs = views.map(|view| model.predict(view));
        let augmented = |combine| {
            TestTimeAugmentationConfig::new()
                .with_combine(combine)
                .init(model.clone())
                .with_horizontal_flip()
                .with_vertical_flip()
                .with_view(|images| images * 0.5)
        };
        let mean = |outputs: &[Tensor<2>]| {
            let sum = outputs.iter().cloned().reduce(|a, b| a + b).unwrap();
            flat(sum / outputs.len() as f64)
        };
        let each = augmented(Combine::MeanLogits).predict_each(plain.clone());
        for (view, expected) in each.into_iter().zip(&outputs) {
            assert_eq!(flat(view), flat(expected.clone()), "{name}");
        }
        let predicted = |combine| flat(augmented(combine).predict(plain.clone()));
        let expected = mean(&outputs);
        assert_close(&predicted(Combine::MeanLogits), &expected, 1e-5, name);
        let expected = mean(&outputs.clone().map(|z| softmax(z, 1)));
        assert_close(
            &predicted(Combine::MeanProbabilities),
            &expected,
            1e-5,
            name,
        );
        let votes = outputs.map(|z| z.clone().equal(z.max_dim(1).expand([2, 3])).float());
        assert_close(&predicted(Combine::MajorityVote), &mean(&votes), 1e-6, name);
    }
}

#[test]
fn without_views_it_is_the_model() {
    let device = Device::flex();
    let (images, model) = (images(&device), model(&device));
    for combine in COMBINATIONS {
        let config = TestTimeAugmentationConfig::new().with_combine(combine);
        let augmented = config.init(model.clone()).predict(images.clone());
        let ensemble = EnsembleConfig::new().with_combine(combine);
        let alone = ensemble.init(vec![model.clone()]).unwrap();
        assert_eq!(flat(augmented), flat(alone.predict(images.clone())));
    }
}

#[test]
fn symmetric_images_are_predicted_alike_to_the_bit() {
    let device = Device::flex();
    let (images, model) = (images(&device), model(&device));
    let symmetric = images.clone() + images.flip([3]);
    let config = TestTimeAugmentationConfig::new().with_combine(Combine::MeanLogits);
    let augmented = config.init(model.clone()).with_horizontal_flip();
    let expected = flat(model.predict(symmetric.clone()));
    assert_eq!(flat(augmented.predict(symmetric)), expected);
}

/// An ensemble predicts, too.
#[test]
fn it_wraps_an_ensemble() {
    let device = Device::flex();
    let images = images(&device);
    let ensemble = EnsembleConfig::new().init(vec![model(&device)]).unwrap();
    let config = TestTimeAugmentationConfig::new().with_combine(Combine::MeanLogits);
    let augmented = config.init(ensemble).with_horizontal_flip();
    let sums = augmented.predict(images).sum_dim(1);
    assert_close(&flat(sums), &[1.0, 1.0], 1e-6, "probabilities");
}
