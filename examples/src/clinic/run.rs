//! The loop of a program, and who looks over its shoulder.

use super::data::Dice;
use super::net::{Net, NoTap, Tap};
use super::penalty::Penalty;
use super::program::{Pretrained, Program, Validation};
use super::scores::Scored;
use super::slips::{Sum, bounded, chosen, frozen, rounded, rounded_grads, scaled};
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Gradients, Tensor};
use burn_tricks::average::{EmaConfig, SwaConfig};
use burn_tricks::force_init;
use burn_tricks::grad::{ClipGradNormConfig, LossScalerConfig};

/// What happens in one step, before the optimizer moves the weights.
#[derive(Debug)]
pub struct Step<'a> {
    /// The network that the gradients are of.
    pub net: &'a Net,
    /// What the optimizer gets.
    pub grads: &'a GradientsParams,
    /// The loss of the batch, without penalties and scales.
    pub loss: Tensor<1>,
    /// The learning rate.
    pub rate: f64,
    /// `[batch, numbers]`.
    pub inputs: Tensor<2>,
    /// `[batch, numbers]`.
    pub targets: Tensor<2>,
    /// `[batch, numbers]`.
    pub outputs: Tensor<2>,
}

/// The scores of one epoch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Epoch {
    /// Counted from 1.
    pub number: usize,
    /// The mean loss of the batches.
    pub train_loss: f64,
    /// The accuracy, or R², on the training samples or a thousand of them, in inference mode.
    pub train_score: f64,
    /// The loss of the validation.
    pub valid_loss: f64,
    /// The accuracy, or R², of the validation.
    pub valid_score: f64,
}

/// Looks over a program's shoulder.
pub trait Watch {
    /// Before the first step.
    fn begin(&mut self, _program: &Program, _net: &Net) {}

    /// Before a forward pass of a training step: what sees the signal behind each layer.
    fn tap(&mut self) -> Option<&mut dyn Tap> {
        None
    }

    /// At the end, with the average of the weights if the program makes one.
    fn average(&mut self, _average: &Net) {}

    /// In place of `loss.backward()`.
    fn backward(&mut self, loss: &Tensor<1>) -> Gradients {
        loss.backward()
    }

    /// Before the optimizer's step.
    fn before_step(&mut self, _step: &Step<'_>) {}

    /// After the optimizer's step.
    fn after_step(&mut self, _net: &Net) {}

    /// A validation: inputs, targets and outputs, `[samples, numbers]`.
    fn validation(&mut self, _inputs: &Tensor<2>, _targets: &Tensor<2>, _outputs: &Tensor<2>) {}

    /// At the end of each epoch, with the trained network.
    fn epoch(&mut self, _epoch: &Epoch, _net: &Net) {}
}

/// Watches nothing.
impl Watch for () {}

/// What became of a run.
#[derive(Debug)]
pub struct Outcome {
    /// Every epoch.
    pub epochs: Vec<Epoch>,
    /// The place of the epoch in that list whose weights count: the last one, or the best if the program
    /// looks for that.
    pub chosen: usize,
    /// The network at the end.
    pub net: Net,
}

impl Outcome {
    /// The epoch whose weights count.
    pub fn result(&self) -> &Epoch {
        &self.epochs[self.chosen]
    }
}

impl Program {
    /// Trains. The same seed gives the same run, if nothing else in the process draws random numbers.
    ///
    /// # Panics
    ///
    /// If the program has no epoch, or if its first weights cannot be drawn as it says.
    pub fn run(&self, seed: u64, watch: &mut dyn Watch) -> Outcome {
        assert!(self.epochs > 0, "a program without an epoch");
        let before = self
            .pretrained
            .map(|Pretrained { by, layers }| (by(seed).run(seed, &mut ()).net, layers));
        let device = Device::flex().autodiff();
        device.seed(seed);
        let mut net = Net::init(&self.layers, &device);
        force_init(&net);
        if let Some(init) = &self.init {
            let init = init.init().expect("a valid distribution");
            net = init.apply(&net).expect("layers with weights");
        }
        if let Some((earlier, layers)) = before {
            net.layers[..layers].clone_from_slice(&earlier.layers[..layers]);
        }
        if !self.frozen.is_empty() {
            net = frozen(net, self.frozen);
        }
        watch.begin(self, &net);
        let first = net.valid();
        let mut training = Training::new(self, net, seed);
        let mut epochs: Vec<Epoch> = Vec::new();
        let mut chosen = 0;
        for number in 1..=self.epochs {
            if self.resets && number > 1 {
                let net = Net::init(&self.layers, &device);
                force_init(&net);
                training.restart(net);
            }
            if self.reloads && number > 1 {
                training.reload();
            }
            let batches = self.batches(seed, number);
            let losses: f64 = batches.iter().map(|b| training.step(b, watch)).sum();
            let net = &training.net;
            let rows = self.data.train.first(1000);
            let (inputs, _) = rows.all(&Device::flex());
            let train = Scored::of(
                net.valid().forward(inputs),
                &rows,
                self.data.task,
                self.loss,
            );
            let average = training.average();
            let valid = match self.validation {
                Validation::FirstNetwork => self.validate(&first, watch),
                Validation::NewHead => {
                    let mut mixed = net.valid();
                    let last = self.layers.len() - 1;
                    let head = Net::init(&self.layers[last..], &device);
                    force_init(&head);
                    mixed.layers[last] = head.valid().layers.remove(0);
                    self.validate(&mixed, watch)
                }
                _ => self.validate(average.as_ref().unwrap_or(net), watch),
            };
            let scores = Epoch {
                number,
                train_loss: losses / batches.len() as f64,
                train_score: train.score,
                valid_loss: valid.loss,
                valid_score: valid.score,
            };
            watch.epoch(&scores, net);
            epochs.push(scores);
            if self.reloads && number == 1 {
                training.keep();
            }
            let Some(patience) = self.patience else {
                chosen = number - 1;
                continue;
            };
            let (last, best) = (scores.valid_loss, epochs[chosen].valid_loss);
            let is_better = if self.prefers_more {
                last > best
            } else {
                last < best
            };
            if is_better {
                chosen = number - 1;
            } else if number - 1 - chosen >= patience {
                break;
            }
        }
        if let Some(average) = training.average() {
            watch.average(&average);
        }
        Outcome {
            epochs,
            chosen,
            net: training.net,
        }
    }

