//! The step of a hand-written loop in one: clipping, AdamW and a moving average on 1,000 small layers and on a plain
//! MLP, as three calls and as one `FusedStep`: the same weights to the bit, and the time of each.

use burn::module::{ModuleVisitor, Param};
use burn::nn::{Linear, LinearConfig};
use burn::optim::GradientsParams;
use burn::prelude::*;
use burn_tricks::average::Predict;
use burn_tricks::optim::{AdamWConfig, OptimizerExt as _};
use burn_tricks::prelude::*;
use burn_tricks_examples::mlp::{Mlp, MlpConfig};
use std::error::Error;
use std::time::{Duration, Instant};

const STEPS: usize = 10;

/// Layers side by side, such as one small network for each of many sensors.
#[derive(Module, Debug)]
struct Many {
    layers: Vec<Linear>,
}

impl Predict for Many {
    type Input = Tensor<2>;

    fn predict(&self, input: Tensor<2>) -> Tensor<2> {
        let outputs = self.layers.iter().map(|layer| layer.forward(input.clone()));
        outputs.reduce(|sum, output| sum + output).expect("layers")
    }
}

/// All weights, one after the other.
fn numbers<M: Module>(model: &M) -> Vec<f32> {
    struct Numbers(Vec<f32>);
    impl ModuleVisitor for Numbers {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.extend(param.val().into_data().iter::<f32>());
        }
    }
    let mut numbers = Numbers(Vec::new());
    model.visit(&mut numbers);
    numbers.0
}

/// Trains `start` by `step`. Returns the numbers of the weights, and the time that the steps alone took.
fn train<M: Predict<Input = Tensor<2>> + Module>(
    start: &M,
    input: &Tensor<2>,
    mut step: impl FnMut(M, GradientsParams) -> M,
) -> (Vec<f32>, Duration) {
    let (mut model, mut time) = (start.clone(), Duration::ZERO);
    for at in 0..STEPS {
        let loss = model.predict(input.clone()).square().mean();
        let grads = GradientsParams::from_grads(loss.backward(), &model);
        let began = Instant::now();
        model = step(model, grads);
        // The first step makes the optimizer's state.
        if at > 0 {
            time += began.elapsed();
        }
    }
    (numbers(&model), time)
}

fn compare<M>(name: &str, start: &M, input: &Tensor<2>) -> Result<(), Box<dyn Error>>
where
    M: Predict<Input = Tensor<2>> + Module,
{
    let clip = ClipGradNormConfig::new(1.0).init()?;
    let adam_w = AdamWConfig::torch().build()?;
    let average = EmaConfig::new(0.99).init(start)?;

    let (mut optim, mut ema) = (adam_w.clone().init(), average.clone());
    let (three, apart) = train(start, input, |model, grads| {
        let grads = clip.apply(&model, grads);
        let model = optim.step(1e-3, model, grads);
        ema.update(&model);
        model
    });

    let fused = adam_w.fused().with_transform(clip.clone());
    let mut fused = fused.with_average(average);
    let (one, together) = train(start, input, |model, grads| fused.step(1e-3, model, grads));

    let same = three == one && numbers(&ema.model()) == numbers(&fused.average().model());
    let ms = |time: Duration| time.as_secs_f64() * 1e3 / (STEPS - 1) as f64;
    println!(
        "{name:<18} three calls {:>5.2} ms, one {:>5.2} ms: {:.2} of the time; the same to the bit: {same}",
        ms(apart),
        ms(together),
        ms(together) / ms(apart)
    );
    if !same {
        return Err("a fused step must be the three calls".into());
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let device = Device::flex().autodiff();
    let input = |features| Tensor::<2>::ones([4, features], &device);
    let mlp: Mlp = seeded(&device, 1, || MlpConfig::new(784).init(&device));
    compare("MLP, 6 tensors", &mlp, &input(784))?;
    let many = seeded(&device, 1, || Many {
        layers: [(); 1000]
            .iter()
            .map(|()| LinearConfig::new(32, 16).init(&device))
            .collect(),
    });
    compare("1,000 small layers", &many, &input(32))
}
