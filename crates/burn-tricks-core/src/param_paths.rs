//! Parameters of a model, named by paths.

use crate::config_error::ConfigError;
use crate::params::{ParamInfo, params};
use crate::walk::frozen_clones;
use burn::module::{Module, ParamGroup, ParamId};
use std::collections::HashSet;

/// Some parameters of a model, by the paths of the parameters or of the modules that hold them: `head`,
/// `encoder.layers.0`, `encoder.layers.*.bias`. A `*` stands for any one part of a path.
///
/// Paths stay when a record is loaded; parameter ids become those of the record.
///
/// A tied parameter, which a model holds at several places, is one of these parameters if the path of any of its places is.
/// A frozen clone of a trained part, such as the teacher of a distillation, has the ids of that part and is yet no place of
/// it: the path of one does not stand for the other. This is seen by what requires a gradient when the paths are made; in a
/// model in which both are frozen, and in one without autodiff, they are places of the same parameters. A place of a tied
/// weight that was frozen by itself, as by Burn's `freeze_group` with the path of that place, looks like a frozen clone: freeze it
/// with [`group`](Self::group), which holds all its places.
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::Device;
/// use burn_tricks_core::ParamPaths;
///
/// # fn main() -> Result<(), burn_tricks_core::ConfigError> {
/// let device = Device::flex();
/// let model: Vec<Linear> = (0..3).map(|_| LinearConfig::new(2, 2).init(&device)).collect();
/// let paths = ParamPaths::init(&model, "paths", &["0", "*.bias"])?;
/// assert!(paths.contains("0.weight") && paths.contains("2.bias"));
/// assert!(!paths.contains("2.weight"));
/// let group = paths.group(); // for Burn's `with_group` and `freeze_group`
///
/// let error = ParamPaths::init(&model, "paths", &["0.wieght"]).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     r#"`paths` must name parameters of the model, or modules that hold some, got "0.wieght"; similar names are "0.weight", "1.weight", "2.weight""#
/// );
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParamPaths {
    paths: Vec<String>,
    /// The other places of tied parameters that have a place at or below `paths`; no frozen clones of these parameters.
    tied: Vec<String>,
}

impl ParamPaths {
    /// The parameters at or below `paths` in `model`. `field` is the name of the list in an error.
    ///
    /// # Errors
    ///
    /// If `model` has no float parameter at or below one of the paths: the error suggests similar names, or lists the first
    /// ten parameters if no name is similar.
    pub fn init<M: Module>(
        model: &M,
        field: &'static str,
        paths: &[impl AsRef<str>],
    ) -> Result<Self, ConfigError> {
        let known = params(model);
        let paths: Vec<String> = paths.iter().map(|path| path.as_ref().to_owned()).collect();
        let unknown = |path: &&String| !known.iter().any(|known| covers(path, &known.path));
        if let Some(path) = paths.iter().find(unknown) {
            let known: Vec<String> = known.into_iter().map(|param| param.path).collect();
            return Err(ConfigError {
                got: format!("{path:?}{}", hint(path, &known)),
                ..ConfigError::new(
                    field,
                    "name parameters of the model, or modules that hold some",
                    path,
                )
            });
        }
        let is_named = |path: &str| paths.iter().any(|pattern| covers(pattern, path));
        let (named, others): (Vec<_>, Vec<_>) =
            known.into_iter().partition(|param| is_named(&param.path));
        let clones = frozen_clones(model);
        let key = |param: &ParamInfo| (param.id, clones.contains(&param.path));
        let named: HashSet<(ParamId, bool)> = named.iter().map(key).collect();
        let is_tied = |param: &ParamInfo| named.contains(&key(param));
        let tied = others.into_iter().filter(is_tied);
        let tied = tied.map(|param| param.path).collect();
        Ok(Self { paths, tied })
    }

    /// Whether the parameter at this path is one of these parameters.
    pub fn contains(&self, path: &str) -> bool {
        self.paths.iter().any(|pattern| covers(pattern, path))
            || self.tied.iter().any(|tied| tied == path)
    }

