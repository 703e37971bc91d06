//! Transforms of gradients that need neither the model nor the parameters' names.

use burn_tricks_kernels::{Factor, TensorList};

/// A transform of gradients that sees them as a list, in the order of the model's parameters, and needs neither the
/// weights nor the parameters' names.
///
/// Clipping by norm and normalising are such transforms. `FusedStep` of `burn-tricks-optim` takes one, because it has
/// all gradients of a step in a list. A transform that needs more than the list (adaptive clipping reads the weights,
/// noise is drawn by parameter) is applied to the gradients before the step.
///
/// `()` changes nothing, and neither does `None`. Chain several with `then` of `GradientTransform` (`burn-tricks-grad`).
///
/// # Example
///
/// A transform of your own, which halves every gradient:
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use burn_tricks_core::ListTransform;
/// use burn_tricks_kernels::{TensorList, scale};
///
/// #[derive(Debug)]
/// struct Halve;
///
/// impl ListTransform for Halve {
///     fn apply_to_list(&mut self, grads: TensorList) -> TensorList {
///         scale(grads, &Tensor::from_floats([0.5], &Device::flex()))
///     }
/// }
///
/// let grads = TensorList::from(Tensor::<1>::from_floats([2.0, 4.0], &Device::flex()));
/// let halved: Tensor<1> = Halve.apply_to_list(grads).pop().unwrap();
/// assert_eq!(halved.into_data().to_vec::<f32>().unwrap(), [1.0, 2.0]);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no transform of gradients as a list",
    note = "apply a transform that needs the weights or the parameters' names to the gradients before the step",
    note = "chain several transforms with `then` of `GradientTransform`: `clip.then(normalize)`"
)]
pub trait ListTransform: Send {
    /// The changed gradients: as many, in the same order, each with the type, shape and device that it had.
    fn apply_to_list(&mut self, grads: TensorList) -> TensorList;

    /// Like [`apply_to_list`](Self::apply_to_list), but a multiplication of all gradients by one number at the end may be
    /// left to the caller: if a factor is returned, the changed gradients are its products with those that are returned. On a
    /// GPU the kernel of most optimizers' steps in a `FusedStep` multiplies while it reads the gradients, which saves a pass
    /// over them. A call takes
    /// the place of one of [`apply_to_list`](Self::apply_to_list), and has the same effect on the transform's state.
    /// Default: nothing is left.
    fn apply_up_to_factor(&mut self, grads: TensorList) -> (TensorList, Option<Factor>) {
        (self.apply_to_list(grads), None)
    }

    /// Whether it changes nothing, so that a step need not make a list for it. Default: `false`.
    fn is_identity(&self) -> bool {
        false
    }
}

impl ListTransform for () {
    fn apply_to_list(&mut self, grads: TensorList) -> TensorList {
        grads
    }

    fn is_identity(&self) -> bool {
        true
    }
}

impl<T: ListTransform> ListTransform for Option<T> {
    fn apply_to_list(&mut self, grads: TensorList) -> TensorList {
        match self {
            Some(transform) => transform.apply_to_list(grads),
            None => grads,
        }
    }

    fn apply_up_to_factor(&mut self, grads: TensorList) -> (TensorList, Option<Factor>) {
        match self {
            Some(transform) => transform.apply_up_to_factor(grads),
            None => (grads, None),
        }
    }

    fn is_identity(&self) -> bool {
        self.as_ref().is_none_or(ListTransform::is_identity)
    }
}
