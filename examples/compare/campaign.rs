//! The comparison itself.

use crate::options::Options;
use crate::report;
use crate::worker::{Task, job, source};
use burn_tricks::compare::{Campaign, Comparison, Looks, Protocol, Runner, Store};
use burn_tricks_examples::recipes::{RECIPES, Recipe};
use serde_json::json;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::error::Error;
use std::io;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::available_parallelism;
use std::time::Duration;

/// The exit status of a program that Ctrl-C ended.
const INTERRUPTED: i32 = 130;
/// Seeds of `--quick`: the fewest that can decide any of its rows.
const QUICK_SEEDS: usize = 11;

/// Every chosen recipe, and the baselines of the chosen, to the first.
fn chosen(options: &Options) -> Vec<&'static Recipe> {
    let named = |recipe: &Recipe| match options.only.as_slice() {
        [] => !(options.quick && recipe.is_deep()),
        only => only.iter().any(|chosen| chosen == recipe.name),
    };
    let needed = |name: &str| {
        let of_chosen = |r: &Recipe| named(r) && r.baselines().any(|baseline| baseline == name);
        RECIPES.iter().any(of_chosen)
    };
    RECIPES
        .iter()
        .filter(|recipe| named(recipe) || needed(recipe.name))
        .collect()
}

/// Makes the runs that are missing, and reports all.
pub(crate) fn compare(options: &Options) -> Result<(), Box<dyn Error>> {
    // What would fail in every worker fails here, once; and a report that cannot be written before the
    // runs.
    options.device.device()?;
    source(options.data.as_deref())?;
    report::check(options)?;

    let mut protocol = Protocol::classification().with_target("90 % validation accuracy");
    if let Some(seeds) = options.seeds.map(NonZeroUsize::get) {
        protocol = protocol.with_looks(Looks::once(seeds)?);
    } else if options.quick {
        protocol = protocol.with_looks(Looks::once(QUICK_SEEDS)?);
    }
    let recipes = chosen(options);
    let rows = recipes.iter().filter(|r| r.baseline.is_some()).count();
    if rows == 0 {
        let names = options.only.join("`, `");
        return Err(format!("`{names}` is compared with nothing: name a variant too").into());
    }
    let described = recipes.iter().map(|recipe| recipe.described());
    let described = described.collect::<Result<Vec<_>, _>>()?;
    let looks = protocol.looks(rows);
    announce(&looks, described.len(), rows);

    let stop = stop_on_signals()?;
    let runner = Runner::new(processes(options))
        .with_fail_fast(options.fail_fast)
        .with_progress(true)
        .with_stop(Arc::clone(&stop));
    let mut campaign = Campaign::new(&protocol, &described, runner);
    if let Some(path) = &options.store {
        campaign = campaign.with_store(open(path, options, &described)?);
    }
    if let Some(shard) = options.shard {
        campaign = campaign.with_shard(shard);
    }
    if let Some(minutes) = options.minutes {
        campaign = campaign.with_deadline(Duration::from_secs(60 * minutes.get() as u64));
    }
    if options.device.is_gpu() {
        // Each process compiles its shaders first.
        campaign = campaign
            .with_seeds_per_job(NonZeroUsize::new(looks.first()).unwrap_or(NonZeroUsize::MIN));
    }
    let task = |variant: &str, seeds: &[u64]| {
        job(Task {
            variant: variant.to_owned(),
            seeds: seeds.to_vec(),
            epochs: options.epochs(),
            device: options.device,
            data: options.data.clone(),
        })
    };
    let comparison = campaign.run(task, |so_far| {
        let open = so_far.rows.iter().filter(|row| row.is_open).count();
        eprintln!(
            "{} of {rows} rows are decided; more seeds for {open}",
            rows - open
        );
    })?;
    let is_stopped = stop.load(Relaxed);
    match (options.shard, &options.store) {
        (Some(_), Some(_)) if is_stopped => {}
        (Some(shard), Some(path)) => println!(
            "part {shard} is in `{}`; merge the stores of all parts",
            path.display()
        ),
        _ => report::write(options, &comparison, &title(options))?,
    }
    ended(&comparison, options, is_stopped)
}

