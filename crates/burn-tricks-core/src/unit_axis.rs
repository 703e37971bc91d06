//! The axis of a weight that counts its output units, and the number of inputs that each unit sums.

use burn::tensor::Tensor;

/// The layout of a layer's weight: which axis counts the layer's output units.
///
/// Burn's linear layers hold `[in, out]`, in both values of `LinearLayout` (a column-major layer stores
/// `[out, in]` and shows it transposed), convolutions `[out, in / groups, kernel...]`, transposed
/// convolutions `[in, out / groups, kernel...]`, and embeddings one row per word.
///
/// The number of groups of a convolution does not show in the shape of its weight. The second axis of a grouped
/// transposed convolution has only the outputs of one group: each unit stands for one output of every group,
/// and the [fans](Self::fans) are too large. So give the standard deviation of its initial weights explicitly:
/// `Normal { std: (2.0 / n as f64).sqrt() }` for He weights, where n is `in / groups` times the number of
/// positions in the kernel.
///
/// ```
/// use burn_tricks_core::UnitAxis;
///
/// let linear = UnitAxis::for_weight("Struct:Linear", 2).unwrap();
/// assert_eq!(linear.axis(), 1);
/// assert_eq!(linear.fans(&[8, 4]).unwrap().fan_in, 8);
///
/// let convolution = UnitAxis::for_weight("Struct:Conv2d", 4).unwrap();
/// assert_eq!(convolution.axis(), 0);
/// assert_eq!(convolution.fans(&[16, 3, 3, 3]).unwrap().fan_in, 27);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnitAxis {
    /// `[in, out]`: linear layers.
    InOut,
    /// `[out, in, kernel...]`: convolutions.
    OutIn,
    /// `[in, out, kernel...]`: transposed convolutions.
    InOutKernel,
    /// `[rows, dimensions]`: embeddings. A row is looked up and nothing is summed, so there are no fans.
    Rows,
}

/// How many numbers an output unit sums, and how many output units an input reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fans {
    /// The inputs of one output unit; in a convolution, times the positions of the kernel.
    pub fan_in: usize,
    /// The output units of one input; in a convolution, times the positions of the kernel.
    pub fan_out: usize,
}

impl UnitAxis {
    /// The layout of a weight of rank `rank` inside a module of type `container`, which is the name that
    /// `enter_module` of Burn's visitors and mappers gets (`"Struct:Conv2d"`).
    ///
    /// The weight of a module that Burn does not have is treated as that of a linear layer at rank 2, and as
    /// that of a convolution from rank 3 on. Vectors have no units: `None`.
    pub fn for_weight(container: &str, rank: usize) -> Option<Self> {
        if rank < 2 {
            return None;
        }
        let name = container.rsplit(':').next().unwrap_or(container);
        Some(match name {
            "Linear" => Self::InOut,
            "Embedding" => Self::Rows,
            "ConvTranspose1d" | "ConvTranspose2d" | "ConvTranspose3d" => Self::InOutKernel,
            _ if rank == 2 => Self::InOut,
            _ => Self::OutIn,
        })
    }

    /// The axis that counts output units (rows, for an embedding).
    pub fn axis(self) -> usize {
        match self {
            Self::InOut | Self::InOutKernel => 1,
            Self::OutIn | Self::Rows => 0,
        }
    }

    /// The fans of a weight of this `shape`; `None` for an embedding.
    ///
    /// The number of groups of a convolution does not show in the shape. For a grouped convolution `fan_in` is
    /// right, as in PyTorch, and `fan_out` is too large by the number of groups. For a grouped transposed
    /// convolution `fan_out` is right and `fan_in` too large. The stride of a transposed convolution is
    /// ignored, although each output receives only 1/stride of the kernel's positions. (PyTorch and Keras swap
    /// the two fans of a transposed convolution. So their `fan_in` is right for a depthwise one, which has as
    /// many output channels as input channels, each a group.)
    ///
    /// # Panics
    ///
    /// If `shape` has fewer than two dimensions.
    pub fn fans(self, shape: &[usize]) -> Option<Fans> {
        let kernel: usize = shape[2..].iter().product();
        let (first, second) = (shape[0] * kernel, shape[1] * kernel);
        let (fan_in, fan_out) = match self {
            Self::InOut | Self::InOutKernel => (first, second),
            Self::OutIn => (second, first),
            Self::Rows => return None,
        };
        Some(Fans { fan_in, fan_out })
    }

