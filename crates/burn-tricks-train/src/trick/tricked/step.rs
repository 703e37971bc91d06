//! The steps of a tricked model: the tricks before and after the optimizer.

use crate::lock::lock;
use crate::trick::Trick;
use crate::trick::micro_batches::Window;
use crate::trick::shared::order_of;
use crate::trick::step_context::StepContext;
use crate::trick::trained::Trained;
use crate::trick::tricked::{Mode, Tricked};
use burn::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer, MultiGradientsParams};
use burn::train::{InferenceStep, TrainOutput, TrainStep};
use burn_tricks_grad::gather;

impl<M: TrainStep + Module, H: Trick<M>> TrainStep for Tricked<M, H> {
    type Input = M::Input;
    type Output = M::Output;

    fn step(&self, item: M::Input) -> TrainOutput<M::Output> {
        let model = self.model.current();
        let weight = lock(self.tricks.tricks()).micro_batch_weight(&model, &item);
        let mut output = TrainStep::step(&*model, item);
        if let Some(weight) = weight {
            assert!(
                !self.tricks.is_distributed(),
                "`MeanOfAccumulated` cannot be used with `ddp`, whose workers share one count of micro-batches: divide \
                 the loss by the number of accumulated micro-batches instead"
            );
            output.grads = (self.tricks.micro_batches()).add(&*model, output.grads, weight);
        }
        output
    }

    fn optimize(
        self,
        optim: &mut ModuleOptimizer,
        lr_module: ModuleLearningRate,
        grads: GradientsParams,
    ) -> Self {
        if self.probe.takes(optim) {
            return self;
        }
        let window = self.tricks.micro_batches().take();
        self.stepped(optim, lr_module, |model, optim, tricks, step| {
            let some = !grads.is_empty();
            let grads = before(tricks, &model, grads, window, step);
            if some && grads.is_empty() {
                return Step::Skipped(model);
            }
            let rates = step.rates(&model);
            Step::Taken(model.optimize(optim, rates, grads))
        })
    }

    fn optimize_multi(
        self,
        optim: &mut ModuleOptimizer,
        lr_module: ModuleLearningRate,
        grads: MultiGradientsParams,
    ) -> Self {
        let window = self.tricks.micro_batches().take();
        self.stepped(optim, lr_module, |model, optim, tricks, step| {
            let rates = step.rates(&model);
            if window.is_none() && !tricks.sees_gradients() {
                return Step::Taken(model.optimize_multi(optim, rates, grads));
            }
            let grads = gather(&model, grads);
            let some = !grads.is_empty();
            let grads = before(tricks, &model, grads, window, step);
            if some && grads.is_empty() {
                return Step::Skipped(model);
            }
            let devices = model.devices();
            let main = devices.first().cloned().unwrap_or_default();
            let grads = MultiGradientsParams {
                grads: vec![(grads, main.without_autodiff())],
            };
            Step::Taken(model.optimize_multi(optim, rates, grads))
        })
    }
}

/// The gradients for the optimizer, from Burn's sum over the window.
fn before<M: Module>(
    tricks: &mut impl Trick<M>,
    model: &M,
    sum: GradientsParams,
    window: Option<Window>,
    step: &StepContext,
) -> GradientsParams {
    let (sum, share) = match window {
        Some(window) => window.into_sum(model, sum),
        None => (sum, 1.0),
    };
    if share == 1.0 {
        tricks.before(model, sum, step)
    } else {
        tricks.before_scaled(model, sum, share, step)
    }
}

/// Whether the tricks have let the gradients through to the optimizer.
enum Step<M> {
    Taken(M),
    Skipped(M),
}

impl<M: Module, H: Trick<M>> Tricked<M, H> {
    fn stepped(
        self,
        optim: &mut ModuleOptimizer,
        rates: ModuleLearningRate,
        take: impl FnOnce(M, &mut ModuleOptimizer, &mut H, &StepContext) -> Step<M>,
    ) -> Self {
        let mut step = StepContext::new(self.tricks.next_step(), rates);
        let mut tricks = lock(self.tricks.tricks());
        let order = order_of(&*tricks);
        if let Some(name) = order.memory()
            && self.tricks.is_distributed()
        {
            panic!(
                "`{name}` cannot be used with `ddp`, whose workers share its state and change it one after the other, so that \
                 their weights would drift apart: train on a single device or with `multi`"
            );
        }
        if let Err(error) = order.check() {
            panic!("{error}"); // a session has refused it at launch
        }
        let model = self.model.into_current();
        tricks.begin(&model, optim, &mut step);
        let (model, step) = match take(model, optim, &mut tricks, &step) {
            Step::Taken(model) => {
                self.tricks.note_taken();
                (model, step)
            }
            Step::Skipped(model) => (model, step.with_skipped(true)),
        };
        let model = Trained::new(tricks.after(model, &step));
        drop(tricks);
        Self {
            model,
            mode: Mode::Training,
            tricks: self.tricks,
            resuming: self.resuming,
            probe: self.probe,
            validate_averages: self.validate_averages,
        }
    }
}

impl<M: InferenceStep + Module, H: Trick<M>> InferenceStep for Tricked<M, H> {
    type Input = M::Input;
    type Output = M::Output;

    fn step(&self, item: M::Input) -> M::Output {
        InferenceStep::step(&*self.shown(), item)
    }
}
