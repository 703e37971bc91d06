//! Each twin by itself: launches, and time against one elementwise pass over the same numbers.

use crate::measure::Bench;
use burn::tensor::{Distribution, Tensor};
use burn_tricks::kernels::{
    AdaGradStep, AdamStep, AmsGradStep, CorrectedAmsGradStep, Mean, MomentumStep, NormMemory,
    NormalizedStep, RmsPropStep, SgdStep, Step, TensorList, UpdateMemory, UpdateMomentumStep,
    WeightDecayTerm, lerp_twin, scale, scale_twin, sum_of_squares, sum_of_squares_twin,
};

const SHAPE: [usize; 2] = [2048, 2048];

struct Report<'a> {
    bench: &'a Bench,
}

impl Report<'_> {
    fn random(&self) -> Tensor<2> {
        let distribution = Distribution::Uniform(0.1, 1.0);
        Tensor::random(SHAPE, distribution, &self.bench.device)
    }

    /// One line of the table. `reads_and_writes` is what a single kernel must at least read and write.
    fn line<R>(&self, name: &str, reads_and_writes: usize, mut work: impl FnMut() -> R) {
        let cost = self.bench.cost(name, || (), |()| work());
        // Taken anew: other work on the machine comes and goes.
        let passes = cost.ms / self.bench.pass(SHAPE[0] * SHAPE[1]);
        let fewest = reads_and_writes as f64 / 2.0;
        println!(
            "{name:<28} {:>9.2} {:>9} {passes:>9.1} {fewest:>9.1}",
            cost.ms, cost.launches
        );
    }

    fn step<R: Step<S>, const S: usize>(&self, name: &str, step: R) {
        let mut weight = Some(self.random());
        let mut state = Some([(); S].map(|()| self.random()));
        let grad = self.random();
        self.line(name, 3 + 2 * S, || {
            let (w, s) = (weight.take().expect("put back"), state.take());
            let (w, s) = step.apply_twin(w, grad.clone(), s);
            (weight, state) = (Some(w), Some(s));
        });
    }
}

pub(crate) fn report(bench: &Bench) {
    println!(
        "{SHAPE:?} numbers in f32; fewest: reads and writes of a single kernel, over a pass's two"
    );
    println!(
        "{:<28} {:>9} {:>9} {:>9} {:>9}",
        "twin", "ms", "launches", "passes", "fewest"
    );
    let report = Report { bench };
    let mut x = Some(report.random());
    report.line("one elementwise pass", 2, || {
        x = x.take().map(|x| x * 1.000_001);
    });

    let (lr, decay) = (1e-3, WeightDecayTerm::None);
    report.step("SGD", SgdStep { lr, decay });
    let (momentum, dampening, nesterov, first) = (0.9, 0.1, false, false);
    let sum = MomentumStep {
        lr,
        momentum,
        dampening,
        nesterov,
        first,
        decay,
    };
    report.step("SGD, momentum", sum);
    report.step(
        "SGD, momentum of updates",
        UpdateMomentumStep {
            lr,
            momentum,
            nesterov,
            decay,
        },
    );
    let (epsilon, initial, alpha) = (1e-8, 0.0, 0.9);
    report.step(
        "AdaGrad",
        AdaGradStep {
            lr,
            epsilon,
            epsilon_inside: 0.0,
            initial,
            decay,
        },
    );
    report.step(
        "RMSProp",
        RmsPropStep::<false, false> {
            lr,
            alpha,
            epsilon,
            momentum,
            decay,
        },
    );
    let both = RmsPropStep::<true, true> {
        lr,
        alpha,
        epsilon,
        momentum,
        decay,
    };
    report.step("RMSProp, centred, momentum", both);
    let adam = AdamStep::new(lr, (0.9, 0.999), epsilon, decay, 3);
    report.step("Adam", adam);
    let adam_w = AdamStep::new(
        lr,
        (0.9, 0.999),
        epsilon,
        WeightDecayTerm::Decoupled(1e-5),
        3,
    );
    report.step("AdamW", adam_w);
    report.step("AMSGrad", AmsGradStep(adam));
    report.step("Adam of Keras", adam.with_plain_epsilon(epsilon));
    let corrected = CorrectedAmsGradStep::new(lr, (0.9, 0.999), epsilon, decay, 3);
    report.step("AMSGrad of optax", corrected);
    let mean = |beta| Mean::new(beta, true, 3);
    let sign = NormalizedStep {
        epsilon_outside: epsilon,
        ..NormalizedStep::new(lr, decay)
    };
    let norm = NormMemory::Decay {
        mean: mean(0.999),
        initial,
    };
    let family = sign
        .with_norm(norm)
        .with_update(UpdateMemory::OfGradient(mean(0.9)));
    report.step("the family's Adam", family);
    report.step("the family's sign SGD", sign);

    let y = report.random();
    let mut x = Some(report.random());
    report.line("lerp", 3, || {
        x = x.take().map(|x| lerp_twin(x, y.clone(), 0.001));
    });
    for (name, factor) in [("0.999", 0.999), ("1", 1.0)] {
        let factor = Tensor::from_floats([factor], &bench.device);
        report.line(&format!("scale by {name}, twin"), 2, || {
            x = x.take().map(|x| scale_twin(x, &factor));
        });
        report.line(&format!("scale by {name}, kernel"), 2, || {
            x = x.take().map(|x| {
                let mut scaled = scale(x.into(), &factor);
                scaled.pop::<2>().expect("one tensor")
            });
        });
    }
    let list = TensorList::from(y);
    report.line("sum of squares, twin", 1, || sum_of_squares_twin(&list));
    report.line("sum of squares, kernel", 1, || sum_of_squares(&list));
}
