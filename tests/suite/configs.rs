//! Every configuration as people write it by hand: what is missing has its default, what is unknown is an
//! error, and what is written is what Burn's own derive would write.

use crate::configs_table::table;
use burn::config::Config;
use burn_tricks::average::{EmaConfig, EmaWarmup};
use burn_tricks::nn::{Nonlinearity, ScalerKind, Shortcut, WeightInit};
use burn_tricks::optim::{Memory, MomentumMemory};
use burn_tricks::schedule::{CyclicMode, LrDecayUnit};
use burn_tricks::{Improvement, Run};
use serde_json::{Map, Value, from_str, from_value, json, to_string, to_value};
use std::collections::BTreeSet;
use std::path::Path;

type Fields = Map<String, Value>;

/// A configuration under the laws of all.
pub(crate) struct Row {
    name: &'static str,
    /// As `new` makes it.
    new: Fields,
    /// The arguments of `new`.
    required: &'static [&'static str],
    /// With no value as in `new`, as Burn's derive writes it.
    full: &'static str,
    /// Fields that hold a type of Burn's, which reads by Burn's rules.
    of_burn: &'static [&'static str],
    /// Reads, and writes what was read.
    read: fn(&str) -> Result<String, String>,
}

pub(crate) fn row<C: Config>(new: C, required: &'static [&str], full: &'static str) -> Row {
    Row {
        name: std::any::type_name::<C>().rsplit("::").next().unwrap(),
        new: fields(to_value(new).unwrap()),
        required,
        full,
        of_burn: &[],
        read: |text| match C::load_binary(text.as_bytes()) {
            Ok(config) => Ok(to_string(&config).unwrap()),
            Err(error) => Err(error.to_string()),
        },
    }
}

fn fields(value: Value) -> Fields {
    let Value::Object(fields) = value else {
        panic!("{value} is no object")
    };
    fields
}

impl Row {
    pub(crate) fn of_burn(self, of_burn: &'static [&'static str]) -> Self {
        Self { of_burn, ..self }
    }

    fn full(&self) -> Fields {
        fields(from_str(self.full).unwrap())
    }

    fn read(&self, given: &Fields) -> Result<Fields, String> {
        let written = (self.read)(&to_string(given).unwrap())?;
        Ok(fields(from_str(&written).unwrap()))
    }

    /// The error of reading what must not be read.
    fn refusal(&self, given: &Fields) -> String {
        match self.read(given) {
            Ok(read) => panic!("{} accepts {given:?} as {read:?}", self.name),
            Err(error) => error,
        }
    }

    /// The required fields, and one more.
    fn least_with(&self, more: Option<(&String, &Value)>) -> (Fields, Fields) {
        let required = self.required.iter();
        let mut given: Fields = required
            .map(|&key| (key.into(), self.new[key].clone()))
            .collect();
        let mut expected = self.new.clone();
        if let Some((key, value)) = more {
            given.insert(key.clone(), value.clone());
            expected.insert(key.clone(), value.clone());
        }
        (given, expected)
    }

    fn the_table_is_complete(&self) {
        let Self { name, new, .. } = self;
        let full = self.full();
        assert!(new.keys().eq(full.keys()), "{name} has the fields {new:?}");
        for (key, value) in &full {
            assert_ne!(*value, new[key], "{name}: `{key}` is as in `new`");
        }
    }

    fn missing_means_default(&self) {
        let full = self.full();
        for more in std::iter::once(None).chain(full.iter().map(Some)) {
            let (given, expected) = self.least_with(more);
            let read = self.read(&given);
            assert_eq!(read, Ok(expected), "{}: {given:?}", self.name);
        }
    }

    fn a_required_field_is_missed(&self) {
        for &key in self.required {
            let mut given = self.full();
            given.remove(key);
            let error = self.refusal(&given);
            let expected = format!("missing field `{key}`");
            assert!(error.contains(&expected), "{}: {error}", self.name);
        }
    }

    fn an_unknown_field_is_refused(&self) {
        let mut given = self.full();
        given.insert("no_such_field".into(), json!(1));
        let error = self.refusal(&given);
        assert!(error.contains("unknown field `no_such_field`"), "{error}");
        for key in self.new.keys() {
            let quoted = format!("`{key}`");
            assert!(error.contains(&quoted), "{}: {error}", self.name);
        }
        for (key, value) in self.full() {
            if self.of_burn.contains(&key.as_str()) {
                continue;
            }
            for damaged in with_an_unknown_field(&value) {
                let mut given = self.full();
                given.insert(key.clone(), damaged);
                self.refusal(&given);
            }
        }
    }

    fn what_is_written_is_unchanged(&self) {
        let written = (self.read)(self.full);
        assert_eq!(written, Ok(self.full.into()), "{}", self.name);
    }
}

