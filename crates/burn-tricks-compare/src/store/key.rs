//! What makes two runs the same run.

use std::fmt::Write as _;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::outcome::recipe::Recipe;

/// Raised when a run of the same recipe would be stored otherwise.
const FORMAT: u32 = 1;

/// The key of a recipe's runs: 128 bits of SHA-256 over its name, its settings and the context, as hex
/// digits. Neither the order of the fields nor the recipe's baseline and description matter.
pub(crate) fn key(recipe: &Recipe, context: &Value) -> String {
    let whole = json!({
        "format": FORMAT,
        "name": recipe.name,
        "settings": recipe.settings,
        "context": context,
    });
    let mut text = String::new();
    write_sorted(&whole, &mut text);
    let digest = Sha256::digest(text.as_bytes());
    digest[..16].iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Writes JSON with the fields of each object in the order of their names, which serde_json keeps only
/// without its feature `preserve_order`.
fn write_sorted(value: &Value, text: &mut String) {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| *name);
            text.push('{');
            for (name, value) in fields {
                let _ = write!(text, "{}:", Value::from(name.as_str()));
                write_sorted(value, text);
                text.push(',');
            }
            text.push('}');
        }
        Value::Array(values) => {
            text.push('[');
            for value in values {
                write_sorted(value, text);
                text.push(',');
            }
            text.push(']');
        }
        plain => {
            let _ = write!(text, "{plain}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_follows_from_what_a_run_depends_on() {
        let recipe = Recipe::variant("ema", "sgd", "an average")
            .with_settings(json!({"rate": 0.1, "layers": [64, 64]}));
        let context = json!({"data": "digits", "epochs": 100});
        let known = key(&recipe, &context);
        assert_eq!(known.len(), 32);
        let same = Recipe::baseline("ema", "told otherwise")
            .with_settings(json!({"layers": [64, 64], "rate": 0.1}));
        assert_eq!(key(&same, &context), known);
        // Across versions of this crate: a changed key would silently run everything again.
        assert_eq!(known, "65aa5cac06fa1eb0d0ca2146df49a8cc");
        for other in [
            key(
                &Recipe::baseline("ema2", "").with_settings(recipe.settings.clone()),
                &context,
            ),
            key(
                &recipe.clone().with_settings(json!({"rate": 0.2})),
                &context,
            ),
            key(&recipe, &json!({"data": "digits", "epochs": 99})),
            key(&recipe, &Value::Null),
        ] {
            assert_ne!(other, known);
        }
    }
}
