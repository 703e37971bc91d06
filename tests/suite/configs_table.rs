//! Every configuration of the workspace, for `configs`.

use crate::configs::{Row, row};
use burn_tricks::Goal;
use burn_tricks::average::*;
use burn_tricks::data::*;
use burn_tricks::diagnose::{
    CapacityTestConfig, DoctorConfig, LastGoodConfig, LrRangeTestConfig, VerifyConfig,
};
use burn_tricks::grad::*;
use burn_tricks::nn::*;
use burn_tricks::optim::*;
use burn_tricks::schedule::*;
use burn_tricks::stop::*;
use burn_tricks::train::{EpochLoaderConfig, GradualUnfreezingConfig, SnapshotTrickConfig};

fn averages() -> Vec<Row> {
    vec![
        row(
            EmaConfig::new(0.999),
            &["decay"],
            r#"{"decay":0.9,"warmup":{"Timm":{"gamma":1.0,"power":0.75}},"update_every":2,"start_after":3,"buffers":"Copy"}"#,
        ),
        row(
            SwaConfig::new(10),
            &["update_every"],
            r#"{"update_every":2,"start_after":3,"buffers":"Copy"}"#,
        ),
        row(
            SwagConfig::new(10),
            &["update_every"],
            r#"{"update_every":2,"start_after":3,"rank":0,"scale":0.5}"#,
        ),
        row(
            LawaConfig::new(5, 10),
            &["last", "update_every"],
            r#"{"last":3,"update_every":2,"start_after":4,"buffers":"Copy"}"#,
        ),
        row(
            GreedySoupConfig::new(Goal::Maximize),
            &["goal"],
            r#"{"goal":"Minimize","ties":"Skip"}"#,
        ),
        row(
            EnsembleConfig::new(),
            &[],
            r#"{"combine":"MajorityVote","weights":[0.5,2.0]}"#,
        ),
        row(
            ScheduleFreeAverageConfig::new(),
            &[],
            r#"{"beta":0.5,"step_power":1.0,"rate_power":0.5,"buffers":"Copy"}"#,
        ),
        row(
            TestTimeAugmentationConfig::new(),
            &[],
            r#"{"combine":"MajorityVote"}"#,
        ),
        row(SnapshotEnsembleConfig::new(3), &["last"], r#"{"last":5}"#),
        row(
            RecalibrationConfig::new(),
            &[],
            r#"{"rule":"Cumulative","variance":"Unbiased","group":{"matcher":"All","excludes":"All"}}"#,
        )
        .of_burn(&["group"]),
    ]
}

fn data() -> Vec<Row> {
    vec![
        row(
            CutoutConfig::new(16),
            &["size"],
            r#"{"size":8,"prob":0.25,"fill":0.5}"#,
        ),
        row(HorizontalFlipConfig::new(), &[], r#"{"prob":0.25}"#),
        row(
            LabelSmoothingConfig::new(0.1),
            &["smoothing"],
            r#"{"smoothing":0.25}"#,
        ),
        row(
            MixSamplesConfig::mixup(0.5),
            &["mixup_alpha", "cutmix_alpha"],
            r#"{"mixup_alpha":0.25,"cutmix_alpha":1.0,"cut_sides":[0.25,0.75],"prob":0.5,"switch_prob":0.75,"unit":"Sample","pairing":"Roll","correct_lambda":false,"label_smoothing":0.125}"#,
        ),
        row(
            RandomCropConfig::new([32, 32]),
            &["size"],
            r#"{"size":[8,16],"padding":4,"fill":"Reflect"}"#,
        ),
        row(
            RandomErasingConfig::torchvision(),
            &["area", "aspect"],
            r#"{"area":[0.125,0.25],"aspect":[0.5,2.0],"prob":0.25,"boxes":[1,3],"fill":{"Channels":[0.5,0.25]}}"#,
        ),
    ]
}

fn examinations() -> Vec<Row> {
    vec![
        row(
            DoctorConfig::new(),
            &[],
            r#"{"loss":"MeanSquaredError","every":2,"rows":64,"checks_gradients":false}"#,
        ),
        row(LastGoodConfig::new(), &[], r#"{"seed":9,"every":5}"#),
        row(
            VerifyConfig::new(),
            &[],
            r#"{"looks":[6,9],"no_model":0.1,"first_seed":7}"#,
        ),
        row(
            LrRangeTestConfig::new(),
            &[],
            r#"{"lowest":0.001,"highest":1.0,"steps":50,"seeds":2,"diverged":3.0,"reseed":7}"#,
        ),
        row(
            CapacityTestConfig::new(1000),
            &["rows"],
            r#"{"rows":500,"batch":16,"seeds":2}"#,
        ),
    ]
}

fn gradients() -> Vec<Row> {
    vec![
        row(
            ClipGradNormConfig::new(1.0),
            &["max_norm"],
            r#"{"max_norm":2.0,"mode":"Unit","norm":{"Lp":3.0},"scope":"Tensor","non_finite":"ZeroGradient","epsilon":0.5}"#,
        ),
        row(
            AgcConfig::new(),
            &[],
            r#"{"clip_factor":0.05,"epsilon":0.5,"group":{"matcher":"All","excludes":"All"}}"#,
        )
        .of_burn(&["group"]),
        row(
            AutoClipConfig::new(),
            &[],
            r#"{"percentile":50.0,"history":3,"norm":"L1","non_finite":"ZeroGradient"}"#,
        ),
        row(CentralizeGradConfig::new(), &[], r#"{"min_rank":3}"#),
        row(
            ClipGradValueConfig::new(1.0),
            &["max_value"],
            r#"{"max_value":2.0}"#,
        ),
        row(
            GradAccumulatorConfig::new(4),
            &["micro_batches"],
            r#"{"micro_batches":2}"#,
        ),
        row(
            GradNoiseConfig::new(0.01),
            &["eta"],
            r#"{"eta":0.3,"gamma":0.5,"seed":7}"#,
        ),
        row(
            LossScalerConfig::new(),
            &[],
            r#"{"init_scale":256.0,"growth_factor":4.0,"backoff_factor":0.25,"growth_interval":10,"enabled":false}"#,
        ),
        row(
            NormalizeGradConfig::new(),
            &[],
            r#"{"norm":"L1","scope":"Tensor","non_finite":"ZeroGradient","epsilon":0.5}"#,
        ),
        row(
            FreezeConfig::for_paths(["encoder"]),
            &["paths"],
            r#"{"paths":["head"]}"#,
        ),
        row(
            PolyakStepConfig::new(),
            &[],
            r#"{"min_loss":0.5,"max_step":2.0,"epsilon":0.25,"never_uphill":true}"#,
        ),
        row(
            ProdigyConfig::new(),
            &[],
            r#"{"beta_3":0.25,"growth_rate":1.5,"beta_1":0.5,"beta_2":0.75,"epsilon":0.125,"weight_decay":0.5,"bias_correction":true,"safeguard_warmup":true,"first_distance":0.5,"distance_factor":2.0}"#,
        ),
        row(
            SamConfig::new(0.05),
            &["rho"],
            r#"{"rho":0.5,"perturbation":{"AdaptiveWeights":{"eta":0.25}},"epsilon":0.125}"#,
        ),
    ]
}

fn optimizers() -> Vec<Row> {
    vec![
        row(
            NormalizedGradientConfig::new(),
            &[],
            r#"{"scope":"Tensor","memory":{"Decay":{"beta":0.5}},"momentum":{"OfUpdate":{"mu":0.5}},"bias_correction":true,"epsilon":{"InsideRoot":0.5},"initial_accumulator":0.5,"weight_decay":0.5,"weight_decay_mode":"Decoupled","weight_decay_scope":"Matrices","skip_marked":true}"#,
        ),
        row(
            SgdConfig::new(),
            &[],
            r#"{"weight_decay":{"penalty":0.5},"momentum":{"momentum":0.5,"dampening":0.25,"nesterov":true},"gradient_clipping":{"Norm":2.0},"momentum_form":"OfUpdate","weight_decay_mode":"Decoupled","weight_decay_scope":"Matrices","skip_marked":true}"#,
        )
        .of_burn(&["weight_decay", "momentum", "gradient_clipping"]),
        row(
            AdaGradConfig::new(),
            &[],
            r#"{"weight_decay":{"penalty":0.5},"grad_clipping":{"Norm":2.0},"lr_decay":0.5,"epsilon":0.25,"epsilon_form":"InsideRoot","initial_accumulator":0.5,"weight_decay_mode":"Decoupled","weight_decay_scope":"Matrices","skip_marked":true}"#,
        )
        .of_burn(&["weight_decay", "grad_clipping"]),
        row(
            RmsPropConfig::new(),
            &[],
            r#"{"weight_decay":{"penalty":0.5},"grad_clipping":{"Value":2.0},"alpha":0.5,"momentum":0.5,"epsilon":0.25,"centered":true,"weight_decay_mode":"Decoupled","weight_decay_scope":"Matrices","skip_marked":true}"#,
        )
        .of_burn(&["weight_decay", "grad_clipping"]),
        row(
            AdamConfig::new(),
            &[],
            r#"{"weight_decay":{"penalty":0.5},"grad_clipping":{"Norm":2.0},"beta_1":0.5,"beta_2":0.75,"epsilon":0.25,"epsilon_form":"ToPlainRoot","amsgrad":true,"amsgrad_form":"CorrectThenMax","weight_decay_mode":"Decoupled","weight_decay_scope":"Matrices","skip_marked":true}"#,
        )
        .of_burn(&["weight_decay", "grad_clipping"]),
        row(
            NAdamConfig::new(),
            &[],
            r#"{"grad_clipping":{"Norm":2.0},"beta_1":0.5,"beta_2":0.75,"epsilon":0.25,"momentum_decay":2.0,"weight_decay":0.5,"weight_decay_mode":"Decoupled","weight_decay_scope":"Matrices","skip_marked":true}"#,
        )
        .of_burn(&["grad_clipping"]),
        row(
            RAdamConfig::new(),
            &[],
            r#"{"grad_clipping":{"Norm":2.0},"beta_1":0.5,"beta_2":0.75,"epsilon":0.25,"epsilon_form":"BesideCorrected","weight_decay":0.5,"weight_decay_mode":"Decoupled","weight_decay_scope":"Matrices","skip_marked":true}"#,
        )
        .of_burn(&["grad_clipping"]),
        row(
            AdamaxConfig::new(),
            &[],
            r#"{"grad_clipping":{"Norm":2.0},"beta_1":0.5,"beta_2":0.75,"epsilon":0.25,"epsilon_form":"ToDivisor","weight_decay":0.5,"weight_decay_mode":"Decoupled","weight_decay_scope":"Matrices","skip_marked":true}"#,
        )
        .of_burn(&["grad_clipping"]),
        row(
            AdaDeltaConfig::new(),
            &[],
            r#"{"grad_clipping":{"Norm":2.0},"rho":0.5,"epsilon":0.25,"weight_decay":0.5,"weight_decay_mode":"Decoupled","weight_decay_scope":"Matrices","skip_marked":true}"#,
        )
        .of_burn(&["grad_clipping"]),
        row(
            SignumConfig::new(),
            &[],
            r#"{"grad_clipping":{"Norm":2.0},"momentum":0.5,"weight_decay":0.5,"weight_decay_mode":"Coupled","weight_decay_scope":"Matrices","skip_marked":true}"#,
        )
        .of_burn(&["grad_clipping"]),
        row(
            AdaBeliefConfig::new(),
            &[],
            r#"{"grad_clipping":{"Norm":2.0},"beta_1":0.5,"beta_2":0.75,"epsilon":0.25,"epsilon_inside":0.5,"rectify":true,"weight_decay":0.5,"weight_decay_mode":"Coupled","weight_decay_scope":"Matrices","skip_marked":true}"#,
        )
        .of_burn(&["grad_clipping"]),
        row(
            LarsConfig::new(),
            &[],
            r#"{"grad_clipping":{"Norm":2.0},"coefficient":0.5,"epsilon":0.25,"momentum":0.5,"momentum_form":"OfGradient","divisor":"SumOfNorms","nesterov":true,"vectors":false,"weight_decay":0.5,"weight_decay_mode":"Decoupled","weight_decay_scope":"Matrices","skip_marked":true}"#,
        )
        .of_burn(&["grad_clipping"]),
        row(
            LookaheadConfig::new(5),
            &["k"],
            r#"{"k":3,"alpha":0.25,"reset_inner":true,"skip_marked":true}"#,
        ),
        row(
            DecoupledWeightDecayConfig::new(0.1),
            &["weight_decay"],
            r#"{"weight_decay":0.5,"initial_lr":0.25,"scope":"Matrices","skip_marked":true}"#,
        ),
        row(
            ScheduleFreeConfig::new(),
            &[],
            r#"{"beta":0.5,"step_power":1.0,"rate_power":0.5,"weight_decay":0.25,"weight_decay_scope":"Matrices","skip_marked":true}"#,
        ),
        row(CautiousConfig::new(), &[], r#"{"rescale":false}"#),
        row(
            TrustRatioConfig::new(),
            &[],
            r#"{"max_ratio":10.0,"coefficient":0.5,"epsilon":0.25,"vectors":false}"#,
        ),
        row(MasterWeightsConfig::new(), &[], r#"{"form":"Kahan"}"#),
        row(
            AdamWConfig::new(),
            &[],
            r#"{"grad_clipping":{"Norm":2.0},"beta_1":0.5,"beta_2":0.75,"epsilon":0.25,"epsilon_form":"ToPlainRoot","weight_decay":0.5,"cautious_weight_decay":true,"amsgrad":true,"amsgrad_form":"CorrectThenMax","weight_decay_scope":"Matrices","skip_marked":true}"#,
        )
        .of_burn(&["grad_clipping"]),
        row(
            SelectiveDecayConfig::new(),
            &[],
            r#"{"spared_roles":["Bias","Position"],"spare_vectors":false,"spared_paths":["head"]}"#,
        ),
    ]
}

fn schedules() -> Vec<Row> {
    vec![
        row(
            CosineConfig::new(0.1, 10),
            &["initial_lr", "steps"],
            r#"{"initial_lr":0.5,"steps":20,"min_lr":0.25}"#,
        ),
        row(
            CosineRestartsConfig::new(0.1, 10),
            &["initial_lr", "period"],
            r#"{"initial_lr":0.5,"period":20,"multiplier":2,"min_lr":0.25,"peak_decay":0.5}"#,
        ),
        row(
            CyclicConfig::new(0.1, 1.0, 10),
            &["base_lr", "max_lr", "steps_up"],
            r#"{"base_lr":0.5,"max_lr":2.0,"steps_up":20,"steps_down":5,"mode":{"ExpRange":{"gamma":0.5}}}"#,
        ),
        row(
            ExponentialDecayConfig::new(0.1),
            &["initial_lr"],
            r#"{"initial_lr":0.5,"gamma":0.75,"unit":{"Epochs":{"steps":5}},"floor":0.25}"#,
        ),
        row(
            GroupLrConfig::of([LrGroup::new(["head"], 2.0)]),
            &["groups"],
            r#"{"groups":[{"paths":["body"],"factor":0.5,"warmup_after":3,"warmup_steps":4,"warmup_start":0.25}]}"#,
        ),
        row(
            InverseSqrtConfig::new(0.1),
            &["initial_lr"],
            r#"{"initial_lr":0.5,"timescale":7}"#,
        ),
        row(
            LayerWiseLrConfig::over(0.5, ["embedding", "head"]),
            &["factor", "layers"],
            r#"{"factor":0.25,"layers":["blocks.*"]}"#,
        ),
        row(
            LinearRampConfig::new(0.1, 0.01, 10),
            &["initial_lr", "final_lr", "steps"],
            r#"{"initial_lr":0.5,"final_lr":0.25,"steps":20}"#,
        ),
        row(
            MultiStepConfig::new(0.1, vec![10]),
            &["initial_lr", "milestones"],
            r#"{"initial_lr":0.5,"milestones":[2,3],"gamma":0.5}"#,
        ),
        row(
            RexConfig::new(0.1, 10),
            &["initial_lr", "steps"],
            r#"{"initial_lr":0.5,"steps":20,"final_lr":0.25,"beta":0.75}"#,
        ),
        row(
            OneCycleConfig::new(0.1, 10),
            &["max_lr", "steps"],
            r#"{"max_lr":0.5,"steps":20,"peak":"Optax","rise":0.5,"back_at":0.75,"anneal":"Linear","div_factor":10.0,"final_div_factor":100.0}"#,
        ),
        row(
            PlateauConfig::new(Goal::Minimize),
            &["goal"],
            r#"{"goal":"Maximize","factor":0.5,"patience":{"Exceeded":3},"min_delta":{"Absolute":0.5},"cooldown":2,"min_scale":0.25,"floor":0.125}"#,
        ),
        row(
            PolynomialConfig::new(0.1, 10),
            &["initial_lr", "steps"],
            r#"{"initial_lr":0.5,"steps":20,"power":2.0,"final_lr":0.25}"#,
        ),
        row(
            WarmupConfig::new(10),
            &["steps"],
            r#"{"steps":20,"start":{"Rate":0.5},"shape":"Cosine","mode":"Over"}"#,
        ),
        row(
            WarmupStableDecayConfig::new(0.1, 10, 2),
            &["peak_lr", "steps", "decay_steps"],
            r#"{"peak_lr":0.5,"steps":20,"decay_steps":3,"warmup_steps":4,"final_lr":0.25,"shape":"Cosine"}"#,
        ),
    ]
}

fn stopping() -> Vec<Row> {
    vec![
        row(
            EarlyStoppingConfig::new(Goal::Minimize),
            &["goal"],
            r#"{"goal":"Maximize","patience":5,"min_delta":{"Relative":0.5},"warmup_checks":2,"baseline":0.5,"target":0.75,"divergence_limit":0.25,"non_finite":"Ignore","counting":"Keras"}"#,
        ),
        row(
            GeneralizationLossConfig::new(5.0),
            &["percent"],
            r#"{"percent":2.0}"#,
        ),
        row(
            ProgressQuotientConfig::new(1.0),
            &["quotient"],
            r#"{"quotient":0.5,"strip":3}"#,
        ),
        row(
            RisingStripsConfig::new(2),
            &["strips"],
            r#"{"strips":3,"strip":4}"#,
        ),
        row(SmoothedConfig::new(0.5), &["decay"], r#"{"decay":0.75}"#),
        row(
            NoiseAwareConfig::new(Goal::Minimize),
            &["goal"],
            r#"{"goal":"Maximize","patience":5,"standard_errors":1.0,"max_undecided":7,"non_finite":"Ignore"}"#,
        ),
        row(
            TimeLimitConfig::new(60.0),
            &["seconds"],
            r#"{"seconds":5.0}"#,
        ),
        row(CheckLimitConfig::new(10), &["checks"], r#"{"checks":5}"#),
        row(
            RollBackConfig::new(2),
            &["times"],
            r#"{"times":3,"lr_factor":0.25}"#,
        ),
        row(
            EpochLoaderConfig::new(32, 1),
            &["batch_size", "seed"],
            r#"{"batch_size":8,"seed":7,"draws":{"Bootstrap":{"seed":3}},"shuffle":false,"drop_last":true,"workers":2,"reseed_device":false}"#,
        ),
        row(
            GradualUnfreezingConfig::new(vec!["head".to_owned()]),
            &["groups"],
            r#"{"groups":["last","first"],"every_epochs":3,"begin_epochs":[1,2]}"#,
        ),
        row(
            SnapshotTrickConfig::new(10, 3),
            &["every_epochs", "last"],
            r#"{"every_epochs":5,"last":2}"#,
        ),
    ]
}

fn modules() -> Vec<Row> {
    const GROUP: &[&str] = &["group"];
    vec![
        row(
            ActivityPenaltyConfig::new(),
            &[],
            r#"{"l1":0.5,"l2":0.25}"#,
        ),
        row(AlphaDropoutConfig::new(0.5), &["prob"], r#"{"prob":0.25}"#),
        row(
            ClampWeightsConfig::new(-1.0, 1.0),
            &["min", "max"],
            r#"{"min":-0.5,"max":0.25,"group":{"matcher":"All","excludes":"All"}}"#,
        )
        .of_burn(GROUP),
        row(
            DropBlockConfig::new(0.5),
            &["prob"],
            r#"{"prob":0.25,"block_size":3,"unit":"Batch"}"#,
        ),
        row(
            GlobalResponseNormConfig::new(8),
            &["channels"],
            r#"{"channels":6,"epsilon":0.5,"axis":"Last"}"#,
        ),
        row(
            SqueezeExciteConfig::new(8, 2),
            &["channels", "squeezed"],
            r#"{"channels":6,"squeezed":3,"gate":"HardSigmoid"}"#,
        ),
        row(
            DropConnectConfig::new(0.5),
            &["prob"],
            r#"{"prob":0.25,"group":{"matcher":"All","excludes":"All"}}"#,
        )
        .of_burn(GROUP),
        row(
            DropPathConfig::new(0.5),
            &["prob"],
            r#"{"prob":0.25,"scale":"Inference","unit":"Batch"}"#,
        ),
        row(DropoutConfig::new(0.5), &["prob"], r#"{"prob":0.25}"#),
        row(
            GaussianDropoutConfig::new(0.5),
            &["prob"],
            r#"{"prob":0.25}"#,
        ),
        row(
            GhostBatchNormConfig::new(8, 4),
            &["num_features", "ghost_size"],
            r#"{"num_features":6,"ghost_size":3,"epsilon":0.5,"momentum":0.25,"variance":"Biased"}"#,
        ),
        row(
            InceptionBlockConfig::new(8, 4, [4, 4], [4, 4], 4),
            &["channels", "one", "three", "five", "pool"],
            r#"{"channels":6,"one":1,"three":[2,3],"five":[4,5],"pool":6,"batch_norm":false}"#,
        ),
        row(
            InceptionConfig::new(1, 10),
            &["channels", "classes"],
            r#"{"channels":3,"classes":5,"width":4,"stages":2,"blocks":3,"batch_norm":false,"dropout":0.5}"#,
        ),
        row(
            InitWeightsConfig::new(WeightInit::InverseFanIn),
            &["weights"],
            r#"{"weights":{"Normal":{"std":0.5}},"biases":"Keep","others":"Keep","rules":[{"path":"head","weights":{"Constant":{"value":0.0}}}],"seed":7}"#,
        ),
        row(
            LayerScaleConfig::new(8),
            &["channels"],
            r#"{"channels":6,"initial":0.5,"axis":2}"#,
        ),
        row(
            LsuvConfig::new(),
            &[],
            r#"{"tolerance":0.5,"max_iterations":3}"#,
        ),
        row(
            MaxNormConfig::new(2.0),
            &["max_norm"],
            r#"{"max_norm":3.0,"group":{"matcher":"All","excludes":"All"}}"#,
        )
        .of_burn(GROUP),
        row(
            McDropoutConfig::new(10),
            &["samples"],
            r#"{"samples":5,"layers":["dropout"]}"#,
        ),
        row(
            PenaltyConfig::new(),
            &[],
            r#"{"l1":0.5,"l2":0.25,"scope":"Every","group":{"matcher":"All","excludes":"All"}}"#,
        )
        .of_burn(GROUP),
        row(
            ResNetConfig::new(1, 10),
            &["channels", "classes"],
            r#"{"channels":3,"classes":5,"widths":[4,8],"blocks":2,"version":"V2","batch_norm":false,"scale":{"LayerScale":0.5},"squeeze_excite":4,"drop_path":0.25}"#,
        ),
        row(
            ResidualConfig::new(),
            &[],
            r#"{"placement":"Pre","activation":{"LeakyRelu":{"negative_slope":0.5}},"shortcut":{"Conv":{"channels":[2,4],"stride":2,"batch_norm":true}},"scale":{"channels":4,"initial":0.5,"axis":2}}"#,
        )
        .of_burn(&["activation"]),
        row(
            ScalerConfig::new(ScalerKind::Standard),
            &["kind"],
            r#"{"kind":{"MinMax":{"low":0.0,"high":2.0}},"by":"Whole","clip":[0.0,2.0],"missing":"Impute"}"#,
        ),
        row(
            SigmoidFocalLossConfig::new(),
            &[],
            r#"{"gamma":1.0,"alpha":0.5}"#,
        ),
        row(
            SoftmaxFocalLossConfig::new(),
            &[],
            r#"{"gamma":1.0,"class_weights":[0.5,2.0]}"#,
        ),
        row(
            SpatialDropoutConfig::new(0.5),
            &["prob"],
            r#"{"prob":0.25}"#,
        ),
        row(
            SpectralNormConfig::new(),
            &[],
            r#"{"iterations":3,"group":{"matcher":"All","excludes":"All"}}"#,
        )
        .of_burn(GROUP),
        row(
            TorchBatchNormConfig::new(8),
            &["num_features"],
            r#"{"num_features":6,"epsilon":0.5,"momentum":0.25}"#,
        ),
        row(
            UnitNormConfig::new(),
            &[],
            r#"{"norm":2.0,"group":{"matcher":"All","excludes":"All"}}"#,
        )
        .of_burn(GROUP),
        row(
            WeightNormConfig::new(),
            &[],
            r#"{"group":{"matcher":"All","excludes":"All"}}"#,
        )
        .of_burn(GROUP),
        row(
            WeightStandardizationConfig::new(),
            &[],
            r#"{"epsilon":0.5,"deviation":"SamplePlus","group":{"matcher":"All","excludes":"All"}}"#,
        )
        .of_burn(GROUP),
    ]
}

pub(crate) fn table() -> Vec<Row> {
    [
        averages(),
        data(),
        examinations(),
        gradients(),
        optimizers(),
        schedules(),
        stopping(),
        modules(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