    /// These parameters as a group for Burn's optimizers, schedules and `freeze_group`. The group matches by
    /// path, so it also matches parameters of other models with these paths.
    pub fn group(&self) -> ParamGroup {
        let paths = self.paths.iter().chain(&self.tied);
        let patterns: Vec<_> = paths.map(|path| pattern(path)).collect();
        if patterns.is_empty() {
            // The expression would match an empty path.
            return ParamGroup::from_ids(Vec::new());
        }
        ParamGroup::from_regex(format!(r"^(?:{})(?:\.|$)", patterns.join("|")))
            .expect("names are escaped")
    }

    /// The paths of `model` that these paths stand for. A path with a `*` is expanded to one path for each match,
    /// in the model's own order.
    pub fn expanded<M: Module>(&self, model: &M) -> Vec<String> {
        let known = params(model);
        let mut expanded: Vec<String> = Vec::new();
        for path in &self.paths {
            let depth = path.split('.').count();
            let of_model = known.iter().filter(|known| covers(path, &known.path));
            for param in of_model {
                let parts: Vec<_> = param.path.split('.').take(depth).collect();
                let name = parts.join(".");
                if !expanded.contains(&name) {
                    expanded.push(name);
                }
            }
        }
        expanded
    }
}

/// Whether `path` is matched by `pattern`, or lies below a match.
fn covers(pattern: &str, path: &str) -> bool {
    let mut parts = path.split('.');
    !pattern.is_empty()
        && (pattern.split('.'))
            .all(|name| parts.next().is_some_and(|part| name == "*" || name == part))
}

/// A path as a part of a regular expression.
fn pattern(path: &str) -> String {
    let mut pattern = String::new();
    for (at, name) in path.split('.').enumerate() {
        pattern += if at == 0 { "" } else { r"\." };
        match name {
            "*" => pattern += r"[^.]+",
            name => name.chars().for_each(|letter| {
                if letter.is_ascii_punctuation() && letter != '_' {
                    pattern.push('\\');
                }
                pattern.push(letter);
            }),
        }
    }
    pattern
}

/// Names that are near to `path`, or else the first that there are.
fn hint(path: &str, known: &[String]) -> String {
    const MOST: usize = 10;
    let quoted = |names: &[String]| {
        let names: Vec<_> = names.iter().map(|name| format!("{name:?}")).collect();
        names.join(", ")
    };
    let near = near_names(path, known);
    match (&*near, known.len()) {
        ([], 0) => "; the model has no parameters".to_owned(),
        ([], count) if count > MOST => {
            let (first, rest) = known.split_at(MOST);
            format!(
                "; the parameters are {} and {} more",
                quoted(first),
                rest.len()
            )
        }
        ([], _) => format!("; the parameters are {}", quoted(known)),
        (near, _) => format!("; similar names are {}", quoted(near)),
    }
}

