//! Gradients taken out of a `GradientsParams`, to be processed together, and put back.

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use burn_tricks_kernels::{TensorList, TensorTaker};

/// Gradients in the module's order, and whose they are.
#[derive(Debug, Clone, Default)]
pub(crate) struct GradientList {
    ids: Vec<ParamId>,
    pub(crate) list: TensorList,
    /// The device of the first gradient.
    pub(crate) device: Option<Device>,
}

impl GradientList {
    /// An empty list with room for `count` gradients.
    pub(crate) fn with_capacity(count: usize) -> Self {
        Self {
            ids: Vec::with_capacity(count),
            list: TensorList::with_capacity(count),
            device: None,
        }
    }

    pub(crate) fn push<const D: usize>(&mut self, id: ParamId, grad: Tensor<D>) {
        self.device.get_or_insert_with(|| grad.device());
        self.ids.push(id);
        self.list.push(grad);
    }

    /// Adds the gradients of another list at the end.
    pub(crate) fn append(&mut self, mut other: Self) {
        self.device = self.device.take().or(other.device);
        self.ids.append(&mut other.ids);
        self.list.append(other.list);
    }

    /// Whether they are the gradients of the same parameters, in the same order.
    pub(crate) fn is_of_same(&self, other: &Self) -> bool {
        self.ids == other.ids
    }

    /// Puts what became of them into `grads`. This needs no walk through the module, which takes longer than the
    /// arithmetic if tensors are small.
    pub(crate) fn put_into(self, grads: &mut GradientsParams) {
        let ids = self.ids.into_iter();
        self.list.take_each(&mut Put { ids, grads });
    }

    /// As gradients by the ids of their parameters.
    pub(crate) fn into_params(self) -> GradientsParams {
        let mut grads = GradientsParams::new();
        self.put_into(&mut grads);
        grads
    }
}

struct Put<'a> {
    ids: std::vec::IntoIter<ParamId>,
    grads: &'a mut GradientsParams,
}

impl TensorTaker for Put<'_> {
    fn take<const D: usize>(&mut self, grad: Tensor<D>) {
        let id = self
            .ids
            .next()
            .expect("an id was pushed with each gradient");
        self.grads.register(id, grad);
    }
}

/// Takes the gradients of the parameters of `module` out, in the module's order. A tied parameter is visited at each of
/// its places and counts once.
pub(crate) fn take<M: Module>(
    module: &M,
    grads: GradientsParams,
) -> (GradientsParams, GradientList) {
    struct Take(GradientsParams, GradientList);
    impl ModuleVisitor for Take {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(grad) = self.0.remove::<D>(param.id) {
                self.1.push(param.id, grad);
            }
        }
    }
    let count = grads.len();
    let mut take = Take(grads, GradientList::with_capacity(count));
    module.visit(&mut take);
    (take.0, take.1)
}
