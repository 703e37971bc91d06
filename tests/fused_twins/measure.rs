//! Time and launches of work on the device.

use burn::cubecl::config::{TypeNameFormatLevel, type_name_format};
use burn::cubecl::logging::{LaunchObservation, LaunchObserver};
use burn::tensor::{Device, Tensor};
use burn_tricks::kernels::{SumOfSquares, TensorList, scale, sum_of_squares};
use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// Rounds that count, after those in which kernels are compiled and `fusion` looks for what it can merge.
const ROUNDS: usize = 9;
const WARM_UP: usize = 3;

/// What some work costs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    /// The median of [`ROUNDS`] times, in milliseconds.
    pub(crate) ms: f64,
    /// The kernels launched in the last round.
    pub(crate) launches: usize,
}

#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) device: Device,
    names: bool,
}

impl Bench {
    pub(crate) fn new(names: bool) -> Result<Self, Box<dyn Error>> {
        let device = Device::wgpu_options().init()?;
        // A kernel that the driver refuses takes no time: it shows when its result is read.
        let list = TensorList::from(Tensor::<1>::from_floats([3.0, 4.0], &device));
        let SumOfSquares { scale: by, sum } = sum_of_squares(&list).ok_or("no sum")?;
        let mut scaled = scale(list, &(by.square() * sum));
        let scaled = scaled.pop::<1>().ok_or("no product")?;
        let scaled: Vec<f32> = scaled.try_into_data()?.try_to_vec()?;
        if scaled != [75.0, 100.0] {
            return Err(format!("[3, 4] · 25 is {scaled:?} on this device").into());
        }
        Ok(Self { device, names })
    }

    /// The cost of `work` on what `prepare` has made ready. What `work` returns lives until the clock has stopped:
    /// `fusion` does not calculate what is dropped at once.
    pub(crate) fn cost<T, R>(
        &self,
        name: &str,
        prepare: impl FnMut() -> T,
        work: impl FnMut(T) -> R,
    ) -> Cost {
        let [cost] = self.in_turn([name], prepare, work, |_| ());
        cost
    }

    /// The same in several settings, one after the other in each round.
    pub(crate) fn in_turn<T, R, const N: usize>(
        &self,
        names: [&str; N],
        mut prepare: impl FnMut() -> T,
        mut work: impl FnMut(T) -> R,
        mut set: impl FnMut(usize),
    ) -> [Cost; N] {
        let mut times = [(); N].map(|()| Vec::new());
        let mut launched = [(); N].map(|()| BTreeMap::new());
        for round in 0..WARM_UP + ROUNDS {
            for (variant, times) in times.iter_mut().enumerate() {
                set(variant);
                let ready = prepare();
                self.sync();
                let counts = Arc::new(Counts::default());
                let observation = LaunchObservation::new(counts.clone());
                let start = Instant::now();
                let result = work(ready);
                self.sync();
                let time = start.elapsed();
                drop(observation);
                drop(result);
                if round >= WARM_UP {
                    times.push(time.as_secs_f64() * 1e3);
                }
                launched[variant] = counts.0.lock().expect("no panic").clone();
            }
        }
        let mut costs = [Cost {
            ms: 0.0,
            launches: 0,
        }; N];
        for variant in 0..N {
            times[variant].sort_by(f64::total_cmp);
            costs[variant] = Cost {
                ms: times[variant][ROUNDS / 2],
                launches: launched[variant].values().sum(),
            };
            if self.names {
                for (kernel, count) in &launched[variant] {
                    let kernel = type_name_format(kernel, TypeNameFormatLevel::Balanced);
                    println!("    {}: {count} × {kernel}", names[variant]);
                }
            }
        }
        costs
    }

    fn sync(&self) {
        self.device.sync().expect("the device works");
    }

    /// The time of one pass: each of so many numbers read, multiplied and written.
    pub(crate) fn pass(&self, numbers: usize) -> f64 {
        let mut x = Some(Tensor::<1>::ones([numbers], &self.device));
        let work = |()| x = x.take().map(|x| x * 1.000_001);
        let quiet = Self {
            device: self.device.clone(),
            names: false,
        };
        quiet.cost("a pass", || (), work).ms
    }
}

#[derive(Debug, Default)]
struct Counts(Mutex<BTreeMap<&'static str, usize>>);

impl LaunchObserver for Counts {
    fn launched(&self, kernel: &'static str) {
        *self.0.lock().expect("no panic").entry(kernel).or_default() += 1;
    }
}
