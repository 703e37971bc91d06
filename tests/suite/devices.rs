//! The devices that the suite runs on. Always named, never `Device::default()`.

use burn::tensor::Device;

/// Every backend compiled in and present, by name, without autodiff.
///
/// Where there is no Vulkan (or Metal) adapter, `wgpu` is left out, and the test says so.
pub(crate) fn devices() -> Vec<(&'static str, Device)> {
    let mut devices = vec![("flex", Device::flex())];
    #[cfg(feature = "ndarray")]
    #[allow(deprecated)] // Burn retires it; its users still exist.
    devices.push(("ndarray", Device::ndarray()));
    #[cfg(feature = "wgpu")]
    match wgpu() {
        Some(device) => devices.push(("wgpu", device)),
        None => println!("no adapter for wgpu: its tests are skipped"),
    }
    devices
}

/// As [`devices`], with autodiff.
pub(crate) fn training_devices() -> Vec<(&'static str, Device)> {
    let autodiff = |(name, device): (_, Device)| (name, device.autodiff());
    devices().into_iter().map(autodiff).collect()
}

#[cfg(feature = "wgpu")]
fn wgpu() -> Option<Device> {
    use std::sync::OnceLock;
    static DEVICE: OnceLock<Option<Device>> = OnceLock::new();
    DEVICE
        .get_or_init(|| match Device::wgpu_options().init() {
            Ok(device) => Some(device),
            Err(error) => {
                println!("wgpu: {error}");
                None
            }
        })
        .clone()
}
