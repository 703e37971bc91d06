//! The comparison itself.

use std::{
    collections::HashSet,
    error::Error,
    io,
    num::NonZeroUsize,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::available_parallelism,
    time::{Duration, Instant},
};

use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag,
};

use crate::{
    campaign::Campaign,
    comparison::comparison::Comparison,
    outcome::{examination::Examination, run::TrainingRun},
    program::{
        failures, lab,
        options::Options,
        reports,
        study::Study,
        worker::{Purpose, job},
    },
    runner::runner::Runner,
    store::store::Store,
};

/// The exit status of a program that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// Makes the runs that are missing, and reports all.
pub(crate) fn compare(study: &Study, options: &Options) -> Result<(), Box<dyn Error>> {
    // Recipes that cannot be compared fail before the runs, those of a tuning too.
    Comparison::init(&study.protocol, &study.recipes, &[])?;
    // So does a report that cannot be written.
    reports::check(study, options)?;
    announce(study);
    let start = Instant::now();
    let stop = stop_on_signals()?;
    let runner = Runner::new(processes(study, options))
        .with_fail_fast(options.fail_fast)
        .with_progress(true)
        .with_stop(Arc::clone(&stop));
    let mut study = study.clone();
    let mut failed_tuning = Vec::new();
    if options.lab.tune {
        let tuned = lab::tune(&study, options, &runner)?;
        failed_tuning = tuned.failed.clone();
        study = study.with_condition("learning rates", tuned.method());
        study.recipes = tuned.recipes;
    } else if let Some(tuning) = &study.tuning {
        let setting = tuning.setting().to_owned();
        let sentence = format!(
            "each recipe at its own `{setting}`, the baseline's unless it changes it; not tuned"
        );
        study = study.with_condition("learning rates", sentence);
    }
    let study = &study;
    let mut campaign = Campaign::new(&study.protocol, &study.recipes, runner.clone());
    let mut failed_before = HashSet::new();
    if let Some(path) = &options.store {
        let store = open(path, study, options)?;
        let failed = store.runs().iter().filter(|run| run.failure.is_some());
        failed_before.extend(failed.map(|run| (run.variant.clone(), run.seed)));
        campaign = campaign.with_store(store);
    }
    if let Some(shard) = options.shard {
        campaign = campaign.with_shard(shard);
    }
    if let Some(minutes) = options.minutes {
        let whole = Duration::from_secs(60 * minutes.get() as u64);
        campaign = campaign.with_deadline(whole.saturating_sub(start.elapsed()));
    }
    if study.is_one_job_per_recipe {
        let first = NonZeroUsize::new(study.looks().first());
        campaign = campaign.with_seeds_per_job(first.unwrap_or(NonZeroUsize::MIN));
    }
    let rows = study.rows();
    let mut comparison = campaign.run(
        |variant, seeds| {
            let recipe = study
                .find(variant)
                .ok_or_else(|| io::Error::other(format!("no recipe {variant:?}")))?;
            job(study, recipe, seeds, Purpose::Compare)
        },
        |so_far| {
            let open = so_far.rows.iter().filter(|row| row.is_open).count();
            eprintln!(
                "{} of {rows} rows are closed; more seeds for {open}",
                rows - open
            );
        },
    )?;
    // One that the store held before ends nothing.
    let is_new = |run: &TrainingRun| !failed_before.contains(&(run.variant.clone(), run.seed));
    let has_failed_fast = options.fail_fast && comparison.failed().any(is_new);
    if options.doctor && !has_failed_fast && !stop.load(Relaxed) {
        comparison.examinations = examine(study, &runner)?;
    }
    let is_stopped = stop.load(Relaxed);
    let mut written = Ok(());
    match (options.shard, &options.store) {
        (Some(_), Some(_)) if is_stopped || has_failed_fast => {}
        (Some(shard), Some(path)) => println!(
            "part {shard} is in `{}`; merge the stores of all parts",
            path.display()
        ),
        _ => written = reports::write(study, options, &comparison),
    }
    // What failed is told whether the reports can be written or not.
    let ended = ended(&comparison, options, is_stopped, failed_tuning.len());
    match (written, ended) {
        (Err(written), Err(ended)) => Err(format!("{written}; {ended}").into()),
        (written, ended) => written.and(ended),
    }
}

/// Examines every recipe, in a training of its own with the first seed.
fn examine(study: &Study, runner: &Runner) -> io::Result<Vec<Examination>> {
    let seeds = [study.protocol.first_seed];
    let recipes = study.recipes.iter();
    let jobs = recipes.map(|recipe| job(study, recipe, &seeds, Purpose::Examine));
    let jobs = jobs.collect::<io::Result<_>>()?;
    let ran = runner.clone().with_headline("examining, ").run(jobs);
    Ok(ran.runs.into_iter().map(Examination::of).collect())
}

