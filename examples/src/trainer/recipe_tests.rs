//! Each recipe changes what its row says, and its training has what it says.

use super::tests::{alone, first_epoch, recipes, samples, setup, trainer};
use super::*;
use crate::mlp::Init;
use burn::module::{ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Distribution, Tensor};
use burn_tricks::average::Predict as _;

/// Every field.
fn fields(setup: &Setup) -> Vec<String> {
    let Setup {
        network,
        scale_inputs,
        init,
        hidden,
        norm,
        skip,
        squeeze_excite,
        dropout,
        drop_path,
        weight_norm,
        max_norm,
        label_smoothing,
        mixup,
        cutmix,
        erasing,
        test_time_shift,
        optimizer,
        lookahead,
        schedule_free,
        batch_size,
        micro_batches,
        learning_rate,
        rate,
        sam,
        centralize,
        agc,
        clip,
        normalize,
        patience,
        members,
        averaging,
        soup,
    } = setup;
    assert!(hidden.iter().all(|size| *size == hidden[0]), "{hidden:?}");
    vec![
        format!("network {network:?}"),
        format!("scale_inputs {scale_inputs}"),
        format!("init {init:?}"),
        format!("hidden {} of {}", hidden.len(), hidden[0]),
        format!("norm {norm:?}"),
        format!("skip {skip:?}"),
        format!("squeeze_excite {squeeze_excite:?}"),
        format!("dropout {dropout}"),
        format!("drop_path {drop_path}"),
        format!("weight_norm {weight_norm}"),
        format!("max_norm {max_norm:?}"),
        format!("label_smoothing {label_smoothing:?}"),
        format!("mixup {mixup:?}"),
        format!("cutmix {cutmix:?}"),
        format!("erasing {erasing:?}"),
        format!("test_time_shift {test_time_shift:?}"),
        format!("optimizer {optimizer:?}"),
        format!("lookahead {lookahead:?}"),
        format!("schedule_free {schedule_free:?}"),
        format!("batch_size {batch_size}"),
        format!("micro_batches {micro_batches}"),
        format!("learning_rate {learning_rate}"),
        format!("rate {rate:?}"),
        format!("sam {sam:?}"),
        format!("centralize {centralize}"),
        format!("agc {agc:?}"),
        format!("clip {clip:?}"),
        format!("normalize {normalize}"),
        format!("patience {patience:?}"),
        format!("members {members}"),
        format!("averaging {averaging:?}"),
        format!("soup {soup}"),
    ]
}

/// What a recipe changes of its baseline, or, if it has none, of `baseline`.
const CHANGES: &[(&str, &str)] = &[
    ("baseline", ""),
    ("no-scaling", "scale_inputs false"),
    ("init-normal", "init Normal"),
    ("init-1/n", "init OverN"),
    ("init-1/sqrt-n", "init OverSqrtN"),
    ("init-uniform", "init Uniform"),
    ("init-xavier", "init Xavier"),
    ("init-he", "init He"),
    ("init-orthogonal", "init Orthogonal"),
    ("batch-norm", "norm Batch"),
    ("layer-norm", "norm Layer"),
    ("weight-norm", "weight_norm true"),
    ("dropout", "dropout 0.2"),
    ("weight-decay", "optimizer SgdL2(0.001)"),
    ("max-norm", "max_norm Some(1.0)"),
    ("momentum", "optimizer Momentum(0.9)"),
    (
        "lookahead",
        "lookahead Some(SlowWeights { k: 5, alpha: 0.5 })",
    ),
    ("normalized-model", "normalize true"),
    ("normalized-tensor", "optimizer NormalizedTensor"),
    ("centralize", "centralize true"),
    ("accumulate", "micro_batches 2"),
    ("sam", "sam Some(0.05)"),
    ("adagrad", "optimizer AdaGrad, learning_rate 0.01"),
    ("rms-prop", "optimizer RmsProp, learning_rate 0.001"),
    ("adam", "optimizer Adam, learning_rate 0.001"),
    ("burn-adam", "optimizer BurnAdam"),
    ("schedule-free", "schedule_free Some(0.9), learning_rate 1"),
    ("unstable", "learning_rate 1"),
    ("clip", "clip Some(1.0)"),
    ("agc", "agc Some(0.1)"),
    ("decay", "rate Exponential(0.98)"),
    ("warm-up", "rate Warmup(5)"),
    ("cosine", "rate Cosine"),
    ("one-cycle", "learning_rate 0.5, rate OneCycle"),
    ("ema", "averaging Ema(0.99)"),
    ("swa", "averaging Swa(0.75)"),
    ("soup", "soup 3"),
    (
        "snapshot-ensemble",
        "learning_rate 0.2, rate Restarts(5), averaging Snapshots(3)",
    ),
    ("early-stopping", "patience Some(5)"),
    ("ensemble", "members 5"),
    ("deep", "hidden 20 of 32, batch_size 128"),
    ("deep-init-xavier", "init Xavier"),
    ("deep-init-he", "init He"),
    ("deep-batch-norm", "norm Batch"),
    ("deep-layer-norm", "norm Layer"),
    ("deep-residual", "skip Residual"),
    ("deep-rezero", "skip ReZero"),
    ("deep-drop-path", "drop_path 0.2"),
    (
        "deep-unstable",
        "init He, hidden 20 of 32, batch_size 128, learning_rate 0.3",
    ),
    ("deep-clip", "clip Some(1.0)"),
    ("deep-normalized", "normalize true"),
];

