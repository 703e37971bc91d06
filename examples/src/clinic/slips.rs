//! What hand-written loops do to gradients by mistake.

use super::net::Net;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

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
