//! The recipes that `compare` compares: data, in files of JSON, each a single change from a named baseline.

mod written;

use crate::problem::DataSet;
use crate::setup::Setup;
use burn_tricks::compare;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use std::fmt::{Debug, Display, Formatter};
use std::fs;
use std::path::Path;
use written::File;

/// The tasks that are built in, each a file of recipes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BuiltIn {
    /// A small multi-layer perceptron on handwritten digits.
    Mlp,
    /// The same with 20 hidden layers.
    DeepMlp,
    /// A small convolutional network on handwritten digits.
    Cnn,
    /// A residual network of ten convolutions on handwritten digits.
    Resnet,
    /// A recurrent network whose gradients explode, on the adding problem.
    Adding,
    /// A small transformer that predicts the characters of a text.
    Characters,
    /// A multi-layer perceptron for a regression on the columns of a table.
    Tabular,
}

impl BuiltIn {
    fn text(self) -> &'static str {
        match self {
            Self::Mlp => include_str!("../compare/recipes/mlp.json"),
            Self::DeepMlp => include_str!("../compare/recipes/deep-mlp.json"),
            Self::Cnn => include_str!("../compare/recipes/cnn.json"),
            Self::Resnet => include_str!("../compare/recipes/resnet.json"),
            Self::Adding => include_str!("../compare/recipes/adding.json"),
            Self::Characters => include_str!("../compare/recipes/characters.json"),
            Self::Tabular => include_str!("../compare/recipes/tabular.json"),
        }
    }

    /// The task.
    ///
    /// # Panics
    ///
    /// If the file that is built in is wrong, which a test excludes.
    pub fn task(self) -> Task {
        Task::parse(self.text()).unwrap_or_else(|error| panic!("{self:?}: {error}"))
    }
}

/// The value on the validation part whose arrival is the speed of a run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Of a classification: that accuracy.
    pub accuracy: f64,
    /// Of a regression: an error (RMSE) of that share of what predicting the mean has.
    pub share_of_rmse: f64,
}

/// The differences within which two recipes count as equivalent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Margins {
    /// Of the accuracy: a difference of shares. Default: 0.005.
    pub accuracy: f64,
    /// Of the loss, or the RMSE of a regression: a ratio. Default: 1.1.
    pub loss: f64,
    /// Of the steps to the target: a ratio. Default: 1.25.
    pub speed: f64,
    /// Of the time per step: a ratio. Default: 1.1.
    pub cost: f64,
}

impl Default for Margins {
    fn default() -> Self {
        Self {
            accuracy: 0.005,
            loss: 1.1,
            speed: 1.25,
            cost: 1.1,
        }
    }
}

/// Recipes with what they are run on.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// What is trained, for titles, such as `a small network`.
    pub about: String,
    /// The samples.
    pub data: DataSet,
    /// Epochs of a run, and of a run of `--quick`.
    pub epochs: [usize; 2],
    /// The target.
    pub target: Target,
    /// What counts as equivalent.
    pub margins: Margins,
    /// The recipes, baselines before what is compared with them.
    pub recipes: Vec<Recipe>,
}

/// A named way of training, with every choice.
#[derive(Debug, Clone, PartialEq)]
pub struct Recipe {
    /// The name to ask for it by.
    pub name: String,
    /// The name of the recipe that it is compared with; none for a baseline.
    pub baseline: Option<String>,
    /// What it changes.
    pub about: String,
    /// How it trains.
    pub setup: Setup,
}

impl Recipe {
    /// The recipe as the comparison knows it, with every choice of its setup.
    ///
    /// # Errors
    ///
    /// None that a setup could cause.
    pub fn described(&self) -> serde_json::Result<compare::Recipe> {
        let described = match &self.baseline {
            Some(baseline) => compare::Recipe::variant(&self.name, baseline, &self.about),
            None => compare::Recipe::baseline(&self.name, &self.about),
        };
        Ok(described.with_settings(serde_json::to_value(&self.setup)?))
    }
}

/// Why a file of recipes cannot be used.
#[derive(Clone, PartialEq, Eq)]
pub struct RecipeError(String);

impl Display for RecipeError {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Debug for RecipeError {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for RecipeError {}

impl Task {
    /// Reads a file of recipes.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or as [`parse`](Self::parse).
    pub fn read(file: &Path) -> Result<Self, RecipeError> {
        let failed = |error: &dyn Display| RecipeError(format!("`{}`: {error}", file.display()));
        let text = fs::read_to_string(file).map_err(|error| failed(&error))?;
        Self::parse(&text).map_err(|error| failed(&error))
    }

    /// The task that a text in JSON describes.
    ///
    /// # Errors
    ///
    /// If it is no JSON, a field or a value is unknown (the right ones are listed), something is missing, a
    /// name is there twice, or a recipe changes one that is not there before it.
    pub fn parse(text: &str) -> Result<Self, RecipeError> {
        let file: File =
            serde_json::from_str(text).map_err(|error| RecipeError(error.to_string()))?;
        file.resolve()
    }

