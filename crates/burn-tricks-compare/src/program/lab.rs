//! Ablations, interactions and tuned rates in a program.

use std::{error::Error, path::Path};

use clap::Args;
use serde_json::{Value, json};

use crate::{
    ablate::{
        ablation::ablation,
        combine::CombineRecipesError,
        interactions::{Interactions, factorial},
    },
    comparison::comparison::Comparison,
    outcome::recipe::Recipe,
    program::{
        failures,
        options::Options,
        study::Study,
        worker::{Purpose, job},
    },
    runner::runner::Runner,
    store::store::Store,
    tune::{tuned::Tuned, tuning::Tuning},
};

/// What can be asked beside the rows of a program.
#[derive(Debug, Clone, Default, Args)]
pub struct LabOptions {
    /// Leave-one-out ablation: compare the recipe that has all these changes at once with itself without each of
    /// them. A change is what a recipe changes of its baseline.
    #[arg(long, value_name = "NAME", value_delimiter = ',', conflicts_with_all = ["only", "interactions"])]
    pub ablate: Vec<String>,
    /// Two-way interactions: whether each two of these changes do together what they do apart. Read once, at
    /// 24 seeds or those of `--seeds`.
    #[arg(
        long,
        value_name = "NAME",
        value_delimiter = ',',
        conflicts_with = "only"
    )]
    pub interactions: Vec<String>,
    /// Make the changes of `--ablate` and `--interactions` to this recipe [default: the baseline of the
    /// first].
    #[arg(long, value_name = "NAME")]
    pub onto: Option<String>,
    /// Give each recipe its own best learning rate first, by the same number of runs for each, on validation
    /// data and with seeds that are not compared. Without it, recipes are compared at the rates that they have.
    #[arg(long, conflicts_with = "shard")]
    pub tune: bool,
}

/// What is told of `--tune` where nothing can be tuned.
pub(crate) const CANNOT_TUNE: &str =
    "this program cannot `--tune`: its study does not say what to tune (`Study::with_tuning`)";

/// Seeds of interactions, where the options do not say.
pub(crate) const INTERACTION_SEEDS: usize = 24;

/// The recipes that the options make of those of the program; `None` if they ask for neither.
pub(crate) fn recipes(
    known: &[Recipe],
    options: &LabOptions,
) -> Result<Option<Vec<Recipe>>, String> {
    type Make = fn(&Recipe, &[(&Recipe, &Recipe)]) -> Result<Vec<Recipe>, CombineRecipesError>;
    let (names, make): (&[String], Make) = match (&options.ablate[..], &options.interactions[..]) {
        ([], []) if options.onto.is_some() => {
            return Err("`--onto` goes with `--ablate` or `--interactions`".to_owned());
        }
        ([], []) => return Ok(None),
        ([], names) => (names, factorial),
        (names, _) => (names, ablation),
    };
    let find = |name: &str| {
        let found = known.iter().find(|recipe| recipe.name == name);
        found.ok_or_else(|| format!("there is no recipe `{name}`"))
    };
    let mut parts = Vec::new();
    for name in names {
        let part = find(name)?;
        let baseline = part.baseline.as_deref();
        let baseline =
            baseline.ok_or_else(|| format!("`{name}` is a baseline, and changes nothing"))?;
        parts.push((part, find(baseline)?));
    }
    let base = match &options.onto {
        Some(name) => find(name)?,
        None => parts[0].1,
    };
    let made = make(base, &parts).map_err(|error| error.to_string())?;
    Ok(Some(made))
}

/// Tunes the recipes of the study.
pub(crate) fn tune(
    study: &Study,
    options: &Options,
    runner: &Runner,
) -> Result<Tuned, Box<dyn Error>> {
    let tuning = study.tuning.as_ref().ok_or(CANNOT_TUNE)?;
    let runs = tuning.runs_per_recipe() * study.recipes.len();
    eprintln!(
        "tuning: {runs} runs, {} for each recipe",
        tuning.runs_per_recipe()
    );
    let mut store = match &options.store {
        Some(path) => Some(open(path, study, options, tuning)?),
        None => None,
    };
    let tuned = tuning.run(
        &study.protocol,
        &study.recipes,
        runner,
        store.as_mut(),
        |candidate, seeds| job(study, candidate, seeds, Purpose::Tune),
    )?;
    eprint!("{}", tuned.table());
    // A rate with which a training diverges is no mistake, and is in the table.
    for line in failures::told(&tuned.failed, &[]) {
        eprintln!("{line}");
    }
    Ok(tuned)
}

