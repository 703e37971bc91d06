//! Whether two runs gave the same weights.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;

/// A number that is another one if any weight is: FNV-1a over their bytes. Reads the device.
pub fn checksum<M: Module>(model: &M) -> u32 {
    struct Sum(u32);

    impl ModuleVisitor for Sum {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            for byte in param.val().into_data().as_bytes() {
                self.0 = (self.0 ^ u32::from(*byte)).wrapping_mul(16_777_619);
            }
        }
    }

    let mut sum = Sum(2_166_136_261);
    model.visit(&mut sum);
    sum.0
}
