//! One seed gives the same initial weights every time.

use burn::module::Module;
use burn::tensor::Device;
use burn_tricks_core::force_init;

/// Makes a module with initial weights that depend on the seed alone: seeds `device`, calls `build`, and returns
/// its module with every lazy parameter drawn.
///
/// Linear layers in column layout [need `load_record`](crate#column-layout) to load a record afterwards.
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
///
/// Where `build` may fail, use [`try_seeded`].
#[must_use]
pub fn seeded<M: Module>(device: &Device, seed: u64, build: impl FnOnce() -> M) -> M {
    device.seed(seed);
    let model = build();
    force_init(&model);
    model
}

/// [`seeded`](fn@seeded), for a module that is made by functions that may fail, such as the `init()?` of this library.
///
/// ```
/// use burn::module::Module;
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::Device;
/// use burn_tricks_nn::{Dropout, DropoutConfig, try_seeded};
///
/// #[derive(Module, Debug)]
/// struct Net {
///     layer: Linear,
///     dropout: Dropout,
/// }
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let device = Device::flex();
/// let net = try_seeded(&device, 7, || {
///     let layer = LinearConfig::new(4, 2).init(&device);
///     let dropout = DropoutConfig::new(0.1).init()?;
///     Ok(Net { layer, dropout })
/// })?;
/// # let _ = net;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// Those of `build`.
pub fn try_seeded<M: Module, E>(
    device: &Device,
    seed: u64,
    build: impl FnOnce() -> Result<M, E>,
) -> Result<M, E> {
    device.seed(seed);
    let model = build()?;
    force_init(&model);
    Ok(model)
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)] // tests read what they compare
mod tests {
    use super::*;
    use burn::nn::LinearConfig;

    #[test]
    fn a_module_that_may_fail_has_the_weights_of_one_that_may_not() {
        let device = Device::flex();
        let layer = || LinearConfig::new(4, 2).init(&device);
        let expected = seeded(&device, 7, layer).weight.val().into_data();
        let model = try_seeded(&device, 7, || Ok::<_, String>(layer())).unwrap();
        device.seed(8); // too late to change anything
        assert_eq!(model.weight.val().into_data(), expected);

        let failed = try_seeded(&device, 7, || match layer().weight.dims() {
            [4, 2] => Err("too small"),
            _ => Ok(layer()),
        });
        assert_eq!(failed.err(), Some("too small"));
    }
}
