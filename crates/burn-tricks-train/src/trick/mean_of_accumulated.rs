//! The mean of accumulated gradients.

use crate::data::batch_samples::{BatchSamples, Unknown};
use crate::data::epoch_loader::EpochLoader;
use crate::trick::Trick;
use burn::module::Module;
use burn::tensor::Device;
use burn_tricks_grad::GradientOrder;
use std::any::{Any, type_name};
use std::fmt::Debug;
use std::sync::Arc;

/// The mean of accumulated gradients, where Burn's `Learner` gives their sum: divides it by the number of
/// micro-batches, or by their number of samples.
///
/// `SupervisedTraining::grads_accumulation(n)` adds the gradients of n micro-batches. So with SGD the learning rate
/// is silently n times as high, the norm that a clip sees is that of a sum, and the last window of an epoch, which
/// may be shorter, counts for less. With this trick the optimizer and all other tricks get
///
/// ```text
/// g = Σᵢ nᵢ gᵢ / Σᵢ nᵢ        over the micro-batches i since the last step
/// ```
///
/// with nᵢ = 1, or with nᵢ the number of samples of micro-batch i. In the second case g is the gradient of the mean
/// loss over all samples of the window, as for one large batch. A micro-batch without samples is left out, whatever its
/// gradient is.
///
/// The weights are divided by a unit, the first weight of the window rounded down to a power of two. So which one of two devices
/// comes first does not change a digit of the mean. Gradients whose weight is the unit are not multiplied: none are if all
/// batches have 32 samples. All others are multiplied by the weight, and their sum by one over the sum of the weights, which may
/// change the last digit of the gradient, even of a single batch of 48 samples. For batches that all have the same size use
/// [`new`](Self::new), which multiplies only the sum, by one over the number of micro-batches.
///
/// Gradients of `f16` and `bf16` weights are added in `f32`, in which neither the samples of a large batch make them infinite
/// nor those of a small one make them vanish: `TrainStep::step` of the tricked model returns them in `f32`, and the tricks get
/// the mean in the type of the weights.
///
/// # Example
///
/// ```
/// use burn::tensor::Tensor;
/// use burn_tricks_train::MeanOfAccumulated;
///
/// struct Batch {
///     images: Tensor<4>,
/// }
///
/// let mean = MeanOfAccumulated::weighted(|batch: &Batch| batch.images.dims()[0]);
/// // model.with_tricks((mean, clip, ema)), and training.grads_accumulation(4)
/// # let _ = mean;
/// ```
///
/// An [`EpochLoader`](crate::EpochLoader) knows how many samples its batches have, whatever their type is. The last
/// batch of an epoch, which may be short, then counts for its samples:
///
/// ```
/// # use burn::data::dataloader::batcher::Batcher;
/// # use burn::data::dataset::InMemDataset;
/// # use burn::tensor::Device;
/// use burn_tricks_train::{EpochClock, EpochLoaderConfig, MeanOfAccumulated};
/// # struct Sum;
/// # impl Batcher<f32, f32> for Sum {
/// #     fn batch(&self, items: Vec<f32>, _device: &Device) -> f32 {
/// #         items.into_iter().sum()
/// #     }
/// # }
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// # let (dataset, batcher) = (InMemDataset::new(vec![1.0, 2.0, 3.0]), Sum);
/// let loader = EpochLoaderConfig::new(2, 42).init(dataset, batcher, &Device::flex(), &EpochClock::new())?;
/// let mean = MeanOfAccumulated::weighted_by_loader(&loader);
/// // Session::new(directory, loader, valid), with model.with_tricks((mean, clip, ema))
/// # let _ = mean;
/// # Ok(())
/// # }
/// ```
///
/// # Order
///
/// Anywhere among the tricks: wherever it stands, the first trick that looks at the gradients gets their mean, or their sum
/// together with the factor that makes it the mean. So no trick can clip the sum.
///
/// Burn's `Learner` drops the micro-batches that no step follows at the end of an epoch, where it calls `valid()`, and so
/// does this trick. In a loop of your own, therefore, call neither `valid()` nor `into_validated()` of a
/// [`Tricked`](crate::Tricked) model between the micro-batches of one step: those before the call would no longer count,
/// and the sum of all would be divided by too small a number.
///
/// # Cost
///
/// A read and a write of the gradients per step, or nothing if the first trick that may look at the gradients multiplies them
/// anyway: a [`ClipGradNorm`](burn_tricks_grad::ClipGradNorm) or an [`AutoClip`](burn_tricks_grad::AutoClip) in a step that it
/// clips, a [`NormalizeGrad`](burn_tricks_grad::NormalizeGrad), a [`LossScaler`](burn_tricks_grad::LossScaler). They multiply once
/// by the product of both factors, which may differ from two multiplications in the last digit. Tricks of this library that
/// do not look at the gradients do not count as the first. A trick of your own without a `before` does not count either if its
/// [`gradient_order`](Trick::gradient_order) is empty; without that, the division is a pass of its own before your trick.
///
/// With numbers of samples, also a read and a write per micro-batch, except for micro-batches whose weight is the unit. With
/// `f16` or `bf16` weights, a cast for each micro-batch and one per step, Burn's sum in `f32`, and the read and the write per
/// step whatever trick comes first. There is nothing to divide, and no read and write per step, where the sum of the weights is
/// the unit, as with one micro-batch of 32 samples per step.
///
/// # Several devices
///
/// With Burn's `multi`, Burn adds the gradients of all devices, and this trick counts the micro-batches of all
/// devices. [`weighted_by_loader`](Self::weighted_by_loader) tells the batches of several devices apart by the device.
/// **It cannot be used with `ddp`**, whose workers take their steps one by one and share the count: the first step panics.
/// Divide the loss by the number of micro-batches there.
///
/// # Differences
///
/// In a loop of your own, [`GradAccumulator`](burn_tricks_grad::GradAccumulator) does the same with one read and
/// write per micro-batch. Keras and Lightning take the mean over micro-batches, as [`MeanOfAccumulated::new`] does.
#[derive(Clone)]
pub struct MeanOfAccumulated {
    weights: Weights,
}

