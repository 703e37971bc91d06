//! The devices that the suite runs on. Always named, never `Device::default()`.

use burn::tensor::Device;

/// Every backend compiled in and present, by name, without autodiff.
///
/// Where there is no Vulkan (or Metal) adapter, `wgpu` is left out, and the suite says so once. The environment
/// variable `TEST_BACKENDS` chooses some of them, `TEST_BACKENDS=flex,wgpu` say.
pub(crate) fn devices() -> Vec<(&'static str, Device)> {
    let chosen = std::env::var("TEST_BACKENDS").unwrap_or_else(|_| "flex,ndarray,wgpu".to_owned());
    let is_chosen = |name: &str| chosen.split(',').any(|one| one == name);
    let mut devices = Vec::new();
    if is_chosen("flex") {
        devices.push(("flex", Device::flex()));
    }
    #[cfg(feature = "ndarray")]
    #[allow(deprecated)] // Burn retires it; its users still exist.
    if is_chosen("ndarray") {
        devices.push(("ndarray", Device::ndarray()));
    }
    #[cfg(feature = "wgpu")]
    if is_chosen("wgpu")
        && let Some(device) = wgpu()
    {
        devices.push(("wgpu", device));
    }
    assert!(
        !devices.is_empty(),
        "TEST_BACKENDS={chosen} names no backend of this build"
    );
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
