//! Serde of floats that may be NaN or infinite, which JSON does not have: they are written as texts.

use serde::de::{DeserializeOwned, Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt::Formatter;

/// A number, or the text of one that JSON does not have.
pub(crate) struct Number(f64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_finite() {
            serializer.serialize_f64(self.0)
        } else {
            serializer.collect_str(&self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberVisitor)
    }
}

struct NumberVisitor;

impl Visitor<'_> for NumberVisitor {
    type Value = Number;

    fn expecting(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str("a number, \"NaN\", \"inf\" or \"-inf\"")
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Number, E> {
        Ok(Number(number))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Number, E> {
        Ok(Number(number as f64))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Number, E> {
        Ok(Number(number as f64))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Number, E> {
        match text {
            "NaN" => Ok(Number(f64::NAN)),
            "inf" => Ok(Number(f64::INFINITY)),
            "-inf" => Ok(Number(f64::NEG_INFINITY)),
            _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
        }
    }
}

/// A value with floats, in a form that JSON has.
pub(crate) trait Written: Sized {
    type Form: Serialize + DeserializeOwned;

    fn form(&self) -> Self::Form;
    fn read(form: Self::Form) -> Self;
}

impl Written for f64 {
    type Form = Number;

    fn form(&self) -> Number {
        Number(*self)
    }

    fn read(form: Number) -> Self {
        form.0
    }
}

impl<T: Written> Written for Option<T> {
    type Form = Option<T::Form>;

    fn form(&self) -> Self::Form {
        self.as_ref().map(T::form)
    }

    fn read(form: Self::Form) -> Self {
        form.map(T::read)
    }
}

impl<T: Written> Written for Vec<T> {
    type Form = Vec<T::Form>;

    fn form(&self) -> Self::Form {
        self.iter().map(T::form).collect()
    }

    fn read(form: Self::Form) -> Self {
        form.into_iter().map(T::read).collect()
    }
}

impl<T: Written> Written for [T; 2] {
    type Form = [T::Form; 2];

    fn form(&self) -> Self::Form {
        self.each_ref().map(T::form)
    }

    fn read(form: Self::Form) -> Self {
        form.map(T::read)
    }
}

impl<T: Written> Written for (String, T) {
    type Form = (String, T::Form);

    fn form(&self) -> Self::Form {
        (self.0.clone(), self.1.form())
    }

    fn read((name, form): Self::Form) -> Self {
        (name, T::read(form))
    }
}

impl<T: Written> Written for BTreeMap<i64, T> {
    type Form = BTreeMap<i64, T::Form>;

    fn form(&self) -> Self::Form {
        self.iter()
            .map(|(key, value)| (*key, value.form()))
            .collect()
    }

    fn read(form: Self::Form) -> Self {
        form.into_iter()
            .map(|(key, form)| (key, T::read(form)))
            .collect()
    }
}

/// For `#[serde(with = "crate::float")]` on a float, or on an option, a list, a pair or a map of floats.
pub(crate) fn serialize<T: Written, S: Serializer>(
    value: &T,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    value.form().serialize(serializer)
}

/// The other direction of [`serialize`].
pub(crate) fn deserialize<'de, T: Written, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    T::Form::deserialize(deserializer).map(T::read)
}
