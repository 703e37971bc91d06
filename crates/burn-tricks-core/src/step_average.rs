//! Averages of weights that a step tells the new weights.

use burn::module::Module;
use burn_tricks_kernels::TensorList;

/// An average of the weights of a model `M` that is updated by the step itself, which has the new weights at hand, so
/// that the average needs no walk through the model.
///
/// All averages of `burn-tricks-average` implement it. `FusedStep` of `burn-tricks-optim` calls it after each step.
///
/// `()` is no average, and neither is `None`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no average of the weights of a `{M}`",
    note = "the averages of `burn-tricks-average` are, each for the type of model that it was made for"
)]
pub trait StepAverage<M: Module>: Send {
    /// Whether the next update can use the weights as a list. If not, it gets an empty list.
    fn takes_list(&self) -> bool;

    /// Updates the average after a step with this learning rate. `weights` are the float tensors of `model` in its
    /// own order, without autodiff, or none if [`takes_list`](Self::takes_list) said no. They are none at the first
    /// update, too, so that the average can compare itself with `model`.
    fn update_in_step(&mut self, model: &M, weights: TensorList, lr: f64);
}

impl<M: Module> StepAverage<M> for () {
    fn takes_list(&self) -> bool {
        false
    }

    fn update_in_step(&mut self, _model: &M, _weights: TensorList, _lr: f64) {}
}

impl<M: Module, A: StepAverage<M>> StepAverage<M> for Option<A> {
    fn takes_list(&self) -> bool {
        self.as_ref().is_some_and(StepAverage::takes_list)
    }

    fn update_in_step(&mut self, model: &M, weights: TensorList, lr: f64) {
        if let Some(average) = self {
            average.update_in_step(model, weights, lr);
        }
    }
}
