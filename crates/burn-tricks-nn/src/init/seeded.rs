//! One seed gives the same initial weights every time.

use burn::module::Module;
use burn::tensor::Device;
use burn_tricks_core::force_init;

/// Makes a module with initial weights that depend on the seed alone: seeds `device`, calls `build`, and returns
/// its module with every lazy parameter drawn.
///
/// Linear layers in column layout [load no record afterwards](crate#column-layout).
///
/// The same seed gives the same weights on one backend, but not on two backends, since each has its own
/// generator. The whole process shares a backend's generator, so other threads must not draw meanwhile.
///
/// Burn draws a parameter at its first use: after `device.seed(7)` and `config.init(&device)` no weight exists
/// yet, and the values depend on which other random numbers are drawn before, and on which layer is used first.
/// [`seeded`](fn@seeded) draws all parameters at once, in the module's own order.
///
/// ```
/// use burn::nn::LinearConfig;
/// use burn::tensor::Device;
/// use burn_tricks_nn::seeded;
///
/// let device = Device::flex();
/// let make = || seeded(&device, 7, || LinearConfig::new(4, 2).init(&device));
/// let (first, second) = (make(), make());
/// assert_eq!(first.weight.val().into_data(), second.weight.val().into_data());
/// ```
#[must_use]
pub fn seeded<M: Module>(device: &Device, seed: u64, build: impl FnOnce() -> M) -> M {
    device.seed(seed);
    let model = build();
    force_init(&model);
    model
}
