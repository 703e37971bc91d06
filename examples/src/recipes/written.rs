//! A file of recipes as it is written.

use super::{BuiltIn, Margins, Recipe, RecipeError, Target, Task};
use crate::problem::DataSet;
use crate::setup::Setup;
use serde::Deserialize;
use serde_json::{Map, Value};

/// A file of recipes as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    /// A built-in task, from which comes what this file does not say, and whose recipes can be changed.
    #[serde(default)]
    extends: Option<BuiltIn>,
    #[serde(default)]
    about: Option<String>,
    #[serde(default)]
    data: Option<DataSet>,
    #[serde(default)]
    epochs: Option<usize>,
    #[serde(default)]
    quick_epochs: Option<usize>,
    #[serde(default)]
    target: Option<Target>,
    #[serde(default)]
    margins: Option<Margins>,
    pub(super) recipes: Vec<Written>,
}

/// A recipe as it is written: either all settings, or a change of another recipe.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    name: String,
    about: String,
    /// The recipe that it changes and is compared with.
    #[serde(default)]
    baseline: Option<String>,
    /// The recipe that it changes without being compared with it.
    #[serde(default)]
    from: Option<String>,
    #[serde(default)]
    pub(super) settings: Option<Map<String, Value>>,
    #[serde(default)]
    change: Option<Map<String, Value>>,
}

impl File {
    /// The task, with what it takes from the one that it extends.
    pub(super) fn resolve(self) -> Result<Task, RecipeError> {
        let file = self;
        let extended = file.extends.map(BuiltIn::task);
        let missing = |what: &str| RecipeError(format!("missing field `{what}`, or `extends`"));
        let base = extended.as_ref();
        let [full, quick] = [file.epochs, file.quick_epochs];
        let epochs_of = |at: usize, of: Option<usize>, name| {
            let inherited = base.map(|base| base.epochs[at]);
            of.or(inherited)
                .filter(|epochs| *epochs > 0)
                .ok_or_else(|| missing(name))
        };
        let mut known = extended
            .as_ref()
            .map_or(Vec::new(), |base| base.recipes.clone());
        let inherited = known.len();
        for written in file.recipes {
            let recipe = written.resolve(&known, inherited)?;
            known.push(recipe);
        }
        let own = known.split_off(inherited);
        // The baselines that it compares with come along.
        let mut recipes: Vec<Recipe> = Vec::new();
        for recipe in known {
            if own
                .iter()
                .any(|own| own.baseline.as_ref() == Some(&recipe.name))
            {
                recipes.push(Recipe {
                    baseline: None,
                    ..recipe
                });
            }
        }
        recipes.extend(own);
        Ok(Task {
            about: (file.about)
                .or(base.map(|base| base.about.clone()))
                .ok_or_else(|| missing("about"))?,
            data: (file.data)
                .or(base.map(|base| base.data))
                .ok_or_else(|| missing("data"))?,
            epochs: [
                epochs_of(0, full, "epochs")?,
                epochs_of(1, quick, "quick_epochs")?,
            ],
            target: (file.target)
                .or(base.map(|base| base.target))
                .ok_or_else(|| missing("target"))?,
            margins: (file.margins)
                .or(base.map(|base| base.margins))
                .unwrap_or_default(),
            recipes,
        })
    }
}

impl Written {
    /// With every choice, given the recipes before it, of which the first `inherited` may have its name.
    fn resolve(self, known: &[Recipe], inherited: usize) -> Result<Recipe, RecipeError> {
        let name = &self.name;
        let wrong = |what: String| RecipeError(format!("recipe \"{name}\": {what}"));
        if known.iter().any(|other| other.name == *name) {
            let whose = if inherited > 0 {
                " here or in what is extended"
            } else {
                ""
            };
            return Err(wrong(format!("there is another one of that name{whose}")));
        }
        let of = match (&self.baseline, &self.from) {
            (Some(_), Some(_)) => return Err(wrong("either `baseline` or `from`".to_owned())),
            (baseline, from) => baseline.as_ref().or(from.as_ref()),
        };
        let setup = match (of, self.settings, self.change) {
            (None, Some(settings), None) => {
                serde_json::from_value(Value::Object(settings)).map_err(|e| wrong(e.to_string()))?
            }
            (Some(of), None, Some(change)) => {
                let Some(of) = known.iter().rev().find(|recipe| recipe.name == *of) else {
                    let names: Vec<&str> = known.iter().map(|recipe| &*recipe.name).collect();
                    let what = format!(
                        "no recipe \"{of}\" before it; there are: {}",
                        names.join(", ")
                    );
                    return Err(wrong(what));
                };
                changed(&of.setup, &change).map_err(wrong)?
            }
            (None, None, Some(_)) => {
                return Err(wrong("a `change` of which `baseline`?".to_owned()));
            }
            (Some(_), Some(_), _) | (None, Some(_), Some(_)) => {
                return Err(wrong(
                    "either all `settings`, or a `change` of a recipe".to_owned(),
                ));
            }
            (Some(_), None, None) => return Err(wrong("missing field `change`".to_owned())),
            (None, None, None) => return Err(wrong("missing field `settings`".to_owned())),
        };
        Ok(Recipe {
            name: self.name,
            baseline: self.baseline,
            about: self.about,
            setup,
        })
    }
}

/// The setup with other values in these fields.
fn changed(setup: &Setup, change: &Map<String, Value>) -> Result<Setup, String> {
    let mut setup = setup.clone();
    // One after the other, so that an error can name the field.
    for (field, value) in change {
        let mut fields = serde_json::to_value(&setup).map_err(|error| error.to_string())?;
        fields[field] = value.clone();
        setup = serde_json::from_value(fields).map_err(|error| format!("`{field}`: {error}"))?;
    }
    Ok(setup)
}