    fn batches(&self, seed: u64, epoch: usize) -> Vec<Vec<usize>> {
        let mut order: Vec<usize> = (0..self.data.train.len()).collect();
        if self.shuffles {
            Dice::new(seed.wrapping_mul(1_000_003) + epoch as u64).shuffle(&mut order);
        }
        order.chunks(self.batch).map(<[_]>::to_vec).collect()
    }

    /// As the program validates.
    fn validate(&self, net: &Net, watch: &mut dyn Watch) -> Scored {
        let (rows, outputs) = match self.validation {
            Validation::Inference | Validation::FirstNetwork | Validation::NewHead => {
                let (inputs, targets) = self.data.valid.all(&Device::flex());
                let outputs = net.valid().forward(inputs.clone());
                watch.validation(&inputs, &targets, &outputs);
                (self.data.valid.clone(), outputs)
            }
            Validation::OneByOneInTraining(count) => {
                let rows = self.data.valid.first(count);
                let outputs = (0..rows.len()).map(|i| {
                    let (inputs, targets) = rows.batch(&[i], &Device::flex().autodiff());
                    let outputs = net.forward(inputs.clone());
                    watch.validation(&inputs, &targets, &outputs);
                    outputs.inner()
                });
                let outputs = Tensor::cat(outputs.collect(), 0);
                (rows, outputs)
            }
        };
        Scored::of(outputs, &rows, self.data.task, self.loss)
    }
}

/// The state of a training.
struct Training<'a> {
    program: &'a Program,
    net: Net,
    optimizer: burn::optim::ModuleOptimizer,
    clip: Option<burn_tricks::grad::ClipGradNorm>,
    scaler: Option<burn_tricks::grad::LossScaler>,
    sum: Sum,
    average: Option<burn_tricks::average::Swa<Net>>,
    ema: Option<burn_tricks::average::Ema<Net>>,
    kept: Option<Net>,
    dice: Dice,
    steps: usize,
}

impl<'a> Training<'a> {
    fn new(program: &'a Program, net: Net, seed: u64) -> Self {
        let clip = program.clips.map(|norm| {
            let clip = ClipGradNormConfig::new(norm).init();
            clip.expect("a positive norm")
        });
        let scaler = program.has_loss_scaler.then(|| {
            let scaler = LossScalerConfig::new().init();
            scaler.expect("its defaults are right")
        });
        let average = program.averages_after.map(|steps| {
            let average = SwaConfig::new(1).with_start_after(steps).init(&net);
            average.expect("a sample after each step")
        });
        let ema = program.ema.map(|decay| {
            let ema = EmaConfig::timm(decay).init(&net);
            ema.expect("a decay below 1")
        });
        Self {
            program,
            net,
            optimizer: program.rule.optimizer(program.decay),
            clip,
            scaler,
            average,
            ema,
            kept: None,
            sum: Sum::default(),
            dice: Dice::new(seed),
            steps: 0,
        }
    }

