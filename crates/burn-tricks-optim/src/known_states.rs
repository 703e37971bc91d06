//! The states of the optimizers of this crate and of Burn, by the names in a record, and the shapes of their tensors.

use crate::record_entries::RANK;

/// The names that one optimizer or wrapper may record for a parameter, numbers too, apart from those of an inner optimizer.
const KNOWN: &[&[&str]] = &[
    // SGD, Muon
    &["momentum.velocity", "momentum.update"],
    // Adam, AdamW
    &[
        "momentum.time",
        "momentum.moment_1",
        "momentum.moment_2",
        "momentum.max_moment_2",
        "momentum.max_corrected_moment_2",
    ],
    // Adan
    &[
        "momentum.time",
        "momentum.exp_avg",
        "momentum.exp_avg_sq",
        "momentum.exp_avg_diff",
        "momentum.neg_pre_grad",
    ],
    // AdaGrad
    &["lr_decay.time", "lr_decay.sum"],
    // RMSProp
    &[
        "square_avg.square_avg",
        "centered.grad_avg",
        "centered.avg",
        "momentum.buf",
    ],
    // NAdam, RAdam, AdaBelief, LAMB
    &["time", "moment_1", "moment_2"],
    // AdaMax
    &["time", "moment_1", "infinity_norm"],
    // AdaDelta
    &["square_avg", "delta_avg"],
    // LARS
    &["velocity", "update"],
    // Signum, Lion
    &["momentum"],
    // Normalised gradients
    &["time", "accumulator", "momentum"],
    // Adafactor
    &["time", "second_moment", "column_second_moment"],
    // Prodigy
    &["steps", "exp_avg", "exp_avg_sq"],
    // Lookahead
    &["steps", "slow"],
    // Schedule-free learning
    &["z", "beta", "lr_max", "weight_sum", "taken"],
    // Master weights
    &["master", "compensation"],
];

/// The shapes that the tensor `field` may have in the state of a parameter with this shape; `None` if the state, which has
/// these fields, is that of another optimizer.
pub(crate) fn accepted_shapes(
    field: &str,
    fields: &[String],
    shape: &[usize],
) -> Option<Vec<Vec<usize>>> {
    let (depth, name) = at_depth(field);
    let beside: Vec<&str> = (fields.iter().filter(|field| *field != RANK))
        .map(|field| at_depth(field))
        .filter_map(|(other, name)| (other == depth).then_some(name))
        .collect();
    let is_known = (KNOWN.iter()).any(|known| beside.iter().all(|name| known.contains(name)));
    is_known.then(|| shapes(name, shape))
}

/// In how many wrappers the field is, and its name in the innermost.
fn at_depth(mut field: &str) -> (usize, &str) {
    let mut depth = 0;
    while let Some(inner) = field.strip_prefix("inner.") {
        (depth, field) = (depth + 1, inner);
    }
    (depth, field)
}

fn shapes(name: &str, shape: &[usize]) -> Vec<Vec<usize>> {
    let whole = shape.to_vec();
    let one_along = |from_the_end: usize| {
        let mut reduced = shape.to_vec();
        if let Some(at) = shape.len().checked_sub(from_the_end) {
            reduced[at] = 1;
        }
        reduced
    };
    match name {
        // One norm for the whole tensor, or one for each element.
        "accumulator" => vec![whole, vec![1; shape.len()]],
        // Adafactor's rows and columns.
        "second_moment" if shape.len() >= 2 => vec![one_along(1)],
        "column_second_moment" => vec![one_along(2)],
        _ => vec![whole],
    }
}

#[cfg(test)]
mod tests {
    use super::accepted_shapes;
    use std::path::Path;

    /// Every tensor of a state that an optimizer or wrapper of this crate names, beside the others of the same file.
    #[test]
    fn every_state_of_this_crate_is_known() {
        let mut count = 0;
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "rs") {
                continue;
            }
            let code = std::fs::read_to_string(&path).unwrap();
            let is_comment = |line: &&str| line.trim_start().starts_with("//");
            let code: String = code.lines().filter(|line| !is_comment(line)).collect();
            let named = |made: &str| -> Vec<String> {
                let rest = code.split(made).skip(1);
                rest.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned()))
                    .collect()
            };
            let tensors = [
                named("StateField::required(\""),
                named("StateField::optional(\""),
            ]
            .concat();
            let numbers = named("const STEP_COUNT: Option<&'static str> = Some(\"");
            let all = [tensors.clone(), numbers].concat();
            let inner: Vec<_> = all.iter().map(|name| format!("inner.{name}")).collect();
            let inner = [inner, vec!["steps".to_owned()]].concat();
            for field in &tensors {
                for (field, beside) in [(field.clone(), &all), (format!("inner.{field}"), &inner)] {
                    let accepted = accepted_shapes(&field, beside, &[3, 2]);
                    assert_eq!(accepted, Some(vec![vec![3, 2]]), "{field} of {path:?}");
                }
            }
            count += tensors.len();
        }
        assert!(count > 20, "{count}");
    }

    #[test]
    fn the_state_of_another_optimizer_is_not() {
        let fields = ["__rank", "steps", "slow", "inner.momentum", "inner.rows"];
        let fields = fields.map(str::to_owned);
        let known = |field| accepted_shapes(field, &fields, &[3, 2]);
        assert_eq!(known("inner.momentum"), None);
        assert_eq!(known("slow"), Some(vec![vec![3, 2]]));
    }
}
