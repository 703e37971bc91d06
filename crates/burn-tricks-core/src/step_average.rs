//! Averages of weights that a step tells the new weights.

use crate::walk::Location;
use burn::module::Module;
use burn::tensor::Tensor;

/// An average of the weights of a model `M` that is updated by the step itself: the step gives it each new weight in the
/// walk that computes it, so that the average needs no walk of its own and can move while the next weights are computed.
///
/// All averages of `burn-tricks-average` implement it. `FusedStep` of `burn-tricks-optim` calls
/// [`begin_update`](Self::begin_update) before its walk and [`end_update`](Self::end_update) after it, at every step.
///
/// `()` is no average, and neither is `None`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no average of the weights of a `{M}`",
    note = "the averages of `burn-tricks-average` are, each for the type of model that it was made for"
)]
pub trait StepAverage<M: Module>: Send {
    /// Takes the new weights of one step.
    type Update: WeightTaker;

    /// Begins the update of a step with this learning rate. `None` if this update does not take the weights one by one,
    /// for example because the model has running statistics, which change outside of the step, or because the average
    /// takes the weights of other steps.
    fn begin_update(&mut self, lr: f64) -> Option<Self::Update>;

    /// Ends what [`begin_update`](Self::begin_update) has begun. `update` has taken all float tensors of `model` in the
    /// model's own order; if it is `None`, the average looks at `model` itself.
    ///
    /// # Panics
    ///
    /// If the average was made for a model of another architecture.
    fn end_update(&mut self, update: Option<Self::Update>, model: &M, lr: f64);
}

/// Takes the float tensors of a model one by one, in the model's own order.
pub trait WeightTaker {
    /// Takes the next weight, which stands at `at` and is not tracked by autodiff.
    fn take<const D: usize>(&mut self, at: &Location, weight: &Tensor<D>);
}

impl WeightTaker for () {
    fn take<const D: usize>(&mut self, _at: &Location, _weight: &Tensor<D>) {}
}

/// Each takes the weight.
impl<T: WeightTaker> WeightTaker for Vec<T> {
    fn take<const D: usize>(&mut self, at: &Location, weight: &Tensor<D>) {
        for each in self {
            each.take(at, weight);
        }
    }
}

/// `None` takes nothing.
impl<T: WeightTaker> WeightTaker for Option<T> {
    fn take<const D: usize>(&mut self, at: &Location, weight: &Tensor<D>) {
        if let Some(taker) = self {
            taker.take(at, weight);
        }
    }
}

impl<M: Module> StepAverage<M> for () {
    type Update = ();

    fn begin_update(&mut self, _lr: f64) -> Option<()> {
        None
    }

    fn end_update(&mut self, _update: Option<()>, _model: &M, _lr: f64) {}
}

impl<M: Module, A: StepAverage<M>> StepAverage<M> for Option<A> {
    type Update = A::Update;

    fn begin_update(&mut self, lr: f64) -> Option<A::Update> {
        self.as_mut().and_then(|average| average.begin_update(lr))
    }

    fn end_update(&mut self, update: Option<A::Update>, model: &M, lr: f64) {
        if let Some(average) = self {
            average.end_update(update, model, lr);
        }
    }
}