/// What is going to happen, and what cannot.
fn announce(looks: &Looks, recipes: usize, rows: usize) {
    let (first, last) = (looks.first() * recipes, looks.last() * recipes);
    let runs = if first == last {
        format!("{first} runs")
    } else {
        format!("{first} runs to the first, {last} at most")
    };
    let plural = if rows == 1 { "" } else { "s" };
    eprintln!("{rows} row{plural}; verdicts are read at {looks} seeds: {runs}");
    if let Err(too_few) = looks.least_seeds(rows) {
        eprintln!("{too_few}: every verdict will be undecided");
    }
}

fn processes(options: &Options) -> NonZeroUsize {
    match (options.jobs, options.device.is_gpu()) {
        (Some(jobs), _) => jobs,
        (None, true) => NonZeroUsize::MIN,
        (None, false) => available_parallelism().unwrap_or(NonZeroUsize::MIN),
    }
}

/// A flag that Ctrl-C and a scheduler's signal raise; the second one ends the program at once.
fn stop_on_signals() -> io::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        flag::register_conditional_shutdown(signal, INTERRUPTED, Arc::clone(&stop))?;
        flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}

fn open(
    path: &Path,
    options: &Options,
    recipes: &[burn_tricks::compare::Recipe],
) -> Result<Store, Box<dyn Error>> {
    let data = match &options.data {
        Some(folder) => folder.canonicalize()?.display().to_string(),
        None => "digits".to_owned(),
    };
    // All that a run depends on beside its recipe.
    let context = json!({
        "data": data,
        "epochs": options.epochs(),
        "device": options.device,
        "version": env!("CARGO_PKG_VERSION"),
        // The sources of this program and of the workspace's crates, and the versions of all others.
        "code": env!("BURN_TRICKS_CODE"),
    });
    let mut store = Store::open(path, recipes, &context)?;
    for line in store.unreadable() {
        eprintln!("`{}`, {line}", path.display());
    }
    if options.retry_failed {
        store.forget_failed();
    }
    match store.runs().len() {
        0 => {}
        runs => eprintln!("`{}` holds {runs} of these runs", path.display()),
    }
    Ok(store)
}

fn title(options: &Options) -> String {
    let data = match &options.data {
        Some(folder) => format!("the images in `{}`", folder.display()),
        None => "1,797 handwritten digits, each seed with a split of its own".to_owned(),
    };
    let epochs = options.epochs();
    if options.quick {
        format!(
            "A first impression of training tricks on {data}: small networks, {epochs} epochs; with 100 \
             epochs verdicts may differ"
        )
    } else {
        format!("Training tricks on {data}: small networks, {epochs} epochs")
    }
}

/// Whether all went well; what did not is told.
fn ended(
    comparison: &Comparison,
    options: &Options,
    is_stopped: bool,
) -> Result<(), Box<dyn Error>> {
    let failed: Vec<_> = comparison.failed().collect();
    for run in &failed {
        if let Some(failure) = &run.failure {
            eprintln!("{:?} failed with seed {}: {failure}", run.variant, run.seed);
        }
    }
    let runs = comparison.runs.len();
    if is_stopped && !comparison.is_finished() {
        let kept = match &options.store {
            Some(path) => format!(
                "{runs} runs are kept in `{}`; the same command goes on",
                path.display()
            ),
            None => format!("{runs} runs were made; with --store they would be kept"),
        };
        return Err(format!("stopped before the end: {kept}").into());
    }
    match failed.len() {
        0 => Ok(()),
        failed => Err(format!("{failed} of {runs} runs failed").into()),
    }
}