/// `value`, once for each object in it, with one field too many in that object.
fn with_an_unknown_field(value: &Value) -> Vec<Value> {
    let mut all = Vec::new();
    match value {
        Value::Object(fields) => {
            let mut more = fields.clone();
            more.insert("no_such_field".into(), json!(1));
            all.push(more.into());
            for (key, inner) in fields {
                for damaged in with_an_unknown_field(inner) {
                    let mut fields = fields.clone();
                    fields.insert(key.clone(), damaged);
                    all.push(fields.into());
                }
            }
        }
        Value::Array(items) => {
            for (at, inner) in items.iter().enumerate() {
                for damaged in with_an_unknown_field(inner) {
                    let mut items = items.clone();
                    items[at] = damaged;
                    all.push(items.into());
                }
            }
        }
        _ => {}
    }
    all
}

#[test]
fn the_table_has_every_configuration_of_the_workspace() {
    let sources = sources();
    let written = sources.iter().flat_map(|text| configurations_in(text));
    let written: BTreeSet<String> = written.collect();
    let tested: BTreeSet<String> = table().iter().map(|row| row.name.into()).collect();
    assert_eq!(tested, written);
    table().iter().for_each(Row::the_table_is_complete);
}

/// The names of the types that derive `Config` in a source text.
fn configurations_in(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut derives = false;
    for line in text.lines().map(str::trim) {
        derives |= line.starts_with("#[derive(") && line.contains("Config");
        let Some(item) = line.strip_prefix("pub struct ").filter(|_| derives) else {
            continue;
        };
        let name = item.split(|c: char| !c.is_alphanumeric()).next();
        names.push(name.unwrap().into());
        derives = false;
    }
    names
}

/// All source texts of the workspace's crates, without their unit tests.
fn sources() -> Vec<String> {
    fn read(folder: &Path, texts: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                read(&path, texts);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let program = text.split("#[cfg(test)]").next().unwrap();
                texts.push(program.to_owned());
            }
        }
    }
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates");
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(crates).unwrap() {
        read(&entry.unwrap().path().join("src"), &mut texts);
    }
    texts
}

#[test]
fn the_docs_of_a_field_state_its_default() {
    let mut stated = 0;
    for text in sources() {
        let mut docs = String::new();
        for line in text.lines().map(str::trim) {
            if let Some(doc) = line.strip_prefix("/// ") {
                docs = docs + doc + " ";
            } else if let Some(default) = line.strip_prefix("#[config(default = ") {
                let default = default.trim_end_matches(")]");
                let is_right = states(&docs, default);
                assert!(is_right, "the default is {default}, the docs say: {docs}");
                stated += 1;
            } else {
                docs.clear();
            }
        }
    }
    assert!(stated > 100, "{stated} defaults were found");
}

