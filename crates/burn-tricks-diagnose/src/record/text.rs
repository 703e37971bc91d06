//! What the text of a model says that a walk over it does not.

use crate::history::structure::DropoutLayer;

/// The dropout layers in the text of a model: `name: Dropout {prob: 0.5}`.
pub(crate) fn dropout_layers(text: &str) -> Vec<DropoutLayer> {
    let mut layers = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("Dropout {") {
        let (before, after) = rest.split_at(at);
        let body = &after[..after.find('}').unwrap_or(after.len())];
        let prob = body.split("prob: ").nth(1).map(|text| {
            let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.');
            text[..end.unwrap_or(text.len())].parse::<f64>()
        });
        // An enum's variant of this name holds the layer.
        let is_variant = body["Dropout {".len()..].contains("Dropout {");
        if let Some(Ok(prob)) = prob.filter(|_| !is_variant) {
            let line = before.rsplit('\n').next().unwrap_or(before);
            // Behind the colon is the beginning of a longer type, such as `SpatialDropout`.
            let name = line.rsplit_once(':').map_or(line, |(name, _)| name);
            layers.push(DropoutLayer {
                name: name.trim().to_owned(),
                per_mille: (prob * 1000.0).round() as u32,
            });
        }
        rest = &after["Dropout {".len()..];
    }
    layers
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::module::Module;
    use burn::nn::{Dropout, DropoutConfig, Linear, LinearConfig};
    use burn::tensor::Device;

    #[derive(Module, Debug)]
    struct Net {
        first: Linear,
        drop: Dropout,
        hard: Dropout,
    }

    #[test]
    fn the_probabilities_of_burns_dropout_layers_are_read() {
        let net = Net {
            first: LinearConfig::new(2, 2).init(&Device::flex()),
            drop: DropoutConfig::new(0.25).init(),
            hard: DropoutConfig::new(0.8).init(),
        };
        let layers = dropout_layers(&format!("{net}"));
        let found: Vec<_> = layers
            .iter()
            .map(|of| (of.name.as_str(), of.per_mille))
            .collect();
        assert_eq!(found, [("drop", 250), ("hard", 800)], "{net}");
        let spatial = dropout_layers("Net {\n  hard: SpatialDropout {prob: 0.8}\n}");
        assert_eq!(spatial[0].name, "hard");
    }
}
