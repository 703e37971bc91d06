//! Serde of floats that may be NaN or infinite, which JSON does not have: they are written as texts.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;

/// A number, or the text of one that JSON does not have.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Number {
    Finite(f64),
    Text(String),
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
        if self.is_finite() {
            Number::Finite(*self)
        } else {
            Number::Text(self.to_string())
        }
    }

    fn read(form: Number) -> Self {
        match form {
            Number::Finite(value) => value,
            Number::Text(text) => text.parse().unwrap_or(f64::NAN),
        }
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
