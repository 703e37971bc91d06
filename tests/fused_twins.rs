//! What a GPU backend makes of each twin: time against one elementwise pass over the same numbers.
//!
//! `cargo build --workspace --examples && target/debug/examples/fused_twins`, with the features of the
//! tests, `wgpu` and `fusion`; on Mesa's software Vulkan a matter of a minute.

use burn::tensor::{Device, Distribution, Tensor};
use burn_tricks::kernels::{
    AdaGradStep, AdamStep, AmsGradStep, CorrectedAmsGradStep, Mean, MomentumStep, NormMemory,
    NormalizedStep, RmsPropStep, SgdStep, Step, TensorList, UpdateMemory, UpdateMomentumStep,
    WeightDecayTerm, lerp_twin, scale_twin, sum_of_squares_twin,
};
use std::time::Instant;

const SHAPE: [usize; 2] = [2048, 2048];

/// The median of nine times, in milliseconds, after two to compile.
fn milliseconds(device: &Device, mut work: impl FnMut()) -> f64 {
    let mut times = Vec::new();
    for round in 0..11 {
        device.sync().expect("the device works");
        let start = Instant::now();
        work();
        device.sync().expect("the device works");
        if round >= 2 {
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

struct Report {
    device: Device,
}

impl Report {
    /// One pass: every number read, multiplied and written.
    fn pass(&self) -> f64 {
        let mut x = Some(Tensor::<2>::ones(SHAPE, &self.device));
        milliseconds(&self.device, || {
            x = x.take().map(|x| x * 1.000_001);
        })
    }

    fn random(&self) -> Tensor<2> {
        Tensor::random(SHAPE, Distribution::Uniform(0.1, 1.0), &self.device)
    }

    fn line(&self, name: &str, reads_and_writes: usize, time: f64) {
        let passes = time / self.pass(); // taken anew: other work on the machine comes and goes
        let fewest = reads_and_writes as f64 / 2.0;
        println!("{name:<28} {time:>9.2} {passes:>9.1} {fewest:>9.1}");
    }

    fn step<R: Step<S>, const S: usize>(&self, name: &str, step: R) {
        let mut weight = Some(self.random());
        let mut state = Some([(); S].map(|()| self.random()));
        let grad = self.random();
        let time = milliseconds(&self.device, || {
            let (w, s) = (weight.take().expect("put back"), state.take());
            let (w, s) = step.apply_twin(w, grad.clone(), s);
            (weight, state) = (Some(w), Some(s));
        });
        self.line(name, 3 + 2 * S, time);
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let device = Device::wgpu_options().init()?;
    println!(
        "{SHAPE:?} numbers in f32; fewest: reads and writes of a single kernel, over a pass's two"
    );
    println!("{:<28} {:>9} {:>9} {:>9}", "twin", "ms", "passes", "fewest");
    let report = Report { device };
    report.line("one elementwise pass", 2, report.pass());

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
    let time = milliseconds(&report.device, || {
        x = x.take().map(|x| lerp_twin(x, y.clone(), 0.001));
    });
    report.line("lerp", 3, time);
    let factor = Tensor::from_floats([0.999], &report.device);
    let time = milliseconds(&report.device, || {
        x = x.take().map(|x| scale_twin(x, &factor));
    });
    report.line("scale by a device's number", 2, time);
    let list = TensorList::from(y);
    let time = milliseconds(&report.device, || {
        let _ = sum_of_squares_twin(&list);
    });
    report.line("sum of squares", 1, time);
    Ok(())
}
