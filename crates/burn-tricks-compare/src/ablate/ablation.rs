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
/// If there are fewer than two changes, if one is named twice or changes nothing, or if two of them give the same
/// setting different values.
pub fn ablation(
    base: &Recipe,
    parts: &[(&Recipe, &Recipe)],
) -> Result<Vec<Recipe>, CombineRecipesError> {
    check(parts)?;
    let names = |parts: &[(&Recipe, &Recipe)]| {
        let names = parts.iter().map(|(part, _)| &*part.name);
        names.collect::<Vec<&str>>().join(", ")
    };
    let about = format!("{} with {}", base.name, names(parts));
    let full = Recipe::baseline("full", &about).with_settings(combine(base, parts)?);
    let mut recipes = vec![full];
    for left_out in 0..parts.len() {
        let mut others = parts.to_vec();
        let (part, _) = others.remove(left_out);
        let name = format!("full without {}", part.name);
        let about = format!("{} with {}", base.name, names(&others));
        let variant = Recipe::variant(&name, "full", &about);
        recipes.push(variant.with_settings(combine(base, &others)?));
    }
    let none = Recipe::variant("full without any", "full", &base.about);
    recipes.push(none.with_settings(base.settings.clone()));
    Ok(recipes)
}