    /// The recipe of that name.
    pub fn find(&self, name: &str) -> Option<&Recipe> {
        self.recipes.iter().find(|recipe| recipe.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_that_is_built_in_is_right_and_says_every_choice() {
        for built_in in BuiltIn::value_variants() {
            let task = built_in.task();
            assert!(task.recipes.len() > 4, "{built_in:?}");
            for recipe in &task.recipes {
                assert!(recipe.setup.optimizer().is_ok(), "{}", recipe.name);
            }
            // The first recipe's settings, as written, have every field.
            let file: File = serde_json::from_str(built_in.text()).unwrap();
            let written = file.recipes[0].settings.as_ref().unwrap();
            let whole = serde_json::to_value(&task.recipes[0].setup).unwrap();
            let missing = whole.as_object().unwrap().keys();
            let missing: Vec<_> = missing
                .filter(|name| !written.contains_key(*name))
                .collect();
            assert!(missing.is_empty(), "{built_in:?}: {missing:?}");
        }
    }

    #[test]
    fn a_change_stands_on_its_baseline_also_of_another_file() {
        let mlp = BuiltIn::Mlp.task();
        let setup = |name| &mlp.find(name).unwrap().setup;
        assert_eq!(
            (setup("clip").learning_rate, setup("clip").clip),
            (1.0, Some(1.0))
        );
        assert_eq!(setup("baseline").clip, None);

        let own = r#"{"extends": "mlp", "epochs": 7, "margins": {"accuracy": 0.01}, "recipes": [
            {"name": "mine", "baseline": "momentum", "about": "a", "change": {"dropout": 0.1}},
            {"name": "its", "baseline": "mine", "about": "b", "change": {"optimizer": {"momentum": 0.5}}}
        ]}"#;
        let unknown = own.replace("\"accuracy\"", "\"acuracy\"");
        let error = Task::parse(&unknown).unwrap_err().to_string();
        assert!(
            error.contains("`acuracy`") && error.contains("`speed`"),
            "{error}"
        );
        let own = Task::parse(own).unwrap();
        let of_accuracy = Margins {
            accuracy: 0.01,
            ..Margins::default()
        };
        assert_eq!(own.margins, of_accuracy);
        let names: Vec<_> = own
            .recipes
            .iter()
            .map(|r| (&*r.name, r.baseline.as_deref()))
            .collect();
        assert_eq!(
            names,
            [
                ("momentum", None),
                ("mine", Some("momentum")),
                ("its", Some("mine"))
            ]
        );
        assert_eq!(own.find("its").unwrap().setup.dropout, 0.1);
        assert_eq!((own.epochs, &own.about), ([7, 15], &mlp.about));
    }

    #[test]
    fn what_is_unknown_is_named_and_the_right_ones_are_listed() {
        let parse = |recipe: &str| {
            let text = format!(r#"{{"extends": "mlp", "recipes": [{recipe}]}}"#);
            Task::parse(&text).unwrap_err().to_string()
        };
        let change = |change: &str| {
            parse(&format!(
                r#"{{"name": "x", "baseline": "baseline", "about": "", "change": {change}}}"#
            ))
        };
        for (error, expected) in [
            (
                change(r#"{"clipp": 1}"#),
                [
                    "recipe \"x\": `clipp`: unknown field",
                    "`clip`, `normalize`",
                ],
            ),
            (
                change(r#"{"init": "hee"}"#),
                ["`init`: unknown variant `hee`", "`xavier`, `he`"],
            ),
            (
                change(r#"{"optimizer": {"sgdd": 1}}"#),
                ["`optimizer`: unknown variant `sgdd`", "`sgd`"],
            ),
            (
                change(r#"{"lookahead": {"k": 5, "a": 1}}"#),
                ["`lookahead`: unknown field `a`", "`alpha`"],
            ),
            (
                change(r#"{"dropout": "much"}"#),
                ["`dropout`: invalid type: string \"much\"", "f64"],
            ),
            (
                parse(r#"{"name": "x", "about": "", "chnge": {}}"#),
                ["unknown field `chnge`", "`change`"],
            ),
            (
                parse(r#"{"name": "x", "baseline": "y", "about": "", "change": {}}"#),
                ["no recipe \"y\"", "baseline, no-scaling"],
            ),
            (
                parse(r#"{"name": "clip", "baseline": "unstable", "about": "", "change": {}}"#),
                ["\"clip\"", "of that name"],
            ),
            (
                parse(r#"{"name": "x", "about": "", "settings": {"network": "mlp"}}"#),
                ["\"x\"", "missing field `scale_inputs`"],
            ),
        ] {
            for part in expected {
                assert!(error.contains(part), "{error}");
            }
        }
        let error = Task::parse(r#"{"extends": "mlpp", "recipes": []}"#)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("`mlpp`") && error.contains("`deep-mlp`"),
            "{error}"
        );
        let error = Task::parse(r#"{"about": "", "data": "digits", "recipes": []}"#).unwrap_err();
        assert!(error.to_string().contains("`epochs`"), "{error}");
    }
}
