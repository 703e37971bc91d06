//! What a program compares.

use std::{env, io, num::NonZeroUsize, path::Path};

use serde_json::{Value, json};
use strsim::jaro_winkler;

use crate::{
    outcome::{protocol::Protocol, recipe::Recipe},
    program::{lab, options::Options},
    statistics::looks::{Looks, least_seeds},
    store::program_hash::program_hash,
    tune::tuning::Tuning,
};

/// What a program compares: the recipes, what is asked about them, and how they are run.
#[derive(Debug, Clone)]
pub struct Study {
    pub(crate) title: Option<String>,
    pub(crate) protocol: Protocol,
    pub(crate) recipes: Vec<Recipe>,
    /// Of a run, and of a run of `--quick`.
    epochs: Option<[usize; 2]>,
    context: Value,
    code: Option<String>,
    pub(crate) threads: Option<usize>,
    pub(crate) jobs: Option<NonZeroUsize>,
    pub(crate) is_one_job_per_recipe: bool,
    pub(crate) tuning: Option<Tuning>,
    pub(crate) has_doctor: bool,
    /// Of the runs, for the reports: a heading and a sentence.
    pub(crate) conditions: Vec<(String, String)>,
}

impl Study {
    /// A comparison by these metrics.
    pub fn new(protocol: Protocol) -> Self {
        Self {
            title: None,
            protocol,
            recipes: Vec::new(),
            epochs: None,
            context: Value::Null,
            code: None,
            threads: Some(1),
            jobs: None,
            is_one_job_per_recipe: false,
            tuning: None,
            has_doctor: false,
            conditions: Vec::new(),
        }
    }

    /// A comparison of classifiers, by the metrics `accuracy` and `loss`.
    pub fn classification() -> Self {
        Self::new(Protocol::classification())
    }

    /// Adds a recipe that is compared with no other.
    pub fn baseline(self, name: &str, about: &str) -> Self {
        self.with_recipes([Recipe::baseline(name, about)])
    }

    /// Adds a recipe that is compared with the one named `baseline`.
    pub fn variant(self, name: &str, baseline: &str, about: &str) -> Self {
        self.with_recipes([Recipe::variant(name, baseline, about)])
    }

    /// Adds recipes.
    pub fn with_recipes(mut self, recipes: impl IntoIterator<Item = Recipe>) -> Self {
        self.recipes.extend(recipes);
        self
    }

    /// The title of the reports. The default names the program.
    pub fn with_title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// The epochs of a run, and those of a run of `--quick`, which [`Reporter::epochs`] gives to the training
    /// and the option `--epochs` overrides.
    ///
    /// [`Reporter::epochs`]: crate::Reporter::epochs
    pub fn with_epochs(mut self, epochs: usize, quick: usize) -> Self {
        self.epochs = Some([epochs, quick]);
        self
    }

    /// All that a run depends on in addition to its recipe and its epochs, such as the data. A store does not use runs
    /// of another context.
    pub fn with_context(mut self, context: Value) -> Self {
        self.context = context;
        self
    }

    /// Identifies the code of the program, in place of [`program_hash`]: a store does not use runs of other code. A
    /// hash of the sources, for instance, is the same on machines of different kinds.
    pub fn with_code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// How many threads Rayon may use in a worker, and with it a backend on the CPU. The default is one, with
    /// which results do not depend on the number of workers; `None` leaves it to Rayon.
    pub fn with_threads(mut self, threads: Option<usize>) -> Self {
        self.threads = threads;
        self
    }

    /// For a GPU: one worker at a time unless `--jobs` says otherwise, which makes all runs of a recipe up
    /// to the first look, since each process compiles its kernels first.
    pub fn with_one_job_per_recipe(mut self) -> Self {
        self.jobs = Some(NonZeroUsize::MIN);
        self.is_one_job_per_recipe = true;
        self
    }

    /// What `--tune` tunes: one number of each recipe's settings, such as its learning rate. The training
    /// function then gets the recipe with other values of it, and must report the metrics of the validation part
    /// where [`Reporter::is_tuning`](crate::Reporter::is_tuning) says so.
    pub fn with_tuning(mut self, tuning: Tuning) -> Self {
        self.tuning = Some(tuning);
        self
    }

    /// Lets `--doctor` examine each recipe. The training function then makes one more run of each, in which
    /// [`Reporter::is_examined`](crate::Reporter::is_examined) holds, and must report what it finds with
    /// [`Reporter::finding`](crate::Reporter::finding).
    pub fn with_doctor(mut self) -> Self {
        self.has_doctor = true;
        self
    }

    /// A condition under which all runs are made, as a heading and a sentence, for the reports: what a seed
    /// redraws, for instance.
    pub fn with_condition(mut self, heading: &str, sentence: impl Into<String>) -> Self {
        self.conditions.push((heading.to_owned(), sentence.into()));
        self
    }