#[test]
fn a_recipe_changes_what_its_row_says_and_nothing_else() {
    let changes = |recipe: &crate::recipes::Recipe| {
        let baseline = recipe.baseline.as_deref().unwrap_or("baseline");
        let baseline = fields(&setup(baseline));
        let mut changed = fields(&recipe.setup);
        changed.retain(|field| !baseline.contains(field));
        (recipe.name.clone(), changed.join(", "))
    };
    let expected: Vec<_> = (CHANGES
        .iter()
        .map(|(name, change)| (name.to_string(), change.to_string())))
    .collect();
    let recipes = recipes();
    assert_eq!(recipes.iter().map(changes).collect::<Vec<_>>(), expected);
}

/// A tensor of a model: its path, the type of the module it stands in, its values.
struct Found {
    path: String,
    of: String,
    values: Vec<f64>,
}

#[derive(Default)]
struct Find {
    at: Vec<(String, String)>,
    found: Vec<Found>,
}

impl ModuleVisitor for Find {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let names: Vec<&str> = self.at.iter().map(|(name, _)| name.as_str()).collect();
        self.found.push(Found {
            path: names.join("."),
            of: self.at.last().map(|(_, of)| of.clone()).unwrap_or_default(),
            values: param.val().into_data().iter::<f64>().collect(),
        });
    }

    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.at.push((name.to_owned(), container_type.to_owned()));
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.at.pop();
    }
}

fn find(model: &Network) -> Vec<Found> {
    let mut find = Find::default();
    model.visit(&mut find);
    find.found
}

/// Sets the factors of skips, which are the only tensors of one number, to 1.
struct Ones;

impl ModuleMapper for Ones {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match param.dims().iter().product::<usize>() {
            1 => param.map(|value| value.ones_like()),
            _ => param,
        }
    }
}

/// What a training consists of.
#[derive(Debug, Default, PartialEq)]
struct Parts {
    members: usize,
    batch_norms: usize,
    layer_norms: usize,
    /// Weights with a length of their own.
    lengths: usize,
    /// Layers with a skip.
    skips: usize,
    /// Factors of them that start at 0.
    zeros: usize,
    /// Whether two passes differ in training.
    draws: bool,
    constraint: Option<f64>,
    clip: bool,
    normalize: bool,
    sam: bool,
    centralize: bool,
    agc: bool,
    micro_batches: usize,
}

impl Parts {
    fn of(trainer: &Trainer) -> Self {
        let (model, tricks) = (&trainer.members[0].model, &trainer.pass.tricks);
        let found = find(model);
        let count = |is: &dyn Fn(&Found) -> bool| found.iter().filter(|found| is(found)).count();
        let images = Tensor::random([64, 64], Distribution::Default, &trainer.pass.device);
        let open = model.clone().map(&mut Ones);
        let outputs = || open.predict(images.clone()).into_data();
        Self {
            members: trainer.members.len(),
            batch_norms: count(&|f| f.of == "Struct:BatchNorm" && f.path.ends_with("gamma")),
            layer_norms: count(&|f| f.of == "Struct:LayerNorm" && f.path.ends_with("gamma")),
            lengths: count(&|f| f.path.ends_with("weight_norm.g")),
            skips: count(&|f| f.path.ends_with("branch.linear.weight")),
            zeros: count(&|f| f.path.ends_with("scale.gamma") && f.values == [0.0]),
            draws: outputs() != outputs(),
            constraint: trainer.setup.max_norm.filter(|_| tricks.max_norm.is_some()),
            clip: tricks.clip.is_some(),
            normalize: tricks.normalize.is_some(),
            sam: tricks.sam.is_some(),
            centralize: tricks.centralize.is_some(),
            agc: tricks.agc.is_some(),
            micro_batches: trainer.pass.micro_batches,
        }
    }

