//! Values as JSON, without a silent `null` for a number that JSON does not have.

use crate::part_error::PartError;
use serde::ser::{self, Serialize};

/// Writes `value` as JSON, every number to the last bit.
///
/// # Errors
///
/// If `value` holds NaN or an infinity, which `serde_json` would write as `null`: the error names the field and the
/// number. Also if `value` cannot be written as JSON for another reason.
pub fn to_json<T: Serialize + ?Sized>(value: &T) -> Result<String, PartError> {
    check_finite(value)?;
    Ok(serde_json::to_string(value)?)
}

/// Checks that every number in `value` is finite.
fn check_finite<T: Serialize + ?Sized>(value: &T) -> Result<(), PartError> {
    value.serialize(FiniteNumbers)
}

fn finite(number: f64) -> Result<(), PartError> {
    if number.is_finite() {
        Ok(())
    } else {
        let field = String::new();
        Err(PartError::NotFinite { field, number })
    }
}

/// Checks one part of a compound value, whose error is to name the part.
fn check_part<T: Serialize + ?Sized>(
    value: &T,
    name: impl FnOnce() -> String,
) -> Result<(), PartError> {
    check_finite(value).map_err(|error| match error {
        PartError::NotFinite { field, number } => {
            let field = match &*field {
                "" => name(),
                inner => format!("{}.{inner}", name()),
            };
            PartError::NotFinite { field, number }
        }
        other => other,
    })
}

/// A serializer that writes nothing and checks numbers.
struct FiniteNumbers;

/// The parts of a compound value that were checked.
#[derive(Default)]
struct Parts {
    /// How many.
    count: usize,
    /// The key of the next value of a map.
    key: String,
}

macro_rules! checks_nothing {
    ($($method:ident: $type:ty),+) => {
        $(fn $method(self, _: $type) -> Result<(), PartError> {
            Ok(())
        })+
    };
}

impl ser::Serializer for FiniteNumbers {
    type Ok = ();
    type Error = PartError;
    type SerializeSeq = Parts;
    type SerializeTuple = Parts;
    type SerializeTupleStruct = Parts;
    type SerializeTupleVariant = Parts;
    type SerializeMap = Parts;
    type SerializeStruct = Parts;
    type SerializeStructVariant = Parts;

    checks_nothing!(
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32,
        serialize_i64: i64, serialize_i128: i128, serialize_u8: u8, serialize_u16: u16,
        serialize_u32: u32, serialize_u64: u64, serialize_u128: u128, serialize_char: char,
        serialize_str: &str, serialize_bytes: &[u8], serialize_unit_struct: &'static str
    );

    fn serialize_f32(self, number: f32) -> Result<(), PartError> {
        finite(number.into())
    }

    fn serialize_f64(self, number: f64) -> Result<(), PartError> {
        finite(number)
    }

    fn serialize_none(self) -> Result<(), PartError> {
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), PartError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), PartError> {
        Ok(())
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
    ) -> Result<(), PartError> {
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<(), PartError> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        value: &T,
    ) -> Result<(), PartError> {
        value.serialize(self)
    }

    fn serialize_seq(self, _length: Option<usize>) -> Result<Parts, PartError> {
        Ok(Parts::default())
    }

    fn serialize_tuple(self, _length: usize) -> Result<Parts, PartError> {
        Ok(Parts::default())
    }

    fn serialize_tuple_struct(self, _name: &'static str, _: usize) -> Result<Parts, PartError> {
        Ok(Parts::default())
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _length: usize,
    ) -> Result<Parts, PartError> {
        Ok(Parts::default())
    }

    fn serialize_map(self, _length: Option<usize>) -> Result<Parts, PartError> {
        Ok(Parts::default())
    }

    fn serialize_struct(self, _name: &'static str, _length: usize) -> Result<Parts, PartError> {
        Ok(Parts::default())
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _length: usize,
    ) -> Result<Parts, PartError> {
        Ok(Parts::default())
    }
}

/// Parts that have a place, counted from 0, or a name.
macro_rules! checks_parts {
    ($($compound:ident: $method:ident($($key:ident)?)),+) => {
        $(impl ser::$compound for Parts {
            type Ok = ();
            type Error = PartError;

            fn $method<T: Serialize + ?Sized>(
                &mut self,
                $($key: &'static str,)?
                value: &T,
            ) -> Result<(), PartError> {
                let place = self.count;
                self.count += 1;
                let name = || {
                    #[allow(unused_variables)]
                    let name = place.to_string();
                    $(let name = $key.to_owned();)?
                    name
                };
                check_part(value, name)
            }

            fn end(self) -> Result<(), PartError> {
                Ok(())
            }
        })+
    };
}

checks_parts!(
    SerializeSeq: serialize_element(),
    SerializeTuple: serialize_element(),
    SerializeTupleStruct: serialize_field(),
    SerializeTupleVariant: serialize_field(),
    SerializeStruct: serialize_field(key),
    SerializeStructVariant: serialize_field(key)
);

impl ser::SerializeMap for Parts {
    type Ok = ();
    type Error = PartError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), PartError> {
        check_finite(key)?;
        let key = serde_json::to_string(key)?;
        self.key = key.trim_matches('"').to_owned();
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), PartError> {
        check_part(value, || self.key.clone())
    }

    fn end(self) -> Result<(), PartError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Serialize;
    use std::collections::BTreeMap;

    #[derive(Serialize)]
    enum Choice {
        Named { rate: f64 },
        Unnamed(f32, f32),
    }

    #[derive(Serialize)]
    struct Settings {
        name: &'static str,
        rates: BTreeMap<u8, Vec<Option<f64>>>,
        choice: Choice,
    }

    fn settings(rate: f64, choice: Choice) -> Settings {
        Settings {
            name: "sgd",
            rates: [(7, vec![None, Some(rate)])].into(),
            choice,
        }
    }

    #[test]
    fn a_number_that_json_does_not_have_is_named_by_its_path() {
        let nan = f32::NAN;
        for (value, text) in [
            (
                settings(f64::INFINITY, Choice::Unnamed(0.0, 0.0)),
                "`rates.7.1` is inf",
            ),
            (
                settings(0.0, Choice::Unnamed(0.0, nan)),
                "`choice.1` is NaN",
            ),
            (
                settings(
                    0.0,
                    Choice::Named {
                        rate: f64::NEG_INFINITY,
                    },
                ),
                "`choice.rate` is -inf",
            ),
        ] {
            let error = to_json(&value).unwrap_err().to_string();
            assert!(error.starts_with(text), "{error}");
        }
        let error = to_json(&nan).unwrap_err().to_string();
        assert!(error.starts_with("the value is NaN"), "{error}");
    }

    #[test]
    fn finite_numbers_are_written_as_serde_json_writes_them() {
        let value = settings(0.1 + 0.2, Choice::Named { rate: f64::MAX });
        let json = to_json(&value).unwrap();
        assert_eq!(json, serde_json::to_string(&value).unwrap());
        assert!(json.contains("0.30000000000000004") && json.contains("sgd"));
    }
}