    /// The study as the options want it: the chosen recipes and their baselines, the looks.
    pub(crate) fn asked(mut self, options: &Options) -> Result<Self, String> {
        self.check_names(&options.only)?;
        let lab = &options.lab;
        self.check_names(&lab.ablate)?;
        self.check_names(&lab.interactions)?;
        self.check_names(lab.onto.as_slice())?;
        if let Some(recipes) = lab::recipes(&self.recipes, lab)? {
            self.recipes = recipes;
        }
        self.recipes = self.chosen(&options.only);
        let rows = self.rows();
        if rows == 0 {
            let names = options.only.join("`, `");
            return Err(match names.as_str() {
                "" => "no recipe has a baseline: there is nothing to compare".to_owned(),
                names => format!("`{names}` is compared with nothing: name a variant too"),
            });
        }
        if lab.tune && self.tuning.is_none() {
            return Err(lab::CANNOT_TUNE.to_owned());
        }
        if options.doctor && !self.has_doctor {
            let why = "its training does not examine itself (`Study::with_doctor`)";
            return Err(format!("this program has no `--doctor`: {why}"));
        }
        let once = |seeds| Looks::once(seeds).map_err(|error| error.to_string());
        if let Some(seeds) = options.seeds {
            self.protocol = self.protocol.with_looks(once(seeds.get())?);
        } else if !options.looks.is_empty() {
            let looks = Looks::at(options.looks.clone()).map_err(|error| error.to_string())?;
            self.protocol = self.protocol.with_looks(looks);
        } else if !lab.interactions.is_empty() {
            self.protocol = self.protocol.with_looks(once(lab::INTERACTION_SEEDS)?);
        } else if options.quick {
            self.protocol = self.protocol.with_looks(once(least_seeds(rows, 1))?);
        }
        if options.epochs.is_some() && self.epochs.is_none() {
            return Err(
                "this program does not say how many epochs a run has: `--epochs` has no effect"
                    .into(),
            );
        }
        Ok(self)
    }

    /// The number of recipes that are compared with another.
    pub(crate) fn rows(&self) -> usize {
        let is_row = |recipe: &&Recipe| recipe.baseline.is_some();
        self.recipes.iter().filter(is_row).count()
    }

    pub(crate) fn looks(&self) -> Looks {
        self.protocol.looks(self.rows())
    }

    /// 0 if the study does not say.
    pub(crate) fn epochs(&self, options: &Options) -> usize {
        let default = self
            .epochs
            .map_or(0, |epochs| epochs[usize::from(options.quick)]);
        options.epochs.map_or(default, NonZeroUsize::get)
    }

    pub(crate) fn title(&self) -> String {
        let title = self.title.clone();
        title.unwrap_or_else(|| format!("A comparison by `{}`", program()))
    }

    /// All that a run depends on in addition to its recipe.
    pub(crate) fn context(&self, options: &Options) -> io::Result<Value> {
        let code = match &self.code {
            Some(code) => code.clone(),
            None => program_hash()?,
        };
        Ok(json!({
            "program": program(),
            "code": code,
            "epochs": self.epochs(options),
            "context": self.context,
        }))
    }