    fn expected(name: &str) -> Self {
        let mut parts = Self {
            members: 1,
            micro_batches: 1,
            ..Default::default()
        };
        match name {
            "ensemble" => parts.members = 5,
            "batch-norm" => parts.batch_norms = 2,
            "deep-batch-norm" => parts.batch_norms = 20,
            "layer-norm" => parts.layer_norms = 2,
            "deep-layer-norm" => parts.layer_norms = 20,
            "weight-norm" => parts.lengths = 3,
            "dropout" => parts.draws = true,
            "max-norm" => parts.constraint = Some(1.0),
            // The first layer changes the size.
            "deep-residual" => parts.skips = 19,
            "deep-rezero" => (parts.skips, parts.zeros) = (19, 19),
            "deep-drop-path" => (parts.skips, parts.zeros, parts.draws) = (19, 19, true),
            "clip" | "deep-clip" => parts.clip = true,
            "sam" => parts.sam = true,
            "centralize" => parts.centralize = true,
            "agc" => parts.agc = true,
            "accumulate" => parts.micro_batches = 2,
            "normalized-model" | "deep-normalized" => parts.normalize = true,
            _ => {}
        }
        parts
    }
}

/// The standard deviation of the first layer's weights, of 64 inputs and so many outputs.
fn deviation(init: Init, outputs: f64) -> f64 {
    match init {
        Init::Default => 1.0 / 192_f64.sqrt(),
        Init::Normal => 1.0,
        Init::OverN => 1.0 / 64.0,
        Init::OverSqrtN | Init::Orthogonal => 1.0 / 8.0,
        Init::Uniform => 0.1 / 12_f64.sqrt(),
        Init::Xavier => (2.0 / (64.0 + outputs)).sqrt(),
        Init::He => (2.0_f64 / 64.0).sqrt(),
    }
}

#[test]
fn a_training_has_what_its_row_says() {
    let _alone = alone();
    let train = samples();
    for recipe in recipes() {
        let setup = recipe.setup;
        let trainer = trainer(&setup, 3, &train, 20);
        assert_eq!(
            Parts::of(&trainer),
            Parts::expected(&recipe.name),
            "{}",
            recipe.name
        );

        let first = &find(&trainer.members[0].model)[0];
        let count = first.values.len() as f64;
        assert_eq!(count, 64.0 * setup.hidden[0] as f64, "{}", first.path);
        let squares = first
            .values
            .iter()
            .map(|weight| weight * weight)
            .sum::<f64>();
        let ratio = (squares / count).sqrt() / deviation(setup.init, count / 64.0);
        // 2,048 numbers at least: five standard errors are 8 %.
        assert!((ratio - 1.0).abs() < 0.08, "{}: {ratio}", recipe.name);
    }
    let drop_path = trainer(&setup("deep-drop-path"), 3, &train, 1);
    let text = drop_path.members[0].model.to_string();
    assert_eq!(text.matches("DropPath {").count(), 19, "{text}");
    assert!(text.contains("DropPath {prob: 0.2,"), "{text}");
}

#[test]
fn what_works_on_the_step_does() {
    let _alone = alone();
    let train = samples();
    let [_, plain] = first_epoch(&setup("baseline"), 3, &train);
    let trained = |change: fn(&mut Setup)| {
        let mut setup = setup("baseline");
        change(&mut setup);
        first_epoch(&setup, 3, &train)[1].clone()
    };
    let cut = trained(|setup| setup.max_norm = Some(0.3));
    // The first layer's weights, 64 inputs of 64 units.
    for unit in 0..64 {
        let squares = (0..64).map(|input| cut[0][64 * input + unit].powi(2));
        assert!(squares.sum::<f64>().sqrt() < 0.3 + 1e-6, "unit {unit}");
    }
    assert_ne!(trained(|setup| setup.clip = Some(0.1)), plain);
    assert_ne!(trained(|setup| setup.normalize = true), plain);
}

#[test]
fn image_tricks_change_the_training_and_shifts_only_the_prediction() {
    let _alone = alone();
    let train = samples();
    let recipes = crate::recipes::BuiltIn::Cnn.task().recipes;
    let setup = |name: &str| {
        let recipe = recipes.iter().find(|recipe| recipe.name == name);
        recipe.unwrap().setup.clone()
    };
    let baseline = setup("baseline");
    let [start, after] = first_epoch(&baseline, 3, &train);
    for name in ["mixup", "cutmix", "erasing", "label-smoothing"] {
        let changed = first_epoch(&setup(name), 3, &train);
        assert_eq!(changed[0], start, "{name}");
        assert_ne!(changed[1], after, "{name}");
        assert_eq!(
            first_epoch(&setup(name), 3, &train),
            changed,
            "{name} again"
        );
    }
    let shifted = setup("test-time-shift");
    assert_eq!(first_epoch(&shifted, 3, &train)[1], after);
    let loss = |setup: &Setup| super::tests::loss(&trainer(setup, 3, &train, 10), &train);
    assert_ne!(loss(&shifted), loss(&baseline));
}