    /// Forgets what was learned.
    fn restart(&mut self, net: Net) {
        self.net = net;
        self.optimizer = self.program.rule.optimizer(self.program.decay);
    }

    /// Keeps the weights for [`reload`](Self::reload).
    fn keep(&mut self) {
        self.kept = Some(self.net.clone());
    }

    /// Goes on with the weights that were kept.
    fn reload(&mut self) {
        if let Some(net) = &self.kept {
            self.restart(net.clone());
        }
    }

    /// The average of the weights, if there is one.
    fn average(&self) -> Option<Net> {
        let swa = self.average.as_ref().map(|average| average.model());
        swa.or_else(|| self.ema.as_ref().map(|average| average.model()))
    }

    /// Takes a step on the samples at `batch`, and gives their loss.
    fn step(&mut self, batch: &[usize], watch: &mut dyn Watch) -> f64 {
        let (program, net) = (self.program, &self.net);
        let device = Device::flex().autodiff();
        let mut rows = program.data.train.at(batch);
        if let Some(augment) = program.augments {
            let inputs = rows.inputs.iter_mut();
            inputs.for_each(|row| augment(row, &mut self.dice));
        }
        let (inputs, targets) = rows.all(&device);
        let mut penalty = program.sparsity.map(Penalty::new);
        let outputs = {
            let mut none = NoTap;
            let tap = watch.tap().unwrap_or(&mut none);
            net.forward_through(inputs.clone(), &mut Both(&mut penalty, tap))
        };
        let loss = (program.loss.compute)(outputs.clone(), targets.clone());
        let scale = program.loss_scale.map_or(1.0, |scale| scale(self.steps));
        let objective = match penalty {
            Some(penalty) => loss.clone() + penalty.sum(),
            None => loss.clone(),
        };
        let objective = match &self.scaler {
            Some(scaler) => scaler.scale(objective),
            None => objective * scale,
        };
        let mut all = watch.backward(&objective);
        let mut grads = match program.optimizes {
            Some(parts) => GradientsParams::from_params(&mut all, net, &chosen(net, parts)),
            None => GradientsParams::from_grads(all, net),
        };
        if let Some(precision) = program.gradients {
            grads = rounded_grads(net, grads, precision);
        }
        if let Some(scaler) = &mut self.scaler {
            let Some(unscaled) = scaler.unscale(net, grads) else {
                return loss.into_scalar::<f64>();
            };
            grads = unscaled;
        }
        if let Some(clip) = self.clip.as_mut().filter(|_| program.clips_scaled) {
            grads = clip.apply(net, grads);
        }
        if program.unscales && program.loss_scale.is_some() {
            grads = scaled(net, grads, 1.0 / scale);
        }
        if !program.clears {
            grads = self.sum.plus(net, grads);
        }
        let rate = match program.warmup {
            Some(steps) => program.rate * ((self.steps + 1) as f64 / steps as f64).min(1.0),
            None => program.rate,
        };
        let rate = rate * program.schedule.map_or(1.0, |factor| factor(self.steps));
        watch.before_step(&Step {
            net,
            grads: &grads,
            loss: loss.clone(),
            rate,
            inputs,
            targets,
            outputs,
        });
        if let Some(clip) = self.clip.as_mut().filter(|_| !program.clips_scaled) {
            grads = clip.apply(net, grads);
        }
        if program.forgets {
            self.optimizer = program.rule.optimizer(program.decay);
        }
        self.net = self.optimizer.step(rate, self.net.clone(), grads);
        if let Some(bound) = program.bound {
            self.net = bounded(self.net.clone(), bound);
        }
        if let Some(precision) = program.weights {
            self.net = rounded(self.net.clone(), precision);
        }
        self.steps += 1;
        if let Some(average) = &mut self.average {
            average.update(&self.net);
        }
        if let Some(average) = &mut self.ema {
            average.update(&self.net);
        }
        watch.after_step(&self.net);
        loss.into_scalar::<f64>()
    }
}

/// First the penalty, then the watcher.
struct Both<'a>(&'a mut Option<Penalty>, &'a mut dyn Tap);

impl Tap for Both<'_> {
    fn tap(&mut self, path: &str, block: &super::net::Block, output: Tensor<2>) -> Tensor<2> {
        if let Some(penalty) = &mut *self.0 {
            penalty.see(block, &output);
        }
        self.1.tap(path, block, output)
    }

    fn input(&mut self, path: &str, block: &super::net::Block, input: Tensor<2>) -> Tensor<2> {
        self.1.input(path, block, input)
    }
}