/// What is going to happen, and what cannot.
fn announce(study: &Study) {
    let (rows, recipes, looks) = (study.rows(), study.recipes.len(), study.looks());
    let (first, last) = (looks.first() * recipes, looks.last() * recipes);
    let runs = if first == last {
        format!("{first} runs")
    } else {
        format!("{first} runs to the first, {last} at most")
    };
    let plural = if rows == 1 { "" } else { "s" };
    eprintln!("{rows} row{plural}; verdicts are read at {looks} seeds: {runs}");
    if let Err(too_few) = looks.least_seeds(rows) {
        eprintln!("{too_few}");
    }
}

fn processes(study: &Study, options: &Options) -> NonZeroUsize {
    let cores = || available_parallelism().unwrap_or(NonZeroUsize::MIN);
    options.jobs.or(study.jobs).unwrap_or_else(cores)
}

/// A flag that Ctrl-C and a scheduler's signal raise; the second one ends the program at once.
///
/// The signal of a terminal that is closed does what the system lets it do, since below `nohup` it must stay ignored: it
/// ends the program at once, and each worker ends when it has made its run and nobody reads it.
fn stop_on_signals() -> io::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        flag::register_conditional_shutdown(signal, INTERRUPTED, Arc::clone(&stop))?;
        flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}

fn open(path: &Path, study: &Study, options: &Options) -> Result<Store, Box<dyn Error>> {
    let mut store = Store::open(path, &study.recipes, &study.context(options)?)?;
    // A tuning has opened the store before, and told them.
    if !options.lab.tune {
        for line in store.unreadable() {
            eprintln!("`{}`, {line}", path.display());
        }
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

/// Whether all went well; what did not is told. What failed of the tuning is told already.
fn ended(
    comparison: &Comparison,
    options: &Options,
    is_stopped: bool,
    failed_tuning: usize,
) -> Result<(), Box<dyn Error>> {
    let examinations = failures::of_examinations(&comparison.examinations);
    let told = failures::told(&comparison.runs, &comparison.protocol.metrics);
    for line in told.iter().chain(&examinations) {
        eprintln!("{line}");
    }
    let runs = comparison.runs.len();
    let all = comparison.examinations.len();
    let is_examined = !options.doctor || all == comparison.recipes.len();
    if is_stopped && !(comparison.is_finished() && is_examined) {
        let kept = match &options.store {
            Some(path) => format!(
                "{runs} runs are kept in `{}`; the same command goes on",
                path.display()
            ),
            None => format!("{runs} runs were made; with --store they would be kept"),
        };
        return Err(format!("stopped before the end: {kept}").into());
    }
    let failed = [
        (failed_tuning, "runs of the tuning".to_owned()),
        (comparison.failed().count(), format!("of {runs} runs")),
        (examinations.len(), format!("of {all} examinations")),
    ];
    let failed = failed.iter().filter(|(count, _)| *count > 0);
    let failed: Vec<String> = failed.map(|(count, of)| format!("{count} {of}")).collect();
    match &failed[..] {
        [] => Ok(()),
        failed => Err(format!("{} failed", failed.join(", ")).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{protocol::Protocol, recipe::Recipe};

    #[test]
    fn what_failed_of_all_parts_is_told_and_a_stopped_examination_is_no_end() {
        let recipes = [Recipe::baseline("sgd", "")];
        let init = |runs: &[TrainingRun]| {
            Comparison::init(&Protocol::classification(), &recipes, runs).unwrap()
        };
        let options = |doctor| Options {
            doctor,
            ..Options::default()
        };
        let told = |comparison: &Comparison, doctor, is_stopped, failed_tuning| {
            let ended = ended(comparison, &options(doctor), is_stopped, failed_tuning);
            ended.map_err(|error| error.to_string())
        };
        let mut comparison = init(&[]);
        assert!(comparison.is_finished());
        assert_eq!(told(&comparison, false, true, 0), Ok(()));
        let stopped = told(&comparison, true, true, 0).unwrap_err();
        assert!(stopped.starts_with("stopped before the end"), "{stopped}");
        let examined = |run| vec![Examination::of(run)];
        comparison.examinations = examined(TrainingRun::new("sgd", 1));
        assert_eq!(told(&comparison, true, true, 0), Ok(()));

        let mut comparison = init(&[TrainingRun::failed("sgd", 1, "no disk")]);
        comparison.examinations = examined(TrainingRun::failed("sgd", 1, "no disk"));
        let expected = "2 runs of the tuning, 1 of 1 runs, 1 of 1 examinations failed".to_owned();
        assert_eq!(told(&comparison, true, false, 2), Err(expected));
    }
}