fn open(
    path: &Path,
    study: &Study,
    options: &Options,
    tuning: &Tuning,
) -> Result<Store, Box<dyn Error>> {
    let candidates = tuning.candidates(&study.recipes)?;
    let context: Value = json!({"scored on": "validation", "context": study.context(options)?});
    let mut store = Store::open(path, &candidates, &context)?;
    for line in store.unreadable() {
        eprintln!("`{}`, {line}", path.display());
    }
    if options.retry_failed {
        store.forget_failed();
    }
    Ok(store)
}

/// The interactions, if they are asked for and every run is there.
pub(crate) fn interactions(
    study: &Study,
    options: &Options,
    comparison: &Comparison,
) -> Result<Option<Interactions>, Box<dyn Error>> {
    let parts: Vec<&str> = options
        .lab
        .interactions
        .iter()
        .map(String::as_str)
        .collect();
    let Some(base) = study
        .recipes
        .first()
        .filter(|_| !parts.is_empty() && comparison.is_finished())
    else {
        return Ok(None);
    };
    let read = Interactions::init(&study.protocol, &base.name, &parts, &comparison.runs)?;
    Ok(Some(read))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Vec<Recipe> {
        let with = |recipe: Recipe, clip: Value, rate: f64| {
            recipe.with_settings(json!({"clip": clip, "rate": rate, "momentum": rate == 0.2}))
        };
        vec![
            with(Recipe::baseline("sgd", ""), Value::Null, 0.1),
            with(Recipe::variant("momentum", "sgd", ""), Value::Null, 0.2),
            with(Recipe::baseline("hot", ""), Value::Null, 1.0),
            with(Recipe::variant("clip", "hot", ""), json!(1), 1.0),
        ]
    }

    fn options(of: impl Fn(&mut LabOptions)) -> LabOptions {
        let mut options = LabOptions::default();
        of(&mut options);
        options
    }

    fn names(parts: &[&str]) -> Vec<String> {
        parts.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn changes_are_made_to_the_baseline_of_the_first_or_to_a_named_one() {
        let made = |onto: Option<&str>| {
            let options = options(|options| {
                options.ablate = names(&["clip", "momentum"]);
                options.onto = onto.map(str::to_owned);
            });
            recipes(&known(), &options).unwrap().unwrap()
        };
        let full = &made(None)[0];
        assert_eq!((&*full.name, &full.settings["clip"]), ("full", &json!(1)));
        // Momentum changes the rate of its own baseline, clipping does not.
        assert_eq!(full.settings["rate"], json!(0.2));
        let without = made(None)
            .into_iter()
            .find(|r| r.name == "full without momentum")
            .unwrap();
        assert_eq!(without.settings["rate"], json!(1.0));
        let onto = made(Some("sgd"));
        let without = onto
            .iter()
            .find(|r| r.name == "full without momentum")
            .unwrap();
        assert_eq!(
            without.settings,
            json!({"clip": 1, "rate": 0.1, "momentum": false})
        );
        assert_eq!(recipes(&known(), &LabOptions::default()).unwrap(), None);
    }

    #[test]
    fn what_cannot_be_made_is_refused() {
        let refused = |of: &dyn Fn(&mut LabOptions)| recipes(&known(), &options(of)).unwrap_err();
        let baseline = refused(&|options| options.interactions = names(&["clip", "sgd"]));
        assert_eq!(baseline, "`sgd` is a baseline, and changes nothing");
        let one = refused(&|options| options.ablate = names(&["clip"]));
        assert_eq!(one, "at least two changes are needed, got 1");
        let unknown = refused(&|options| options.interactions = names(&["clip", "clap"]));
        assert_eq!(unknown, "there is no recipe `clap`");
        // Lookahead's own baseline is momentum, from which momentum cannot be left out.
        let mut of_momentum = known();
        let momentum = of_momentum[1].settings.clone();
        let lookahead = Recipe::variant("lookahead", "momentum", "").with_settings({
            let mut settings = momentum;
            settings["lookahead"] = json!(5);
            settings
        });
        of_momentum.push(lookahead);
        let made = |parts: &[&str], onto: Option<&str>| {
            let options = options(|options| {
                options.ablate = names(parts);
                options.onto = onto.map(str::to_owned);
            });
            recipes(&of_momentum, &options)
        };
        let there = made(&["lookahead", "momentum"], None).unwrap_err();
        let expected = "\"momentum\" changes nothing of momentum with lookahead";
        assert!(there.starts_with(expected), "{there}");
        assert!(made(&["momentum", "lookahead"], None).is_ok());
        assert!(made(&["lookahead", "momentum"], Some("sgd")).is_ok());
        let alone = refused(&|options| options.onto = Some("sgd".to_owned()));
        assert!(alone.starts_with("`--onto` goes with"));
    }
}
