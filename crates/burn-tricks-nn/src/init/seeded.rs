//! A seed that means the same weights every time.
//!
//! Burn draws a parameter at its first use: after `device.seed(7)` and `config.init(&device)` no weight
//! exists yet, and the values depend on what is drawn and which layer is used first. Here everything is
//! drawn at once, in the module's own order.
//!
//! ```
//! use burn::nn::LinearConfig;
//! use burn::tensor::Device;
//! use burn_tricks_nn::seeded;
//!
//! let device = Device::flex();
//! let make = || seeded(&device, 7, || LinearConfig::new(4, 2).init(&device));
//! let (first, second) = (make(), make());
//! assert_eq!(first.weight.val().into_data(), second.weight.val().into_data());
//! ```

use burn::module::Module;
use burn::tensor::Device;
use burn_tricks_core::force_init;

/// What `build` returns after `device` was seeded, with every lazy parameter drawn.
///
/// Linear layers in column layout [load no record afterwards](crate#column-layout).
///
/// The same seed gives the same weights on one backend, not on two: each has its own generator. It is
/// one for the whole process: other threads must not draw meanwhile.
pub fn seeded<M: Module>(device: &Device, seed: u64, build: impl FnOnce() -> M) -> M {
    device.seed(seed);
    let model = build();
    force_init(&model);
    model
}