/// Whether the docs state the default: a number, a boolean or a variant as it is, anything else in words that are known here.
fn states(docs: &str, default: &str) -> bool {
    let Some((_, stated)) = docs.rsplit_once("Default: ") else {
        return false;
    };
    let number = |text: &str| {
        let end = text.find(|c: char| !"0123456789.e-".contains(c));
        let text = &text[..end.unwrap_or(text.len())];
        text.trim_end_matches('.').parse::<f64>().ok()
    };
    let default = default.trim_matches('"');
    let named = stated.strip_prefix("[`");
    if let Some((variant, _)) = named.and_then(|rest| rest.split_once("`]")) {
        return default == variant || default.ends_with(&format!("::{variant}"));
    }
    let words: &[&str] = match default {
        "true" => &["yes"],
        "false" => &["no"],
        "None" => &["none", "no bounds", "equal", "drawn by λ", "as many as"],
        "Vec::new()" => &["none"],
        "[1, 1]" => &["1."],
        "vec![16, 32, 64]" => &["16, 32, 64."],
        "every_role()" => &["every one but [`ParamRole::Weight`] and"],
        "ActivationConfig::Relu" => &["ReLU."],
        "Biases::Zero" => &["they become zero"],
        "Buffers::Average" => &["they are averaged"],
        "Draws::EachOnce" => &["every sample once"],
        "MinDelta::Absolute(0.0)" => &["anything strictly better"],
        "MinDelta::Relative(1e-4)" => &["by more than 10⁻⁴"],
        "Missing::Refuse" => &["a fault"],
        "MixUnit::Batch" => &["for the batch"],
        "NonFiniteMetric::Stop" => &["stop."],
        "Others::Draw" => &["they are drawn"],
        "ParamGroup::all()" => &["all."],
        "Patience::Reached(10)" => &["the learning rate is reduced at the tenth"],
        "ScaleBy::Axis(1)" => &["those with one index on axis 1"],
        "crate::weight_decay::WeightDecayMode::$mode" => &["as in the library or paper"],
        _ => {
            // Of `Some(0.25)` or `WarmupStart::Factor(0.0)` the number.
            let (_, inner) = default.split_once('(').unwrap_or(("", default));
            return number(inner).is_some() && number(stated) == number(inner);
        }
    };
    words.iter().any(|start| stated.starts_with(*start))
}

#[test]
fn a_field_that_is_missing_has_its_default() {
    table().iter().for_each(Row::missing_means_default);
}

#[test]
fn a_required_field_that_is_missing_is_named() {
    table().iter().for_each(Row::a_required_field_is_missed);
}

#[test]
fn an_unknown_field_is_an_error_that_lists_the_right_ones() {
    table().iter().for_each(Row::an_unknown_field_is_refused);
    from_str::<Improvement>(r#"{"goal":"Minimize","min_delta":{"Absolute":0.0},"min":1}"#)
        .expect_err("a field too many");
    from_str::<Run>(r#"{"epochs":1,"steps_per_epoch":1,"steps":1}"#).expect_err("a field too many");
}

#[test]
fn what_is_written_is_what_burn_writes() {
    table().iter().for_each(Row::what_is_written_is_unchanged);
}

#[test]
fn a_file_written_by_hand_is_loaded_or_says_what_is_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ema.json");

    std::fs::write(&file, r#"{"decay": 0.999}"#).unwrap();
    assert_eq!(EmaConfig::load(&file).unwrap(), EmaConfig::new(0.999));

    let misspelt = r#"{"decay": 0.999, "update_evry": 5}"#;
    std::fs::write(&file, misspelt).unwrap();
    let error = EmaConfig::load(&file).unwrap_err().to_string();
    let expected = "unknown field `update_evry`, expected one of `decay`, `warmup`, `update_every`, \
                    `start_after`, `buffers`";
    assert!(error.contains(expected), "{error}");
}

/// Every variant with named fields.
#[test]
fn a_variant_refuses_a_field_it_does_not_have() {
    fn refused<T: serde::de::DeserializeOwned + std::fmt::Debug>(text: &str) {
        let mut value: Value = from_str(text).unwrap();
        from_value::<T>(value.clone()).unwrap_or_else(|error| panic!("{text}: {error}"));
        let (_, inside) = value.as_object_mut().unwrap().iter_mut().next().unwrap();
        inside["no_such_field"] = json!(1);
        let error = from_value::<T>(value).expect_err(text).to_string();
        assert!(error.contains("unknown field `no_such_field`"), "{error}");
    }
    refused::<EmaWarmup>(r#"{"Timm":{"gamma":1.0,"power":0.75}}"#);
    refused::<Memory>(r#"{"Decay":{"beta":0.5}}"#);
    refused::<MomentumMemory>(r#"{"OfGradient":{"beta":0.5}}"#);
    refused::<CyclicMode>(r#"{"ExpRange":{"gamma":0.5}}"#);
    refused::<LrDecayUnit>(r#"{"SmoothEpochs":{"steps":5}}"#);
    refused::<WeightInit>(r#"{"Orthogonal":{"gain":1.0}}"#);
    refused::<Nonlinearity>(r#"{"LeakyRelu":{"slope":0.5}}"#);
    refused::<Shortcut>(r#"{"Linear":{"inputs":2,"outputs":3}}"#);
    refused::<ScalerKind>(r#"{"Robust":{"lower":0.25,"upper":0.75}}"#);
}
