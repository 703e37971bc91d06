//! The recorded steps.

use crate::history::StepHistory;
use crate::history::param::{ParamHistory, ParamStep};
use crate::numbers::read;
use crate::record::gradients::{After, BEFORE, Before, Open};
use burn::tensor::Tensor;

/// Steps at the beginning that are all recorded.
pub(crate) const DENSE: usize = 20;

/// The most recorded steps; beyond, every second one of the more numerous kind is dropped, and its interval doubles: of those at
/// equal distances, or of those that begin an epoch.
const MOST: usize = 400;

/// Recorded gradients over which a unit must have been silent: between one and two times this number.
const WINDOW: usize = 10;

/// One recorded step, on the device.
#[derive(Debug)]
struct Pending {
    step: usize,
    /// The epochs before it, if it was recorded because one begins with it.
    epoch: Option<usize>,
    lr: f64,
    with_gradient: Vec<usize>,
    before: Option<Tensor<1>>,
    has_cosine: bool,
    after: Option<After>,
}

/// The recorded steps, on the device.
#[derive(Debug)]
pub(crate) struct Steps {
    every: usize,
    /// The number of epochs from one whose first step is recorded to the next.
    every_epoch: usize,
    /// The epochs that have ended.
    epochs: usize,
    list: Vec<Pending>,
    /// The weights before the step that was recorded last, until [`Steps::after`].
    open: Vec<Open>,
    /// The epochs that have ended, if the next step is recorded whatever its number is.
    next_epoch: Option<usize>,
    /// The magnitudes of gradients for each unit, summed over the recorded steps: of this window and of the last.
    windows: [Vec<Option<Tensor<1>>>; 2],
    in_window: usize,
    /// Both before the step that was recorded last, in case it is not taken.
    windows_before: [Vec<Option<Tensor<1>>>; 2],
    in_window_before: usize,
}

impl Steps {
    pub(crate) fn new(every: usize, params: usize) -> Self {
        Self {
            every,
            every_epoch: 1,
            epochs: 0,
            list: Vec::new(),
            open: Vec::new(),
            next_epoch: None,
            windows: [vec![None; params], vec![None; params]],
            in_window: 0,
            windows_before: [vec![None; params], vec![None; params]],
            in_window_before: 0,
        }
    }

    /// Whether this step, counted from 1, is recorded.
    pub(crate) fn is_due(&self, step: usize) -> bool {
        self.next_epoch.is_some() || step <= DENSE || step.is_multiple_of(self.every)
    }

    /// An epoch has ended: the next step, with which another one begins, is recorded if its turn has come.
    pub(crate) fn end_epoch(&mut self) {
        self.epochs += 1;
        self.next_epoch = (self.epochs)
            .is_multiple_of(self.every_epoch)
            .then_some(self.epochs);
    }

    /// Drops every second step of the more numerous kind, but none of the first ones and not the last.
    fn thin_out(&mut self) {
        let (rest, last) = (DENSE + 1, self.list.last().map(|of| of.step));
        let later = self.list.iter().filter(|of| of.step >= rest);
        let begin = later.clone().filter(|of| of.epoch.is_some()).count();
        let of_epochs = 2 * begin > later.count();
        if of_epochs {
            self.every_epoch = self.every_epoch.saturating_mul(2);
        } else {
            self.every = self.every.saturating_mul(2);
        }
        let (every, every_epoch) = (self.every, self.every_epoch);
        self.list.retain(|of| {
            let is_kept = match of.epoch {
                Some(epoch) => epoch.is_multiple_of(every_epoch),
                None => of.step.is_multiple_of(every),
            };
            is_kept || of.step < rest || Some(of.step) == last
        });
    }

    pub(crate) fn push(&mut self, step: usize, lr: f64, before: Before) {
        let epoch = self.next_epoch.take();
        self.windows_before.clone_from(&self.windows);
        self.in_window_before = self.in_window;
        if self.in_window == WINDOW {
            self.windows.swap(0, 1);
            self.windows[0].fill(None);
            self.in_window = 0;
        }
        self.in_window += 1;
        for (position, sums) in before.units {
            let sum = &mut self.windows[0][position];
            *sum = Some(match sum.take() {
                Some(sum) => sum + sums,
                None => sums,
            });
        }
        self.open = before.weights;
        self.list.push(Pending {
            step,
            epoch,
            lr,
            with_gradient: before.with_gradient,
            before: before.numbers,
            has_cosine: before.has_cosine,
            after: None,
        });
        if self.list.len() > MOST {
            self.thin_out();
        }
    }

    /// Takes the weights before the recorded step, if it has not ended.
    pub(crate) fn take_open(&mut self) -> Vec<Open> {
        std::mem::take(&mut self.open)
    }

    /// Ends the recorded step.
    pub(crate) fn after(&mut self, after: Option<After>) {
        if let Some(last) = self.list.last_mut() {
            last.after = after;
        }
    }

    /// Forgets `step`, which was not taken, if it was recorded.
    pub(crate) fn skip(&mut self, step: usize) {
        self.open.clear();
        if self.list.pop_if(|last| last.step == step).is_some() {
            self.windows.clone_from(&self.windows_before);
            self.in_window = self.in_window_before;
        }
    }

    /// The units whose gradient was exactly 0 in the last windows, by parameter. Waits for the device.
    fn silent(&self, position: usize) -> Option<usize> {
        let sums = self
            .windows
            .iter()
            .filter_map(|window| window[position].clone());
        let sums = sums.reduce(|a, b| a + b)?;
        Some(read(&sums).iter().filter(|sum| **sum == 0.0).count())
    }

    /// Writes what was recorded into the histories. Waits for the device.
    pub(crate) fn read(&self, params: &mut [ParamHistory]) -> Vec<StepHistory> {
        for (position, param) in params.iter_mut().enumerate() {
            param.silent_units = param.units.and_then(|_| self.silent(position));
        }
        let mut steps = Vec::new();
        for of in &self.list {
            let before = of.before.as_ref().map_or_else(Vec::new, read);
            let after = (of.after.as_ref()).map_or_else(Vec::new, |after| read(&after.numbers));
            let has_update_cosine = of.after.as_ref().is_some_and(|after| after.has_cosine);
            let update_cosine = after.last().filter(|_| has_update_cosine);
            let cosine = before.last().filter(|_| of.has_cosine);
            steps.push(StepHistory {
                step: of.step,
                lr: of.lr,
                cosine: cosine.copied().filter(|cosine| cosine.is_finite()),
                update_cosine: (update_cosine.copied()).filter(|cosine| cosine.is_finite()),
            });
            let numbers = before.chunks_exact(BEFORE);
            for (at, (position, numbers)) in of.with_gradient.iter().zip(numbers).enumerate() {
                params[*position].steps.push(ParamStep {
                    step: of.step,
                    gradient: numbers[0],
                    gradient_zeros: numbers[1],
                    gradient_non_finite: numbers[2],
                    weight: numbers[3],
                    update: after.get(at).copied(),
                });
            }
        }
        steps
    }
}
