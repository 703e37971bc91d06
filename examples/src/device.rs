//! Which device a program runs on.

use burn::tensor::Device;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use std::fmt::Display;

/// A backend by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// Burn's recommended CPU backend.
    Flex,
    /// The older CPU backend.
    Ndarray,
    /// The GPU, through WebGPU: Vulkan, Metal or DirectX 12.
    Wgpu,
    /// The GPU, through Vulkan, with shaders in SPIR-V.
    Vulkan,
    /// Apple's GPU.
    Metal,
    /// Nvidia's GPU, through CUDA.
    Cuda,
    /// AMD's GPU, through ROCm.
    Rocm,
}

/// The backend was not compiled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotCompiledIn(&'static str);

impl Display for NotCompiledIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let there: Vec<_> = Backend::value_variants()
            .iter()
            .filter(|backend| backend.device().is_ok())
            .map(|backend| format!("`{backend:?}`").to_lowercase())
            .collect();
        write!(
            f,
            "the backend `{0}` is not compiled in, only {1}: add `--features {0}` to the cargo command",
            self.0,
            there.join(", ")
        )
    }
}

impl std::error::Error for NotCompiledIn {}

impl Backend {
    /// Its device, without autodiff.
    ///
    /// # Errors
    ///
    /// If it was not compiled in. Whether the machine has such a device shows at the first tensor.
    pub fn device(self) -> Result<Device, NotCompiledIn> {
        match self {
            #[cfg(feature = "flex")]
            Self::Flex => Ok(Device::flex()),
            #[cfg(not(feature = "flex"))]
            Self::Flex => Err(NotCompiledIn("flex")),
            #[cfg(feature = "ndarray")]
            #[allow(deprecated)] // Burn retires it; its users still exist.
            Self::Ndarray => Ok(Device::ndarray()),
            #[cfg(not(feature = "ndarray"))]
            Self::Ndarray => Err(NotCompiledIn("ndarray")),
            #[cfg(feature = "wgpu")]
            Self::Wgpu => Ok(Device::wgpu(Default::default())),
            #[cfg(not(feature = "wgpu"))]
            Self::Wgpu => Err(NotCompiledIn("wgpu")),
            #[cfg(feature = "vulkan")]
            Self::Vulkan => Ok(Device::vulkan(Default::default())),
            #[cfg(not(feature = "vulkan"))]
            Self::Vulkan => Err(NotCompiledIn("vulkan")),
            #[cfg(feature = "metal")]
            Self::Metal => Ok(Device::metal(Default::default())),
            #[cfg(not(feature = "metal"))]
            Self::Metal => Err(NotCompiledIn("metal")),
            #[cfg(feature = "cuda")]
            Self::Cuda => Ok(Device::cuda(burn::tensor::DeviceIndex::Default)),
            #[cfg(not(feature = "cuda"))]
            Self::Cuda => Err(NotCompiledIn("cuda")),
            #[cfg(feature = "rocm")]
            Self::Rocm => Ok(Device::rocm(burn::tensor::DeviceIndex::Default)),
            #[cfg(not(feature = "rocm"))]
            Self::Rocm => Err(NotCompiledIn("rocm")),
        }
    }

    /// Whether each process must compile its own shaders first.
    pub fn is_gpu(self) -> bool {
        !matches!(self, Self::Flex | Self::Ndarray)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flex_is_there() {
        assert_eq!(Backend::Flex.device(), Ok(Device::flex()));
    }

    #[test]
    #[cfg(not(feature = "wgpu"))]
    fn a_backend_that_is_not_compiled_in_names_its_feature() {
        let error = Backend::Wgpu.device().unwrap_err().to_string();
        assert!(error.contains("--features wgpu"), "{error}");
        assert!(error.contains("only `flex`"), "{error}");
    }
}