/// The paths of parameters and of modules, among those that `known` parameters have, that are most similar to `path`:
/// at most three.
pub fn near_names(path: &str, known: &[String]) -> Vec<String> {
    let ends = |path: &String| {
        let dots = path.match_indices('.').map(|(at, _)| at);
        dots.chain([path.len()]).collect::<Vec<_>>()
    };
    let mut names = Vec::new();
    for known in known {
        for end in ends(known) {
            let name = &known[..end];
            let distance = strsim::damerau_levenshtein(path, name);
            if distance <= name.len().max(path.len()) / 2 {
                names.push((distance, name));
            }
        }
    }
    names.sort();
    names.dedup();
    let names = names.into_iter().take(3);
    names.map(|(_, name)| name.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::force_init;
    use burn::module::ParamId;
    use burn::nn::{Linear, LinearConfig};
    use burn::tensor::Device;

    fn model() -> (Vec<Linear>, Linear) {
        let device = Device::flex();
        let layer = || LinearConfig::new(2, 2).init(&device);
        ((0..11).map(|_| layer()).collect(), layer())
    }

    #[test]
    fn a_path_takes_in_what_is_below_it_and_no_longer_name() {
        let paths = ParamPaths::init(&model(), "paths", &["0.1", "1.weight"]).unwrap();
        for (path, is_in) in [
            ("0.1.weight", true),
            ("0.1.bias", true),
            ("0.10.weight", false),
            ("0.0.weight", false),
            ("1.weight", true),
            ("1.bias", false),
            ("0", false),
        ] {
            assert_eq!(paths.contains(path), is_in, "{path}");
            let matches = paths.group().matches(&ParamId::new(), Some(path));
            assert_eq!(matches, is_in, "the group, {path}");
        }
    }

    #[test]
    fn a_star_is_one_part_of_a_path() {
        let paths = ParamPaths::init(&model(), "paths", &["0.*.bias"]).unwrap();
        for (path, is_in) in [
            ("0.10.bias", true),
            ("0.1.weight", false),
            ("1.bias", false),
        ] {
            assert_eq!(paths.contains(path), is_in, "{path}");
            let matches = paths.group().matches(&ParamId::new(), Some(path));
            assert_eq!(matches, is_in, "the group, {path}");
        }
    }

    #[test]
    fn a_star_stands_for_names_in_the_order_of_the_model() {
        let paths = ParamPaths::init(&model(), "paths", &["1", "0.*"]).unwrap();
        let expected: Vec<_> = (0..11).map(|at| format!("0.{at}")).collect();
        assert_eq!(
            paths.expanded(&model()),
            [vec!["1".to_owned()], expected].concat()
        );
    }

    #[test]
    fn a_tied_parameter_is_named_by_any_of_its_places() {
        let layer = || {
            LinearConfig::new(2, 2)
                .with_bias(false)
                .init(&Device::flex())
        };
        let tied: Linear = layer();
        let model = vec![tied.clone(), layer(), tied.clone(), tied];
        let paths = ParamPaths::init(&model, "paths", &["2"]).unwrap();
        for (path, is_in) in [
            ("0.weight", true),
            ("1.weight", false),
            ("2.weight", true),
            ("3.weight", true),
        ] {
            assert_eq!(paths.contains(path), is_in, "{path}");
            let matches = paths.group().matches(&ParamId::new(), Some(path));
            assert_eq!(matches, is_in, "the group, {path}");
        }
        assert_eq!(paths.expanded(&model), ["2"]);
    }

    #[test]
    fn a_frozen_clone_and_the_trained_part_are_named_apart() {
        let student: Linear = LinearConfig::new(2, 2).init(&Device::flex().autodiff());
        force_init(&student);
        for teacher in [student.clone().no_grad(), student.valid()] {
            let model = vec![student.clone(), teacher.clone(), student.clone(), teacher];
            for (named, members) in [("0", ["0", "2"]), ("2", ["0", "2"]), ("1", ["1", "3"])] {
                let paths = ParamPaths::init(&model, "paths", &[named]).unwrap();
                for at in ["0", "1", "2", "3"] {
                    let (path, is_in) = (format!("{at}.weight"), members.contains(&at));
                    assert_eq!(paths.contains(&path), is_in, "{named}: {path}");
                    let matches = paths.group().matches(&ParamId::new(), Some(path.as_str()));
                    assert_eq!(matches, is_in, "the group, {named}: {path}");
                }
            }
        }
    }

    #[test]
    fn no_path_at_all_is_no_parameter() {
        let paths = ParamPaths::init(&model(), "paths", &[] as &[&str]).unwrap();
        assert!(!paths.contains("0.1.weight"));
        assert!(!paths.group().matches(&ParamId::new(), Some("0.1.weight")));
    }

    #[test]
    fn a_name_that_is_nowhere_is_refused_with_near_ones() {
        let refusal = |path: &str| {
            let error = ParamPaths::init(&model(), "layers", &[path]).unwrap_err();
            error.to_string()
        };
        let requirement =
            "`layers` must name parameters of the model, or modules that hold some, got ";
        assert_eq!(
            refusal("1.wait"),
            format!(
                r#"{requirement}"1.wait"; similar names are "1.bias", "1.weight", "0.1.weight""#
            )
        );
        let first: Vec<_> = (0..5)
            .map(|at| format!(r#""0.{at}.weight", "0.{at}.bias""#))
            .collect();
        let first = format!("; the parameters are {} and 14 more", first.join(", "));
        assert_eq!(
            refusal("decoder"),
            format!(r#"{requirement}"decoder"{first}"#)
        );
        assert_eq!(refusal(""), format!(r#"{requirement}""{first}"#));
        let error = ParamPaths::init(&model().1, "layers", &["decoder"]).unwrap_err();
        assert!(
            (error.to_string()).ends_with(r#"; the parameters are "weight", "bias""#),
            "{error}"
        );
    }
}