    /// The sum over all elements of each unit. The reduced dimensions stay, with size 1, so that the result
    /// broadcasts against the weight.
    pub fn sum_per_unit<const D: usize>(self, weight: Tensor<D>) -> Tensor<D> {
        (0..D)
            .filter(|dim| *dim != self.axis())
            .fold(weight, |sum, dim| sum.sum_dim(dim))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::walk::{Location, Visitor, visit};
    use burn::module::Param;
    use burn::nn::conv::{
        Conv1dConfig, Conv2dConfig, ConvTranspose1dConfig, ConvTranspose2dConfig,
        ConvTranspose3dConfig,
    };
    use burn::nn::{EmbeddingConfig, LinearConfig, LinearLayout};
    use burn::tensor::Device;

    struct Find(Vec<(usize, Option<Fans>)>);

    impl Visitor for Find {
        fn float<const D: usize>(&mut self, at: &Location, param: &Param<Tensor<D>>) {
            if let Some(unit) = UnitAxis::for_weight(at.container(), D) {
                let shape = param.val().dims();
                self.0.push((shape[unit.axis()], unit.fans(&shape)));
            }
        }
    }

    #[test]
    fn burns_layers_have_the_units_they_were_made_with() {
        let device = Device::flex();
        let fans = |fan_in, fan_out| Some(Fans { fan_in, fan_out });
        let mut find = Find(Vec::new());
        let column = LinearConfig::new(5, 3).with_layout(LinearLayout::Col);
        let layers = (
            LinearConfig::new(5, 3).init(&device),
            column.init(&device),
            Conv1dConfig::new(2, 7, 3).init(&device),
            Conv2dConfig::new([4, 6], [3, 2])
                .with_groups(2)
                .init(&device),
            ConvTranspose2dConfig::new([4, 6], [3, 2]).init(&device),
            // Each output sums 2 · 6 numbers, and there are 6: a shape of [4, 3, 3, 2] tells neither.
            ConvTranspose2dConfig::new([4, 6], [3, 2])
                .with_groups(2)
                .init(&device),
            ConvTranspose1dConfig::new([4, 6], 3).init(&device),
            ConvTranspose3dConfig::new([4, 6], [3, 2, 1]).init(&device),
            EmbeddingConfig::new(10, 3).init(&device),
        );
        visit(&layers, &mut find);
        let expected = [
            (3, fans(5, 3)),
            (3, fans(5, 3)),
            (7, fans(6, 21)),
            (6, fans(12, 36)),
            (6, fans(24, 36)),
            (3, fans(24, 18)),
            (6, fans(12, 18)),
            (6, fans(24, 36)),
            (10, None),
        ];
        assert_eq!(find.0, expected);
    }

    #[test]
    fn sums_keep_the_unit_axis() {
        let weight = Tensor::<2>::from_data([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], &Device::flex());
        #[allow(clippy::disallowed_methods)] // not on the step path
        let sums = |unit: UnitAxis| unit.sum_per_unit(weight.clone()).into_data();
        assert_eq!(
            sums(UnitAxis::InOut).try_to_vec::<f32>().unwrap(),
            [9.0, 12.0]
        );
        assert_eq!(
            sums(UnitAxis::OutIn).try_to_vec::<f32>().unwrap(),
            [3.0, 7.0, 11.0]
        );
    }

    #[test]
    fn an_unknown_layer_goes_by_its_rank() {
        assert_eq!(UnitAxis::for_weight("Struct:Mine", 1), None);
        assert_eq!(
            UnitAxis::for_weight("Struct:Mine", 2),
            Some(UnitAxis::InOut)
        );
        assert_eq!(
            UnitAxis::for_weight("Struct:Mine", 3),
            Some(UnitAxis::OutIn)
        );
    }
}
