//! Whether a value has a number that JSON cannot write: NaN or an infinity.

use crate::part_error::PartError;
use serde::ser::{self, Serialize};

/// Checks that every number in `value` is finite.
pub(crate) fn check_finite<T: Serialize + ?Sized>(value: &T) -> Result<(), PartError> {
    value.serialize(Looking)
}

fn finite(number: f64) -> Result<(), PartError> {
    if number.is_finite() {
        Ok(())
    } else {
        Err(PartError::NotFinite { number })
    }
}

/// A serializer that writes nothing, and looks at numbers.
struct Looking;

macro_rules! looks_away {
    ($($method:ident: $type:ty),+) => {
        $(fn $method(self, _: $type) -> Result<(), PartError> {
            Ok(())
        })+
    };
}

impl ser::Serializer for Looking {
    type Ok = ();
    type Error = PartError;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    looks_away!(
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

    fn serialize_seq(self, _length: Option<usize>) -> Result<Self, PartError> {
        Ok(self)
    }

    fn serialize_tuple(self, _length: usize) -> Result<Self, PartError> {
        Ok(self)
    }

    fn serialize_tuple_struct(self, _name: &'static str, _: usize) -> Result<Self, PartError> {
        Ok(self)
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _length: usize,
    ) -> Result<Self, PartError> {
        Ok(self)
    }

    fn serialize_map(self, _length: Option<usize>) -> Result<Self, PartError> {
        Ok(self)
    }

    fn serialize_struct(self, _name: &'static str, _length: usize) -> Result<Self, PartError> {
        Ok(self)
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _length: usize,
    ) -> Result<Self, PartError> {
        Ok(self)
    }
}

/// The parts of a compound value, one after the other.
macro_rules! looks_at_parts {
    ($($compound:ident: $method:ident($($key:ty)?)),+) => {
        $(impl ser::$compound for Looking {
            type Ok = ();
            type Error = PartError;

            fn $method<T: Serialize + ?Sized>(
                &mut self,
                $(_key: $key,)?
                value: &T,
            ) -> Result<(), PartError> {
                check_finite(value)
            }

            fn end(self) -> Result<(), PartError> {
                Ok(())
            }
        })+
    };
}

looks_at_parts!(
    SerializeSeq: serialize_element(),
    SerializeTuple: serialize_element(),
    SerializeTupleStruct: serialize_field(),
    SerializeTupleVariant: serialize_field(),
    SerializeStruct: serialize_field(&'static str),
    SerializeStructVariant: serialize_field(&'static str)
);

impl ser::SerializeMap for Looking {
    type Ok = ();
    type Error = PartError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), PartError> {
        check_finite(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), PartError> {
        check_finite(value)
    }

    fn end(self) -> Result<(), PartError> {
        Ok(())
    }
}
