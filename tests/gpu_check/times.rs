//! Times of whole steps: with a trick and without it, ours and Burn's, in turn.

use crate::cases::{Case, TWINS, aims, every, norms, pairs, plain};
use crate::counters::counted;
use crate::problem::Problem;
use crate::report::{self, Row};
use crate::run::is_unfused;
use crate::training::Training;
use burn::tensor::Device;
use burn_tricks::nn::ResNetConfig;
use burn_tricks_examples::additions::ADDITIONS;
use clap::ValueEnum;
use std::time::Instant;

/// Of a list, how many are timed to see that it runs.
const QUICK: usize = 2;

/// What is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timed {
    /// AdamW with clipping and averaging.
    Aims { fusion: bool },
    /// Optimizers that need a number of each tensor, against those that do not.
    Norms,
    /// Our optimizers and Burn's.
    Optimizers,
    /// Every trick and module.
    Everything,
}

impl Timed {
    fn section(self) -> &'static str {
        match self {
            Self::Aims { fusion: true } => "aims",
            Self::Aims { fusion: false } => "unfused",
            Self::Norms => "norms",
            Self::Optimizers => "optimizers",
            Self::Everything => "times",
        }
    }
}

/// Steps before the clock: for kernels to be compiled, and chosen.
const WARM: usize = 4;
/// The length of a block of steps that is timed at once, between two waits for the device, in milliseconds.
const BLOCK: f64 = 40.0;

/// What is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum On {
    /// A multi-layer perceptron.
    Mlp,
    /// A residual network.
    #[value(name = "resnet")]
    ResNet,
    /// 8 matrices of 1024×1024.
    A,
    /// 2,000 matrices of 64×16.
    B,
}

impl On {
    pub(crate) const ALL: [Self; 4] = [Self::Mlp, Self::ResNet, Self::A, Self::B];

    fn name(self) -> &'static str {
        match self {
            Self::Mlp => "MLP",
            Self::ResNet => "ResNet",
            Self::A => "a",
            Self::B => "b",
        }
    }

    /// Whether there is a loss, which some tricks need.
    fn has_loss(self) -> bool {
        matches!(self, Self::Mlp | Self::ResNet)
    }

    fn problem(self, quick: bool, device: &Device) -> Problem {
        match self {
            Self::Mlp => Problem::mlp(None, mlp(quick), device),
            Self::ResNet => {
                let (config, images) = res_net(quick);
                Problem::res_net(&config, images, device)
            }
            Self::A if quick => Problem::given(2, [64, 64], device),
            Self::A => Problem::given(8, [1024, 1024], device),
            Self::B if quick => Problem::given(20, [8, 8], device),
            Self::B => Problem::given(2000, [64, 16], device),
        }
    }
}

/// Samples, inputs and width.
fn mlp(quick: bool) -> [usize; 3] {
    if quick { [32, 20, 48] } else { [64, 784, 512] }
}

/// ResNet-20 for images of 32×32, in batches of 128.
fn res_net(quick: bool) -> (ResNetConfig, [usize; 2]) {
    let config = ResNetConfig::new(3, 10);
    if quick {
        (config.with_widths(vec![8, 8]), [4, 8])
    } else {
        (config.with_blocks(3), [128, 32])
    }
}

/// Times these on these, the most asked for first; if `quick`, on small tensors and in few steps, to see that it runs.
pub(crate) fn run(device: &Device, timed: Timed, on: &[On], quick: bool) {
    let bench = Bench {
        device,
        timed,
        on,
        quick,
    };
    match timed {
        Timed::Aims { .. } => bench.aims(),
        Timed::Norms => bench.norms(),
        Timed::Optimizers => bench.optimizers(),
        Timed::Everything => bench.everything(),
    }
}

struct Bench<'a> {
    device: &'a Device,
    timed: Timed,
    on: &'a [On],
    quick: bool,
}

