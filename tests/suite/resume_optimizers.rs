//! Runs of optimizers and their wrappers, for `resume`: saved at every phase of a cycle, in every type.

use crate::models::Pair;
use crate::resume::{Case, case};
use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn::store::ModuleRecord;
use burn::tensor::{DType, Device};
use burn_tricks::average::{Ema, EmaConfig};
use burn_tricks::grad::{AutoClip, AutoClipConfig};
use burn_tricks::optim::{
    AdaBeliefConfig, AdaDeltaConfig, Adam, AdamConfig, AdamaxConfig, FusedStep, LarsConfig,
    MasterWeightsConfig, MasterWeightsForm, ModuleOptimizerExt as _, NAdamConfig,
    OptimizerExt as _, RAdamConfig, ScheduleFreeConfig, Scheduled, SgdConfig, SignumConfig,
};

/// A run; the model is out of it during a step.
struct Run {
    model: Option<Pair>,
    optim: ModuleOptimizer,
}

type Make = fn() -> ModuleOptimizer;

fn run(name: &str, dtype: DType, make: Make) -> Case {
    let begun = move || {
        let device = Device::flex().autodiff();
        Run {
            model: Some(Pair::new(&[1.0, -0.5], &[0.25], dtype, &device)),
            optim: make(),
        }
    };
    let step = |run: &mut Run, at: usize| {
        let (model, at) = (run.model.take().expect("put back below"), at as f64);
        let grads = model.grads(&[(at * 1.3).sin(), (at * 0.7).cos()], &[(at * 2.1).sin()]);
        let lr = 0.01 * (1.0 + (at * 0.5).sin().abs());
        let model = run.optim.step(lr, model, grads);
        let (mut a, b) = model.values();
        run.model = Some(model);
        a.extend(b);
        a
    };
    let model_of = |run: &Run| run.model.clone().expect("between two steps");
    case(
        format!("{name}, {dtype:?}"),
        begun,
        step,
        move |run, file| {
            model_of(run).into_record().save(file).unwrap();
            run.optim.save(file.with_extension("optim")).unwrap();
        },
        move |run, file| {
            let record = ModuleRecord::load(file).unwrap();
            let model = model_of(&run).load_record(record);
            let file = file.with_extension("optim");
            let optim = run.optim.try_load(&model, file).unwrap();
            Run {
                model: Some(model),
                optim,
            }
        },
    )
}

/// The same in one step, with clipping and an average, each with its own file.
struct FusedRun {
    model: Option<Pair>,
    fused: FusedStep<AutoClip, Ema<Pair>>,
}

fn fused_run(dtype: DType) -> Case {
    let begun = move || {
        let device = Device::flex().autodiff();
        let model = Pair::new(&[1.0, -0.5], &[0.25], dtype, &device);
        let clip = AutoClipConfig::new().with_percentile(50.0).with_history(4);
        let ema = EmaConfig::new(0.9).with_update_every(2).init(&model);
        let fused = adam().lookahead(3, 0.5).unwrap().fused();
        FusedRun {
            model: Some(model),
            fused: fused
                .with_transform(clip.init().unwrap())
                .with_average(ema.unwrap()),
        }
    };
    let step = |run: &mut FusedRun, at: usize| {
        let (model, at) = (run.model.take().expect("put back below"), at as f64);
        let grads = model.grads(&[(at * 1.3).sin(), (at * 0.7).cos()], &[(at * 2.1).sin()]);
        let lr = 0.01 * (1.0 + (at * 0.5).sin().abs());
        let model = run.fused.step(lr, model, grads);
        let (mut shown, b) = model.values();
        let (mean, c) = run.fused.average().model().values();
        run.model = Some(model);
        shown.extend([b, mean, c].concat());
        shown
    };
    let model_of = |run: &FusedRun| run.model.clone().expect("between two steps");
    case(
        format!("a fused step, {dtype:?}"),
        begun,
        step,
        move |run, file| {
            model_of(run).into_record().save(file).unwrap();
            let (optim, mean) = (file.with_extension("optim"), file.with_extension("mean"));
            run.fused.to_record().save(optim).unwrap();
            run.fused.average().to_record().save(mean).unwrap();
            let clip = run.fused.transform().state();
            std::fs::write(file.with_extension("clip"), clip).unwrap();
        },
        move |run, file| {
            let record = ModuleRecord::load(file).unwrap();
            let model = model_of(&run).load_record(record);
            let (optim, mean) = (file.with_extension("optim"), file.with_extension("mean"));
            let mut fused = run.fused.try_load(&model, optim).unwrap();
            let mean = ModuleRecord::load(mean).unwrap();
            let mean = fused.average().clone().load_record(mean).unwrap();
            let clip = std::fs::read(file.with_extension("clip")).unwrap();
            fused.transform_mut().load_state(&clip).unwrap();
            FusedRun {
                model: Some(model),
                fused: fused.with_average(mean),
            }
        },
    )
}

fn adam() -> Adam {
    AdamConfig::torch().build().unwrap()
}

/// Every one that Burn lacks, and every wrapper, alone and stacked.
pub(crate) fn optimizers() -> Vec<Case> {
    let of_type = |dtype: DType| {
        let all: [(&str, Make); 14] = [
            ("NAdam", || NAdamConfig::new().init().unwrap()),
            ("RAdam", || {
                RAdamConfig::new().with_beta_2(0.9).init().unwrap()
            }),
            ("Adamax", || AdamaxConfig::new().init().unwrap()),
            ("AdaDelta", || {
                AdaDeltaConfig::new().with_epsilon(0.1).init().unwrap()
            }),
            ("Signum", || SignumConfig::new().init().unwrap()),
            ("AdaBelief", || AdaBeliefConfig::new().init().unwrap()),
            ("LARS", || {
                LarsConfig::new().with_coefficient(1.0).init().unwrap()
            }),
            ("lookahead", || adam().lookahead(5, 0.5).unwrap().init()),
            ("cautious", || adam().cautious().init()),
            ("trust ratio", || adam().trust_ratio().init()),
            ("schedule-free", || {
                let config = ScheduleFreeConfig::new().with_step_power(0.5);
                config.init(adam()).unwrap()
            }),
            ("Kahan", || {
                let config = MasterWeightsConfig::new().with_form(MasterWeightsForm::Kahan);
                config.init(adam())
            }),
            ("scheduled", || {
                let optim = Scheduled::build(|step| {
                    let factor = 0.9 - 0.4 / step as f64;
                    SgdConfig::torch().with_momentum_factor(factor).build()
                });
                optim.unwrap().init()
            }),
            ("a stack of four", || {
                let lamb = adam().decoupled_weight_decay(0.01).unwrap().trust_ratio();
                lamb.lookahead(3, 0.5).unwrap().master_weights().init()
            }),
        ];
        all.map(|(name, make)| run(name, dtype, make))
    };
    let types = [DType::F32, DType::BF16];
    let all = types.into_iter().flat_map(of_type);
    all.chain(types.map(fused_run)).collect()
}
