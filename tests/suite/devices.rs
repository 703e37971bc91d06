//! The devices that the suite runs on. Always named, never `Device::default()`.

use burn::tensor::Device;

/// Every backend compiled in and present, by name, without autodiff.
///
/// Where there is no Vulkan (or Metal) adapter, `wgpu` is left out, and the suite says so once.
pub(crate) fn devices() -> Vec<(&'static str, Device)> {
    #[allow(unused_mut)] // without other backends
    let mut devices = vec![("flex", Device::flex())];
    #[cfg(feature = "ndarray")]
    #[allow(deprecated)] // Burn retires it; its users still exist.
    devices.push(("ndarray", Device::ndarray()));
    #[cfg(feature = "wgpu")]
    if let Some(device) = wgpu() {
        devices.push(("wgpu", device));
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
    use std::io::Write;
    use std::sync::OnceLock;
    static DEVICE: OnceLock<Option<Device>> = OnceLock::new();
    DEVICE
        .get_or_init(|| match Device::wgpu_options().init() {
            Ok(device) => Some(device),
            Err(error) => {
                // Not `eprintln!`, which the test harness captures and shows for failures only.
                let notice = format!("no adapter for wgpu, its tests are skipped: {error}");
                let _ = writeln!(std::io::stderr(), "{notice}");
                None
            }
        })
        .clone()
}