impl Bench<'_> {
    fn aims(&self) {
        for on in self.on.iter().copied() {
            let [adam_w, tricks @ ..] = aims();
            for trick in &tricks {
                // On thousands of tensors each step would take seconds.
                if trick.name == TWINS && on != On::Mlp {
                    continue;
                }
                self.pair(on, trick, &adam_w, adam_w.name);
            }
        }
    }

    fn norms(&self) {
        for on in self.of([On::A, On::Mlp]) {
            for (case, other) in norms().into_iter().take(self.most()) {
                self.pair(on, &case, &other, other.name);
            }
        }
    }

    fn optimizers(&self) {
        for on in self.of([On::A, On::B]) {
            for (ours, burns, name) in pairs().into_iter().take(self.most()) {
                self.pair(on, &ours, &burns, &name);
            }
        }
    }

    fn everything(&self) {
        for on in self.on.iter().copied() {
            let every = every().into_iter();
            let every = every.filter(|case| !case.needs_loss || on.has_loss());
            for case in every.take(self.most()) {
                let plain = plain();
                self.pair(on, &case, &plain, plain.name);
            }
            if on == On::Mlp {
                self.additions(self.most());
            }
            if on == On::ResNet {
                self.res_nets();
            }
        }
    }

    /// Those of a list that are asked for.
    fn of<const N: usize>(&self, list: [On; N]) -> impl Iterator<Item = On> {
        list.into_iter().filter(|on| self.on.contains(on))
    }

    /// How many of a list are timed.
    fn most(&self) -> usize {
        if self.quick { QUICK } else { usize::MAX }
    }

    /// A case and what it is compared with, on the same problem.
    fn pair(&self, on: On, case: &Case, other: &Case, other_name: &str) {
        self.row(on.name(), case.name, other_name, || {
            [case, other].map(|case| Training::new(case, on.problem(self.quick, self.device)))
        });
    }

    /// The perceptron with each module, against the perceptron.
    fn additions(&self, some: usize) {
        for (name, addition, _) in ADDITIONS.into_iter().take(some) {
            let size = mlp(self.quick);
            self.row("MLP", name, "MLP", || {
                [Some(addition), None].map(|addition| {
                    Training::new(&plain(), Problem::mlp(addition, size, self.device))
                })
            });
        }
    }

    /// The residual network with what it can have, against the residual network.
    fn res_nets(&self) {
        let (config, images) = res_net(self.quick);
        for (name, with) in [
            (
                "squeeze-and-excitation",
                config.clone().with_squeeze_excite(Some(4)),
            ),
            ("drop-path", config.clone().with_drop_path(0.1)),
            ("no batch norm", config.clone().with_batch_norm(false)),
        ] {
            self.row("ResNet", name, "ResNet", || {
                [&with, &config].map(|config| {
                    Training::new(&plain(), Problem::res_net(config, images, self.device))
                })
            });
        }
    }

    /// A training and what it is compared with.
    fn row(&self, on: &str, name: &str, other: &str, make: impl FnOnce() -> [Training; 2]) {
        report::send(self.timed.section(), on, name, || {
            self.timed_row(on, name, other, make())
        });
    }

    fn timed_row(&self, on: &str, name: &str, other_name: &str, both: [Training; 2]) -> Row {
        let [mut with, mut other] = both;
        let [start, other_start] =
            [&mut with, &mut other].map(|training| self.block(training, WARM) * WARM as f64 / 1e3);
        let (ms, other_ms) = self.in_turn(&mut with, &mut other);
        let row = Row {
            fusion: Some(!is_unfused()),
            ms: Some(ms),
            other_ms: Some(other_ms),
            ratio: Some(ms / other_ms),
            start: Some(start),
            other_start: Some(other_start),
            launches: self.launches(&mut with),
            other_launches: self.launches(&mut other),
            note: format!("against {other_name}"),
            ..Row::new(self.timed.section(), on, name)
        };
        eprintln!(
            "{}: {on}, {name}: {ms:.4} ms, {:.3}; start {start:.1} s, {other_start:.1} s",
            row.section,
            ms / other_ms
        );
        row
    }

    /// The medians of both, which have taken their first steps, in milliseconds per step.
    fn in_turn(&self, with: &mut Training, other: &mut Training) -> (f64, f64) {
        let first = self.block(other, 2).max(self.block(with, 2));
        let (rounds, steps) = match first {
            _ if self.quick => (1, 2),
            slow if slow > BLOCK => (3, 1),
            first => (7, (BLOCK / first).min(100.0) as usize),
        };
        let mut times = (Vec::new(), Vec::new());
        for round in 0..rounds {
            if round % 2 == 0 {
                times.0.push(self.block(with, steps));
                times.1.push(self.block(other, steps));
            } else {
                times.1.push(self.block(other, steps));
                times.0.push(self.block(with, steps));
            }
        }
        (median(times.0), median(times.1))
    }

    /// So many steps, with a wait for the device at the end alone, in milliseconds per step.
    fn block(&self, training: &mut Training, steps: usize) -> f64 {
        self.sync();
        let start = Instant::now();
        training.steps(steps);
        self.sync();
        start.elapsed().as_secs_f64() * 1e3 / steps as f64
    }

    /// Kernels that a step launches: of two, since some tricks act every second step.
    fn launches(&self, training: &mut Training) -> Option<f64> {
        let ((), counts) = counted(|| {
            training.steps(2);
            self.sync();
        });
        Some(counts?.launches as f64 / 2.0)
    }

    fn sync(&self) {
        self.device.sync().expect("the device works");
    }
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
