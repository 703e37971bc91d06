//! What a step asks of the device: no tensor is read by the host but where the documentation says so.

use crate::cases::{Case, every, plain};
use crate::counters::{Counts, counted};
use crate::problem::{Net, Problem};
use crate::report::{self, Row};
use crate::training::Training;
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor};
use burn_tricks::nn::ResNetConfig;
use burn_tricks_examples::additions::ADDITIONS;

/// Steps until all kernels are compiled, and every second-step trick has acted.
const WARM: usize = 4;
/// Steps that are counted.
const STEPS: usize = 4;

const NET: [usize; 3] = [32, 40, 48];

/// Whether the host's reads must be seen on this device. wgpu, on which `metal` and `vulkan` are built too, logs them. The
/// runtimes of CUDA and ROCm log nothing by which they could be counted: there launches alone are, by CubeCL's observer.
fn logs_reads(device: &str) -> bool {
    matches!(device, "metal" | "vulkan" | "wgpu")
}

/// Why nothing is checked where no read is seen.
const UNSEEN: &str = "reads are not counted on this backend";

/// Counts everything.
pub(crate) fn run(device: &Device, name: &str) {
    let Some(none) = steps(&plain(), Problem::mlp(None, NET, device), device) else {
        let row = Row::new("reads", "MLP", "every trick");
        row.failed("nothing counts on this backend").send();
        return;
    };
    let on_purpose = "one loss read on purpose";
    let mut sees_reads = false;
    report::send("reads", "MLP", on_purpose, || {
        let counts = a_read(device);
        sees_reads = counts.reads == 1;
        control(on_purpose, counts, logs_reads(name))
    });
    let of_case = |case: &Case, problem: &dyn Fn() -> Problem, name: &str, on: &str| {
        report::send("reads", on, name, || {
            let problem = problem();
            let weights = weights(&problem.net);
            let counts = steps(case, problem, device).expect("it has counted above");
            let expected = case.reads.of(STEPS, weights);
            row(name, on, counts, none, sees_reads.then_some(expected))
        });
    };
    let mlp = |addition| move || Problem::mlp(addition, NET, device);
    of_case(&plain(), &mlp(None), "SGD alone", "MLP");
    for case in every() {
        of_case(&case, &mlp(None), case.name, "MLP");
    }
    for (name, addition, _) in ADDITIONS {
        of_case(&plain(), &mlp(Some(addition)), name, "MLP");
    }
    let config = ResNetConfig::new(3, 10).with_widths(vec![8, 16]);
    let config = config.with_squeeze_excite(Some(4)).with_drop_path(0.1);
    let problem = || Problem::res_net(&config, [8, 8], device);
    of_case(&plain(), &problem, "all of a ResNet", "ResNet");
}

fn steps(case: &Case, problem: Problem, device: &Device) -> Option<Counts> {
    let mut training = Training::new(case, problem);
    training.steps(WARM);
    device.sync().expect("the device works");
    let counts = counted(|| {
        training.steps(STEPS);
        device.sync().expect("the device works");
    });
    counts.1
}

fn row(name: &str, on: &str, counts: Counts, plain: Counts, expected: Option<usize>) -> Row {
    let per_step = |count: usize| count as f64 / STEPS as f64;
    let row = Row {
        reads: expected.map(|_| per_step(counts.reads)),
        launches: Some(per_step(counts.launches)),
        other_launches: (on == "MLP").then(|| per_step(plain.launches)),
        ..Row::new("reads", on, name)
    };
    match expected {
        None => row.not_checked(UNSEEN),
        Some(expected) if counts.reads == expected => row,
        Some(expected) => row.failed(format!(
            "{} reads in {STEPS} steps, {expected} are documented",
            counts.reads
        )),
    }
}

/// What is counted while the host reads one number.
fn a_read(device: &Device) -> Counts {
    let problem = Problem::mlp(None, NET, device);
    let read = |net: &Net| problem.loss(net).into_scalar::<f32>();
    read(&problem.net);
    let (_, counts) = counted(|| read(&problem.net));
    counts.expect("it has counted before")
}

/// A read that is made on purpose must be seen where reads are logged, and the launches before it everywhere.
fn control(name: &str, counts: Counts, logs_reads: bool) -> Row {
    let row = Row {
        reads: logs_reads.then_some(counts.reads as f64),
        launches: Some(counts.launches as f64),
        ..Row::new("reads", "MLP", name)
    };
    match logs_reads {
        _ if counts.launches == 0 => row.failed("no launch is counted"),
        true if counts.reads != 1 => row.failed("one read is made"),
        true => row,
        false => Row {
            note: format!("launches alone: {UNSEEN}"),
            ..row
        },
    }
}

/// How many float parameters there are.
fn weights(net: &Net) -> usize {
    struct Count(usize);
    impl ModuleVisitor for Count {
        fn visit_float<const D: usize>(&mut self, _: &Param<Tensor<D>>) {
            self.0 += 1;
        }
    }
    let mut count = Count(0);
    net.visit(&mut count);
    count.0
}
