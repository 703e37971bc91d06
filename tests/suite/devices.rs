//! The devices that the suite runs on. Always named, never `Device::default()`.

use burn::tensor::{Device, Tensor};

/// Every backend compiled in and present, by name, without autodiff.
///
/// A GPU's backend that finds no adapter is left out, and the suite says so once. The environment variable
/// `TEST_BACKENDS` chooses some of them, `TEST_BACKENDS=flex,wgpu` say.
pub(crate) fn devices() -> Vec<(&'static str, Device)> {
    let chosen = std::env::var("TEST_BACKENDS").ok();
    let is_chosen = |name: &str| match &chosen {
        Some(chosen) => chosen.split(',').any(|one| one == name),
        None => true,
    };
    let mut devices = Vec::new();
    if is_chosen("flex") {
        devices.push(("flex", Device::flex()));
    }
    #[cfg(feature = "ndarray")]
    #[allow(deprecated)] // Burn retires it; its users still exist.
    if is_chosen("ndarray") {
        devices.push(("ndarray", Device::ndarray()));
    }
    #[cfg(feature = "gpu")]
    devices.extend(gpu::devices(is_chosen));
    assert!(
        !devices.is_empty(),
        "TEST_BACKENDS={} names no backend of this build that is present",
        chosen.unwrap_or_default()
    );
    devices
}

/// Whether it computes on a GPU, or on a CPU that passes for one: slower by the call, with operations that
/// differ by the device.
pub(crate) fn is_gpu(name: &str) -> bool {
    !matches!(name, "flex" | "ndarray")
}

/// Whether the device rounds a product and a sum at once where `fusion` merges them, as GPUs do and software renderers do
/// not: the numbers of two kernels that merge differently then differ by a rounding.
pub(crate) fn rounds_once(device: &Device) -> bool {
    // Its square is 1 + 2⁻¹² + 2⁻²⁶, whose last term is lost in the rounding of a product.
    let x = Tensor::<1>::from_floats([1.0 + 2f32.powi(-13); 64], device);
    let rest = x.clone() * x - (1.0 + 2f32.powi(-12));
    let rest = rest.into_data().convert::<f32>();
    rest.as_slice::<f32>().is_ok_and(|rest| rest[0] != 0.0)
}

/// Whether a CPU passes for the GPU: Mesa's software Vulkan.
pub(crate) fn is_software(device: &Device) -> bool {
    #[cfg(feature = "gpu")]
    if let Some(identity) = device.identity() {
        return identity.name.contains("llvmpipe");
    }
    let _ = device;
    false
}

/// As [`devices`], with autodiff.
pub(crate) fn training_devices() -> Vec<(&'static str, Device)> {
    let autodiff = |(name, device): (_, Device)| (name, device.autodiff());
    devices().into_iter().map(autodiff).collect()
}

#[cfg(feature = "gpu")]
mod gpu {
    use burn::tensor::Device;
    #[cfg(any(feature = "cuda", feature = "rocm"))]
    use burn::tensor::DeviceIndex;

    /// Those of the GPU's backends that are chosen, compiled in and present.
    pub(super) fn devices(is_chosen: impl Fn(&str) -> bool) -> Vec<(&'static str, Device)> {
        let mut devices = Vec::new();
        #[cfg(any(feature = "wgpu", feature = "vulkan", feature = "metal"))]
        devices.extend(of_wgpu::devices(&is_chosen));
        #[cfg(feature = "cuda")]
        if is_chosen("cuda") {
            devices.push(("cuda", Device::cuda(DeviceIndex::Default)));
        }
        #[cfg(feature = "rocm")]
        if is_chosen("rocm") {
            devices.push(("rocm", Device::rocm(DeviceIndex::Default)));
        }
        devices
    }

    #[cfg(any(feature = "wgpu", feature = "vulkan", feature = "metal"))]
    mod of_wgpu {
        use burn::tensor::Device;
        use burn::tensor::wgpu::WgpuBackend;
        use std::io::Write;
        use std::sync::OnceLock;

        const APIS: &[(&str, WgpuBackend)] = &[
            #[cfg(feature = "wgpu")]
            ("wgpu", WgpuBackend::Auto),
            #[cfg(feature = "vulkan")]
            ("vulkan", WgpuBackend::Vulkan),
            #[cfg(feature = "metal")]
            ("metal", WgpuBackend::Metal),
        ];

        pub(super) fn devices(is_chosen: impl Fn(&str) -> bool) -> Vec<(&'static str, Device)> {
            // Each can be made once.
            static FOUND: [OnceLock<Option<Device>>; APIS.len()] =
                [const { OnceLock::new() }; APIS.len()];
            let mut devices = Vec::new();
            for (&(name, api), found) in APIS.iter().zip(&FOUND) {
                if is_chosen(name)
                    && let Some(device) = found.get_or_init(|| init(name, api))
                {
                    devices.push((name, device.clone()));
                }
            }
            devices
        }

        fn init(name: &str, api: WgpuBackend) -> Option<Device> {
            match Device::wgpu_options().graphics_api(api).init() {
                Ok(device) => Some(device),
                Err(error) => {
                    // Not `eprintln!`, which the test harness captures and shows for failures only.
                    let notice = format!("no adapter for {name}, its tests are skipped: {error}");
                    let _ = writeln!(std::io::stderr(), "{notice}");
                    None
                }
            }
        }
    }
}
