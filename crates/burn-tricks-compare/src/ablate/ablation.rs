//! Leave-one-out ablation.

use crate::{
    ablate::combine::{CombineRecipesError, check, combine},
    outcome::recipe::Recipe,
};

/// The recipes of a leave-one-out ablation: the full recipe, which is `base` with all changes; the full recipe without
/// each change in turn; and `base` itself, which has none of them. All are compared with the full recipe: if leaving
/// out a change *hurts*, the change helps in the presence of the others.
///
/// Each change is a recipe, given together with its own baseline, and is what differs between the
/// settings of the two.
///
/// # Errors
///
/// If there are fewer than two changes, if one is named twice or changes nothing, if `base` or the other changes have
/// its settings already, or if two of them give the same setting different values.
pub fn ablation(
    base: &Recipe,
    parts: &[(&Recipe, &Recipe)],
) -> Result<Vec<Recipe>, CombineRecipesError> {
    check(parts)?;
    let names = |parts: &[(&Recipe, &Recipe)]| {
        let names = parts.iter().map(|(part, _)| &*part.name);
        names.collect::<Vec<&str>>().join(", ")
    };
    let with = |parts: &[(&Recipe, &Recipe)]| format!("{} with {}", base.name, names(parts));
    let full = combine(base, parts)?;
    let mut recipes = vec![Recipe::baseline("full", &with(parts)).with_settings(full.clone())];
    for left_out in 0..parts.len() {
        let mut others = parts.to_vec();
        let (part, _) = others.remove(left_out);
        let name = format!("full without {}", part.name);
        let whole = with(&others);
        let settings = combine(base, &others)?;
        if settings == full {
            let part = part.name.clone();
            return Err(CombineRecipesError::AlreadyThere { part, whole });
        }
        let variant = Recipe::variant(&name, "full", &whole);
        recipes.push(variant.with_settings(settings));
    }
    let none = Recipe::variant("full without any", "full", &base.about);
    recipes.push(none.with_settings(base.settings.clone()));
    Ok(recipes)
}