    /// The questions that have a plot.
    pub(crate) fn questions(&self) -> Vec<&str> {
        let metrics = self.protocol.metrics.iter().map(|metric| &*metric.name);
        let speed = self.protocol.target.as_ref().map(|_| "speed");
        metrics.chain(speed).chain(["cost"]).collect()
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Recipe> {
        self.recipes.iter().find(|recipe| recipe.name == name)
    }

    fn check_names(&self, only: &[String]) -> Result<(), String> {
        let Some(wrong) = only.iter().find(|name| self.find(name).is_none()) else {
            return Ok(());
        };
        let names: Vec<&str> = self.recipes.iter().map(|recipe| &*recipe.name).collect();
        let near: Vec<&str> = names
            .iter()
            .copied()
            .filter(|name| jaro_winkler(name, wrong) > 0.8)
            .collect();
        let hint = match near.as_slice() {
            [] => String::new(),
            near => format!(" (did you mean `{}`?)", near.join("` or `")),
        };
        let names = names.join(", ");
        Err(format!(
            "there is no recipe `{wrong}`{hint}; there are: {names}"
        ))
    }

    /// The recipes of these names, or all if there are none, and the baselines that they need, to the first.
    fn chosen(&self, only: &[String]) -> Vec<Recipe> {
        let is_named = |recipe: &Recipe| only.is_empty() || only.contains(&recipe.name);
        let mut needed = Vec::new();
        for recipe in self.recipes.iter().filter(|recipe| is_named(recipe)) {
            let mut next = Some(recipe);
            while let Some(recipe) = next.filter(|recipe| !needed.contains(&recipe.name)) {
                needed.push(recipe.name.clone());
                next = recipe.baseline.as_deref().and_then(|name| self.find(name));
            }
        }
        let is_needed = |recipe: &&Recipe| needed.contains(&recipe.name);
        self.recipes.iter().filter(is_needed).cloned().collect()
    }
}

/// The name of this program.
pub(crate) fn program() -> String {
    let path = env::args_os().next().unwrap_or_default();
    let name = Path::new(&path).file_stem().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn study() -> Study {
        Study::classification()
            .baseline("sgd", "")
            .variant("ema", "sgd", "")
            .variant("slow-ema", "ema", "")
            .baseline("other", "")
            .variant("clip", "other", "")
    }

    fn only(names: &[&str]) -> Options {
        Options {
            only: names.iter().map(|name| name.to_string()).collect(),
            ..Options::default()
        }
    }

    fn names(study: &Study) -> Vec<&str> {
        study.recipes.iter().map(|recipe| &*recipe.name).collect()
    }

    #[test]
    fn what_is_chosen_comes_with_its_baselines_to_the_first() {
        let asked = |names: &[&str]| study().asked(&only(names)).unwrap();
        assert_eq!(names(&asked(&[])).len(), 5);
        assert_eq!(names(&asked(&["slow-ema"])), ["sgd", "ema", "slow-ema"]);
        assert_eq!(
            names(&asked(&["clip", "ema"])),
            ["sgd", "ema", "other", "clip"]
        );
        for (chosen, expected) in [
            (
                vec!["sgd"],
                "`sgd` is compared with nothing: name a variant too",
            ),
            (
                vec!["emma"],
                "no recipe `emma` (did you mean `ema`?); there are: sgd, ema, slow-ema",
            ),
            (vec!["xyz"], "no recipe `xyz`; there are: sgd"),
        ] {
            let error = study().asked(&only(&chosen)).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
        let error = Study::classification().asked(&only(&[])).unwrap_err();
        assert_eq!(
            error,
            "no recipe has a baseline: there is nothing to compare"
        );
        // A circle is told of, not followed.
        let circle = Study::classification()
            .variant("a", "b", "")
            .variant("b", "a", "");
        assert_eq!(names(&circle.asked(&only(&["a"])).unwrap()), ["a", "b"]);
    }

    #[test]
    fn quick_takes_the_fewest_seeds_that_can_decide_and_the_short_runs() {
        let study = || study().with_epochs(100, 15);
        let quick = Options {
            quick: true,
            ..only(&[])
        };
        let asked = study().asked(&quick).unwrap();
        // Three rows: 2^(1 - n) * 3 <= 0.05.
        assert_eq!(asked.looks().seeds(), [7]);
        assert_eq!((asked.epochs(&quick), asked.epochs(&only(&[]))), (15, 100));
        let [seeds, epochs] = [20, 4].map(NonZeroUsize::new);
        let both = Options {
            seeds,
            epochs,
            ..quick
        };
        let asked = study().asked(&both).unwrap();
        assert_eq!((asked.looks().seeds(), asked.epochs(&both)), (&[20][..], 4));
        // What changes a run changes its key.
        assert_ne!(
            asked.context(&both).unwrap(),
            asked.context(&only(&[])).unwrap()
        );
        let coded = study().with_code("other");
        assert_ne!(coded.context(&both).unwrap(), asked.context(&both).unwrap());
    }

    #[test]
    fn looks_are_those_that_are_asked_for() {
        let at = |looks: &[usize]| Options {
            looks: looks.to_vec(),
            ..only(&[])
        };
        let asked = study().asked(&at(&[9, 20])).unwrap();
        assert_eq!(asked.looks().seeds(), [9, 20]);
        let error = study().asked(&at(&[20, 9])).unwrap_err();
        assert!(error.contains("[20, 9]"), "{error}");
    }

    #[test]
    fn what_the_study_does_not_offer_is_refused_before_the_first_run() {
        let mut doctor = only(&[]);
        doctor.doctor = true;
        let error = study().asked(&doctor).unwrap_err();
        assert!(error.contains("Study::with_doctor"), "{error}");
        assert!(study().with_doctor().asked(&doctor).is_ok());
        let mut tune = only(&[]);
        tune.lab.tune = true;
        let error = study().asked(&tune).unwrap_err();
        assert!(error.contains("Study::with_tuning"), "{error}");
    }

    #[test]
    fn epochs_that_nothing_reads_are_refused() {
        let epochs = NonZeroUsize::new(4);
        let error = study()
            .asked(&Options {
                epochs,
                ..only(&[])
            })
            .unwrap_err();
        assert!(error.contains("`--epochs` has no effect"), "{error}");
    }
}
