//! Test-time augmentation.

use crate::ensemble::Predict;
use crate::ensemble::combine::Combine;
use burn::tensor::Tensor;
use burn_tricks_core::Config;
use std::fmt::Debug;

/// Configuration of [`TestTimeAugmentation`]: a model predicts several views of each sample, such as an image and its
/// mirror image, and the predictions are combined.
///
/// ```text
/// p = 1/K Σₖ softmax(model(viewₖ(x)))       Combine::MeanProbabilities, view₁(x) = x
/// ```
///
/// # Example
///
/// ```
/// use burn::module::Module;
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_average::{Predict, TestTimeAugmentationConfig};
///
/// #[derive(Module, Debug)]
/// struct Classifier {
///     layer: Linear,
/// }
///
/// impl Predict for Classifier {
///     type Input = Tensor<4>;
///
///     fn predict(&self, images: Tensor<4>) -> Tensor<2> {
///         self.layer.forward(images.flatten(1, 3))
///     }
/// }
///
/// let device = Device::flex();
/// let model = Classifier { layer: LinearConfig::new(3 * 8 * 8, 10).init(&device) };
/// let model = TestTimeAugmentationConfig::new()
///     .init(model)
///     .with_horizontal_flip()
///     .with_view(|images| images * 0.9); // one of your own: darker
/// let probabilities = model.predict(Tensor::ones([5, 3, 8, 8], &device));
/// assert_eq!(probabilities.dims(), [5, 10]);
/// ```
///
/// The mean of logits instead, to calibrate it afterwards or for a regression:
///
/// ```
/// use burn_tricks_average::{Combine, TestTimeAugmentationConfig};
///
/// let config = TestTimeAugmentationConfig::new().with_combine(Combine::MeanLogits);
/// # let _ = config;
/// ```
///
/// # Order
///
/// Put it around the trained model, in validation mode, or around an ensemble: around anything that implements
/// [`Predict`].
///
/// # Cost
///
/// One prediction for each view. Each holds its output only until it is added to the mean.
///
/// # Differences
///
/// As in the library `ttach` with its merge mode `mean`, for views that leave the class as it is; `ttach` averages
/// what the model gives, which is [`Combine::MeanLogits`] for a model that gives logits. fastai's `tta` draws random
/// views and weights the plain one; here views are functions, and equal.
///
/// # Suggested values
///
/// Use transformations that the model was trained with: a horizontal flip for photographs, no flip for digits. Other
/// transformations hurt: a network that was not trained with shifts by a pixel loses 6.5 points of accuracy by them on
/// digits of 8×8 pixels (14 seeds, `compare --task cnn --only test-time-shift`).
///
/// # References
///
/// - Krizhevsky, Sutskever & Hinton, *ImageNet classification with deep convolutional neural networks*, 2012,
///   section 4.1: the mean over ten crops and flips
#[derive(Config, Debug, PartialEq, Eq)]
pub struct TestTimeAugmentationConfig {
    /// How the outputs for the views are combined. Default: [`Combine::MeanProbabilities`].
    #[config(default = "Combine::MeanProbabilities")]
    pub combine: Combine,
}

impl TestTimeAugmentationConfig {
    /// The model that predicts each sample as it is, until views are added.
    pub fn init<M: Predict>(&self, model: M) -> TestTimeAugmentation<M> {
        TestTimeAugmentation {
            model,
            views: Vec::new(),
            combine: self.combine,
        }
    }
}

/// Makes another view of a batch of samples.
type View<I> = dyn Fn(I) -> I + Send + Sync;

/// A model that predicts several views of each sample. Made by [`TestTimeAugmentationConfig::init`].
pub struct TestTimeAugmentation<M: Predict> {
    model: M,
    /// Besides the samples as they are.
    views: Vec<Box<View<M::Input>>>,
    combine: Combine,
}

impl<M: Predict> TestTimeAugmentation<M> {
    /// One more view of each batch of samples.
    #[must_use]
    pub fn with_view(
        mut self,
        view: impl Fn(M::Input) -> M::Input + Send + Sync + 'static,
    ) -> Self {
        self.views.push(Box::new(view));
        self
    }

    /// The model.
    pub fn model(&self) -> &M {
        &self.model
    }

    /// The output for each view, of shape `[batch, classes]`, that of the samples as they are first: for example to
    /// compute their [`disagreement`](crate::disagreement).
    pub fn predict_each(&self, input: M::Input) -> Vec<Tensor<2>> {
        self.outputs(input).collect()
    }

    fn outputs(&self, input: M::Input) -> impl Iterator<Item = Tensor<2>> {
        let plain = self.model.predict(input.clone());
        let others = self.views.iter();
        let others = others.map(move |view| self.model.predict(view(input.clone())));
        std::iter::once(plain).chain(others)
    }
}

impl<M: Predict<Input = Tensor<4>>> TestTimeAugmentation<M> {
    /// The images, `[batch, channels, height, width]`, mirrored left to right, as one more view.
    #[must_use]
    pub fn with_horizontal_flip(self) -> Self {
        self.with_view(|images| images.flip([3]))
    }

    /// The images, `[batch, channels, height, width]`, upside down, as one more view.
    #[must_use]
    pub fn with_vertical_flip(self) -> Self {
        self.with_view(|images| images.flip([2]))
    }
}

impl<M: Predict> Predict for TestTimeAugmentation<M> {
    type Input = M::Input;

    /// The combined output, of shape `[batch, classes]`.
    fn predict(&self, input: M::Input) -> Tensor<2> {
        let outputs = self.outputs(input).map(|output| (output, 1.0));
        self.combine.outputs(outputs)
    }
}

impl<M: Predict + Debug> Debug for TestTimeAugmentation<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestTimeAugmentation")
            .field("model", &self.model)
            .field("views", &(self.views.len() + 1))
            .field("combine", &self.combine)
            .finish()
    }
}
