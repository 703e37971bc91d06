//! Members of an ensemble that are trained one after the other.

use crate::combine_error::CombineError;
use crate::ensemble::{Ensemble, EnsembleConfig};
use burn::module::{Module, ModuleDisplay};
use burn::tensor::Device;
use burn_tricks_core::{Bootstrap, force_init};

/// A member of an ensemble that is about to be trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Member {
    /// Its number, from 0.
    pub number: usize,
    /// Its seed: for its initial weights, the order of its samples and its bootstrap sample.
    pub seed: u64,
}

impl Member {
    /// The bootstrap sample of this member of a data set of `samples` samples, for bagging.
    pub fn bootstrap(&self, samples: usize) -> Bootstrap {
        Bootstrap::new(samples, self.seed)
    }
}

impl EnsembleConfig {
    /// Makes `count` models with `model`, trains one after the other with `train`, and returns the ensemble of what it
    /// returns, in validation mode.
    ///
    /// Each member has initial weights of its own, as with [`init_seeded`](Self::init_seeded), whose seeds it has too. Before
    /// a member is trained, the device is seeded with its seed, so the training of a member does not depend on those before
    /// it. For bagging, `train` uses the samples of [`Member::bootstrap`]. Networks gain more from different initial weights
    /// than from different samples, and each loses by the third of the samples that it does not see (Lakshminarayanan et
    /// al.; in the example `26_calibration`, of one seed, five networks have a test accuracy of 88.8 % on all samples, and of
    /// 87.7 % by bagging): without a reason for bagging, such as samples to validate each member with, train each member on
    /// all samples.
    ///
    /// ```
    /// use burn::nn::{Linear, LinearConfig};
    /// use burn::tensor::Device;
    /// use burn_tricks_average::{CombineError, EnsembleConfig};
    ///
    /// # fn main() -> Result<(), CombineError> {
    /// let device = Device::flex().autodiff();
    /// let init = |device: &Device| LinearConfig::new(4, 3).init(device);
    /// let ensemble = EnsembleConfig::new().train(5, &device, 42, init, |member, model: Linear| {
    ///     let sample = member.bootstrap(1_000);
    ///     for index in sample.indices() {
    ///         // ... a step on this sample ...
    /// #       let _ = index;
    ///     }
    ///     Ok::<_, CombineError>(model)
    /// })?;
    /// assert_eq!(ensemble.members().len(), 5);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of `train`, at the first member that fails, and those of [`init`](Self::init), before anything is trained where
    /// they are known.
    pub fn train<M, E>(
        &self,
        count: usize,
        device: &Device,
        seed: u64,
        model: impl FnMut(&Device) -> M,
        mut train: impl FnMut(Member, M) -> Result<M, E>,
    ) -> Result<Ensemble<M>, E>
    where
        M: Module + ModuleDisplay,
        E: From<CombineError>,
    {
        let untrained = self.init_seeded(count, device, seed, model)?;
        let mut trained = Vec::new();
        for (number, model) in untrained.into_members().into_iter().enumerate() {
            let seed = member_seed(seed, number);
            device.seed(seed);
            let model = train(Member { number, seed }, model)?;
            trained.push(model.valid());
        }
        Ok(self.init(trained)?)
    }
}

/// The distance from a member's seed to the next: 2⁶⁴ over the golden ratio, whose small multiples lie far
/// apart.
const SEEDS_APART: u64 = 0x9E37_79B9_7F4A_7C15;

/// The seed of a member. Member 0 has the seed of the ensemble.
pub(crate) fn member_seed(seed: u64, number: usize) -> u64 {
    seed.wrapping_add((number as u64).wrapping_mul(SEEDS_APART))
}

/// The untrained members, each with the initial weights of its seed.
pub(crate) fn seeded_members<M: Module>(
    count: usize,
    seed: u64,
    device: &Device,
    mut model: impl FnMut(&Device) -> M,
) -> Vec<M> {
    let member = |number| {
        device.seed(member_seed(seed, number));
        let model = model(device);
        force_init(&model);
        model
    };
    (0..count).map(member).collect()
}
