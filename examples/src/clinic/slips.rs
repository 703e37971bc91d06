//! What hand-written loops do to gradients and weights by mistake.

use super::net::Net;
use super::program::Precision;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Tensor, TensorData};

/// Where a walk through a network is.
#[derive(Default)]
struct Path(Vec<String>);

impl Path {
    fn holds(&self, parts: &[&str]) -> bool {
        let path = self.0.join(".");
        parts.iter().any(|part| path.contains(part))
    }
}

/// The parameters whose paths hold one of `parts`.
pub(super) fn chosen(net: &Net, parts: &[&str]) -> Vec<ParamId> {
    struct Chosen<'a> {
        parts: &'a [&'a str],
        path: Path,
        ids: Vec<ParamId>,
    }
    impl ModuleVisitor for Chosen<'_> {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.path.0.push(name.to_owned());
        }

        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.0.pop();
        }

        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if self.path.holds(self.parts) {
                self.ids.push(param.id);
            }
        }
    }
    let path = Path::default();
    let ids = Vec::new();
    let mut chosen = Chosen { parts, path, ids };
    net.visit(&mut chosen);
    chosen.ids
}

/// Parameters whose paths hold one of `parts` need no gradient any more.
pub(super) fn frozen(net: Net, parts: &[&str]) -> Net {
    struct Freeze<'a> {
        parts: &'a [&'a str],
        path: Path,
    }
    impl ModuleMapper for Freeze<'_> {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.path.0.push(name.to_owned());
        }

        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.0.pop();
        }

        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            if self.path.holds(self.parts) {
                return param.set_require_grad(false);
            }
            param
        }
    }
    let path = Path::default();
    net.map(&mut Freeze { parts, path })
}

/// Multiplies every gradient.
pub(super) fn scaled(net: &Net, mut grads: GradientsParams, factor: f64) -> GradientsParams {
    struct Scale<'a>(&'a mut GradientsParams, f64);
    impl ModuleVisitor for Scale<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(grad) = self.0.remove::<D>(param.id) {
                self.0.register(param.id, grad * self.1);
            }
        }
    }
    net.visit(&mut Scale(&mut grads, factor));
    grads
}

/// Every gradient in this precision.
pub(super) fn rounded_grads(
    net: &Net,
    mut grads: GradientsParams,
    precision: Precision,
) -> GradientsParams {
    struct Round<'a>(&'a mut GradientsParams, Precision);
    impl ModuleVisitor for Round<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(grad) = self.0.remove::<D>(param.id) {
                self.0.register(param.id, self.1.rounded(grad));
            }
        }
    }
    net.visit(&mut Round(&mut grads, precision));
    grads
}

/// Every trained weight in this precision.
pub(super) fn rounded(net: Net, precision: Precision) -> Net {
    struct Round(Precision);
    impl ModuleMapper for Round {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            trained(param, |tensor| self.0.rounded(tensor))
        }
    }
    net.map(&mut Round(precision))
}

/// Every trained weight cut off at ± `bound`.
pub(super) fn bounded(net: Net, bound: f32) -> Net {
    struct Bound(f32);
    impl ModuleMapper for Bound {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            trained(param, |tensor| tensor.clamp(-self.0, self.0))
        }
    }
    net.map(&mut Bound(bound))
}

/// `change` of a parameter that needs a gradient; others are left as they are.
fn trained<const D: usize>(
    param: Param<Tensor<D>>,
    change: impl FnOnce(Tensor<D>) -> Tensor<D>,
) -> Param<Tensor<D>> {
    if !param.is_require_grad() {
        return param;
    }
    param.map(|tensor| change(tensor).detach().set_require_grad(true))
}

impl Precision {
    fn rounded<const D: usize>(self, tensor: Tensor<D>) -> Tensor<D> {
        let (dims, device) = (tensor.dims(), tensor.device());
        let values: Vec<f32> = tensor.into_data().iter::<f32>().collect();
        let values: Vec<f32> = values.into_iter().map(|value| self.round(value)).collect();
        Tensor::from_data(TensorData::new(values, dims), &device)
    }

    /// To the nearest number that it holds.
    fn round(self, value: f32) -> f32 {
        if value == 0.0 || !value.is_finite() {
            return value;
        }
        let (bits, smallest, largest) = match self {
            Self::Half => (10, -14, 65_504.0),
            Self::Bfloat => (7, -126, f32::MAX),
        };
        let exponent = (value.abs().log2().floor() as i32).max(smallest);
        let distance = 2.0_f64.powi(exponent - bits);
        let rounded = ((f64::from(value) / distance).round() * distance) as f32;
        if rounded.abs() > largest {
            return f32::INFINITY.copysign(value);
        }
        rounded
    }
}

/// Gradients that nobody clears.
#[derive(Default)]
pub(super) struct Sum(GradientsParams);

impl Sum {
    /// All gradients so far and these.
    pub(super) fn plus(&mut self, net: &Net, grads: GradientsParams) -> GradientsParams {
        struct Add<'a> {
            sum: &'a mut GradientsParams,
            grads: GradientsParams,
        }
        impl ModuleVisitor for Add<'_> {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                if let Some(grad) = self.grads.remove::<D>(param.id) {
                    let sum = match self.sum.remove::<D>(param.id) {
                        Some(sum) => sum + grad,
                        None => grad,
                    };
                    self.sum.register(param.id, sum.clone());
                    self.grads.register(param.id, sum);
                }
            }
        }
        let sum = &mut self.0;
        let mut add = Add { sum, grads };
        net.visit(&mut add);
        add.grads
    }
}
