//! Tied weights.

use burn::module::Module;
use burn_tricks_core::{tie, tied_paths};

/// Keeps tied weights equal: after every step, one parameter has one value at all its places that are trained.
///
/// ```text
/// w at the first place ← optimizer        w at every later place ← w at the first
/// ```
///
/// Places of a model that hold the same parameter id are one tied parameter: the weights of a layer and its
/// clone, or of an encoder and a decoder that share a weight. Burn's optimizer steps only the first place.
/// Without this trick the other places keep their initial weights, and every step after the first has a wrong
/// gradient.
///
/// # Example
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::optim::{GradientsParams, SgdConfig};
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_nn::TiedWeights;
///
/// let device = Device::flex().autodiff();
/// let layer = LinearConfig::new(4, 4).init(&device);
/// let mut model = vec![layer.clone(), layer]; // one layer, used twice
/// assert_eq!(TiedWeights.paths(&model), [["0.weight", "1.weight"], ["0.bias", "1.bias"]]);
///
/// let mut optim = SgdConfig::new().init();
/// for _ in 0..3 {
///     let output = model[1].forward(model[0].forward(Tensor::<2>::ones([2, 4], &device)));
///     let grads = GradientsParams::from_grads(output.square().sum().backward(), &model);
///     model = TiedWeights.apply(optim.step(0.01, model, grads));
/// }
/// let [first, second] = [0, 1].map(|at| model[at].weight.val().into_data());
/// assert_eq!(first, second);
/// ```
///
/// # Order
///
/// Apply it directly after the optimizer's step, before constraints and averages. In a `Learner` it is a trick:
/// `model.with_tricks((TiedWeights, ema))`.
///
/// Afterwards the places share one autodiff leaf, as those of a fresh clone do. Burn's `fork`, `train`,
/// `load_record`, and `to_device` to another device give each place a leaf of its own, and then Burn keeps only
/// the gradient of the last place. So apply `TiedWeights` once more after them, before the next forward pass.
/// (As a trick in a `Learner` it does so by itself.)
///
/// A place that requires no gradient keeps its value where the first place is trained. So a module may hold a network and a
/// frozen clone of it, as the teacher of a distillation, whose ids are the same. The trained one must come first: Burn's
/// optimizer steps the first place of an id, trained or not, and a trained place gets the value of the first.
///
/// The other functions of these crates treat a tied parameter as one parameter: penalties, gradient norms and
/// the update ratio count it once; max-norm, unit norm and [`InitWeights`](crate::InitWeights) give all its
/// places one value; weight norm gives them one g. [`Snapshot::restore`](burn_tricks_core::Snapshot) ties
/// places that hold equal numbers, and never changes a number.
///
/// # Cost
///
/// One visit of the module at each step, and no copy of a tensor. The optimizer's step cannot write a tied parameter in
/// place.
///
/// # Differences
///
/// In PyTorch and Keras tied parameters are one object, and nothing has to be done.
///
/// # References
///
/// - Press, Wolf, *Using the output embedding to improve language models*, 2017,
///   <https://arxiv.org/abs/1608.05859>
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TiedWeights;

impl TiedWeights {
    /// `model` with the value of each tied parameter's first place at all its places that are trained. A model without
    /// tied parameters comes back as it is.
    #[must_use]
    pub fn apply<M: Module>(&self, model: M) -> M {
        tie(model)
    }

    /// The paths of each tied parameter, to check that a model is tied as it should be.
    pub fn paths<M: Module>(&self, model: &M) -> Vec<Vec<String>> {
        tied_paths(model)
    }
}