/// What a micro-batch counts.
#[derive(Clone)]
enum Weights {
    Equal,
    /// Its samples, which the batch itself tells.
    OfBatch(Arc<Samples>),
    /// Its samples, which the loader tells.
    OfLoader(BatchSamples),
}

type Samples = dyn Fn(&dyn Any) -> usize + Send + Sync;

impl Debug for MeanOfAccumulated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.weights {
            Weights::Equal => "MeanOfAccumulated",
            Weights::OfBatch(_) | Weights::OfLoader(_) => "MeanOfAccumulated, weighted by samples",
        })
    }
}

impl Default for MeanOfAccumulated {
    fn default() -> Self {
        Self::new()
    }
}

impl MeanOfAccumulated {
    /// The mean over micro-batches, each of the same weight.
    pub fn new() -> Self {
        Self {
            weights: Weights::Equal,
        }
    }

    /// The mean over samples. `samples` returns the number of samples of a batch, which has the type of the model's
    /// `TrainStep::Input`.
    ///
    /// # Panics
    ///
    /// This function does not panic, but the first step of a model does if its batches are not of type `B`.
    pub fn weighted<B: 'static>(samples: impl Fn(&B) -> usize + Send + Sync + 'static) -> Self {
        let samples = move |batch: &dyn Any| match batch.downcast_ref::<B>() {
            Some(batch) => samples(batch),
            None => panic!(
                "`MeanOfAccumulated::weighted` counts the samples of `{}`, and the model's batches are of another type",
                type_name::<B>()
            ),
        };
        Self {
            weights: Weights::OfBatch(Arc::new(samples)),
        }
    }

    /// The mean over samples. `loader` is the loader of the training, which knows how many samples each batch has.
    ///
    /// # Panics
    ///
    /// This function does not panic, but a step does if its batch does not come from `loader`, or if two devices of
    /// Burn's `multi` are the same device and their batches of one step have different sizes.
    pub fn weighted_by_loader<I, O>(loader: &EpochLoader<I, O>) -> Self {
        Self {
            weights: Weights::OfLoader(loader.given()),
        }
    }
}

fn samples_of_loader(given: &BatchSamples, devices: &[Device]) -> usize {
    match given.take(devices) {
        Ok(samples) => samples,
        Err(Unknown::NotGiven) => panic!(
            "`MeanOfAccumulated::weighted_by_loader`: its loader has given no batch for a model on {devices:?}; train \
             on the loader that it was made with"
        ),
        Err(Unknown::Ambiguous(one, other)) => panic!(
            "`MeanOfAccumulated::weighted_by_loader`: {devices:?} trains two batches at once, of {one} and of {other} \
             samples, and they cannot be told apart; use `MeanOfAccumulated::weighted`"
        ),
    }
}

impl<M: Module> Trick<M> for MeanOfAccumulated {
    fn sees_gradients(&self) -> bool {
        true
    }

    /// It may stand anywhere, since it does not look at the gradients itself: [`Tricked`](crate::Tricked) divides their sum.
    fn gradient_order(&self, _order: &mut GradientOrder) {}

    fn micro_batch_weight(&self, model: &M, batch: &dyn Any) -> Option<f64> {
        Some(match &self.weights {
            Weights::Equal => 1.0,
            Weights::OfBatch(samples) => samples(batch) as f64,
            Weights::OfLoader(given) => samples_of_loader(given, &model.devices()) as f64,
        })
    }

    fn describe(&self) -> Vec<String> {
        vec![format!("{self:?}")]
    }
}
