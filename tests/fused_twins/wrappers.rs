//! Optimizers' wrappers around Adam: a step on one matrix.

use crate::measure::Bench;
use burn::module::Param;
use burn::nn::Linear;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{DType, Distribution, Tensor};
use burn_tricks::optim::{
    Adam, AdamConfig, AdamWConfig, MasterWeightsConfig, MasterWeightsForm, OptimizerExt as _,
    Scheduled, SelectiveDecayConfig,
};
use std::error::Error;

const SHAPE: [usize; 2] = [2048, 2048];

fn adam() -> Result<Adam, Box<dyn Error>> {
    Ok(AdamConfig::new().build()?)
}

fn selective(layer: &Linear) -> Result<ModuleOptimizer, Box<dyn Error>> {
    let config = SelectiveDecayConfig::new().sparing(["weight"]);
    let adam_w = AdamWConfig::torch();
    let spared = adam_w.clone().with_weight_decay(0.0).build()?;
    let group = config.init(layer)?.spared_group();
    Ok(adam_w.init()?.with_group(group, spared, None))
}

pub(crate) fn report(bench: &Bench) -> Result<(), Box<dyn Error>> {
    println!("\nwrappers, a step on {SHAPE:?}: ms, launches, passes");
    let layer = |dtype: DType| {
        let values = Tensor::<2>::random(SHAPE, Distribution::Default, &bench.device);
        Linear {
            weight: Param::from_tensor(Tensor::from_inner(values.cast(dtype))),
            bias: None,
        }
    };
    let line = |name: &str, dtype: DType, mut optim: ModuleOptimizer| {
        let mut model = Some(layer(dtype));
        let grad = Tensor::<2>::random(SHAPE, Distribution::Default, &bench.device).cast(dtype);
        let id = model.as_ref().expect("there").weight.id;
        let grads = || {
            let mut grads = GradientsParams::new();
            grads.register(id, grad.clone() * 1.5);
            grads
        };
        let work = |grads| {
            let before = model.take().expect("given back below");
            model = Some(optim.step(1e-4, before, grads));
        };
        let cost = bench.cost(name, grads, work);
        let passes = cost.ms / bench.pass(SHAPE[0] * SHAPE[1]);
        println!(
            "{name:<28} {:>9.2} {:>9} {passes:>9.1}",
            cost.ms, cost.launches
        );
    };
    let f32 = |name, optim| line(name, DType::F32, optim);
    f32("Adam alone", adam()?.init());
    f32("lookahead, k = 1", adam()?.lookahead(1, 0.5)?.init());
    f32(
        "decoupled decay",
        adam()?.decoupled_weight_decay(0.01)?.init(),
    );
    f32("cautious", adam()?.cautious().init());
    f32("trust ratio", adam()?.trust_ratio().init());
    f32("schedule-free", adam()?.schedule_free(0.9)?.init());
    let scheduled = Scheduled::build(|_| AdamConfig::new().build())?;
    f32("scheduled", scheduled.init());
    f32("AdamW, selective decay", selective(&layer(DType::F32))?);
    for (name, dtype, form) in [
        ("master weights of f16", DType::F16, MasterWeightsForm::F32),
        (
            "master weights of bf16",
            DType::BF16,
            MasterWeightsForm::F32,
        ),
        ("Kahan, f16", DType::F16, MasterWeightsForm::Kahan),
        ("Kahan, bf16", DType::BF16, MasterWeightsForm::Kahan),
    ] {
        if bench.device.supports_dtype(dtype) {
            let config = MasterWeightsConfig::new().with_form(form);
            line(name, dtype, config.init(adam()?));
        } else {
            println!("{name:<28} the device has no {dtype:?}");
        }
    }
    Ok(())
}
