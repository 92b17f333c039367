//! Which kinds of messages an algorithm has, from the type of its messages alone.
//!
//! A plan of faults names kinds, and one that does not exist would never come: better to refuse it. But a type
//! has no list of the names of its variants. What it has is `Deserialize`: whoever reads an enum is told how
//! many variants it has, and chooses one. So each variant is read once from nothing at all, with zeros and
//! empty texts in it, and asked for its kind. An enum within an enum is tried in all ways, too.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::value::U32Deserializer;
use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, SeqAccess, VariantAccess,
    Visitor,
};

use crate::process::{Choices, Kind};

/// How many ways to read a message are tried: variants, and those of the enums in them.
const WAYS_MAX: usize = 4_096;

/// How deep a value may be. A list that ends in itself has no end here.
const DEPTH_MAX: u32 = 32;

/// The kinds of messages that there are; nothing if that cannot be found out, as of a type that refuses zero.
pub(crate) fn kinds_of<M: Kind>() -> Option<BTreeSet<&'static str>> {
    let mut kinds = BTreeSet::new();
    let mut choices = Choices::default();
    for _ in 0..WAYS_MAX {
        let nothing = Nothing { choices: &mut choices, depth: 0 };
        kinds.insert(M::deserialize(nothing).ok()?.kind());
        if !choices.advance() {
            return Some(kinds);
        }
    }
    None
}

/// A value of any type, made of nothing.
struct Nothing<'a> {
    choices: &'a mut Choices,
    depth: u32,
}

/// There is no such value.
#[derive(Debug)]
struct NoValue;

impl fmt::Display for NoValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no value is made of nothing")
    }
}

impl std::error::Error for NoValue {}

impl de::Error for NoValue {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

impl Nothing<'_> {
    /// What is within it.
    fn inner(&mut self) -> Result<Nothing<'_>, NoValue> {
        let depth = self.depth + 1;
        match depth <= DEPTH_MAX {
            true => Ok(Nothing { choices: self.choices, depth }),
            false => Err(NoValue),
        }
    }
}

/// Methods that read a simple value.
macro_rules! simple {
    ($($read:ident $visit:ident $value:expr;)*) => {
        $(fn $read<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NoValue> {
            visitor.$visit($value)
        })*
    };
}

impl<'de> Deserializer<'de> for Nothing<'_> {
    type Error = NoValue;

    simple! {
        deserialize_bool visit_bool false;
        deserialize_i8 visit_i8 0;
        deserialize_i16 visit_i16 0;
        deserialize_i32 visit_i32 0;
        deserialize_i64 visit_i64 0;
        deserialize_i128 visit_i128 0;
        deserialize_u8 visit_u8 0;
        deserialize_u16 visit_u16 0;
        deserialize_u32 visit_u32 0;
        deserialize_u64 visit_u64 0;
        deserialize_u128 visit_u128 0;
        deserialize_f32 visit_f32 0.0;
        deserialize_f64 visit_f64 0.0;
        deserialize_char visit_char ' ';
        deserialize_str visit_str "";
        deserialize_string visit_str "";
        deserialize_bytes visit_bytes &[];
        deserialize_byte_buf visit_bytes &[];
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, NoValue> {
        Err(NoValue)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NoValue> {
        visitor.visit_none()
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NoValue> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, NoValue> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        mut self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, NoValue> {
        visitor.visit_newtype_struct(self.inner()?)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NoValue> {
        self.deserialize_tuple(0, visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        left: usize,
        visitor: V,
    ) -> Result<V::Value, NoValue> {
        visitor.visit_seq(Elements { of: self, left })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        left: usize,
        visitor: V,
    ) -> Result<V::Value, NoValue> {
        self.deserialize_tuple(left, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NoValue> {
        let nothing = std::iter::empty::<((), ())>();
        visitor.visit_map(de::value::MapDeserializer::new(nothing))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, NoValue> {
        self.deserialize_tuple(fields.len(), visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, NoValue> {
        if variants.is_empty() {
            return Err(NoValue);
        }
        let chosen = self.choices.choose(variants.len()) as u32;
        visitor.visit_enum(Variant { chosen, of: self })
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, _: V) -> Result<V::Value, NoValue> {
        Err(NoValue)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NoValue> {
        visitor.visit_unit()
    }

    fn is_human_readable(&self) -> bool {
        // As on the wire.
        false
    }
}

/// So many values.
struct Elements<'a> {
    of: Nothing<'a>,
    left: usize,
}

impl<'de> SeqAccess<'de> for Elements<'_> {
    type Error = NoValue;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, NoValue> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        seed.deserialize(self.of.inner()?).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

/// The variant that was chosen.
struct Variant<'a> {
    chosen: u32,
    of: Nothing<'a>,
}

impl<'de, 'a> EnumAccess<'de> for Variant<'a> {
    type Error = NoValue;
    type Variant = Nothing<'a>;

    fn variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<(T::Value, Self::Variant), NoValue> {
        let chosen: U32Deserializer<NoValue> = self.chosen.into_deserializer();
        Ok((seed.deserialize(chosen)?, self.of))
    }
}

impl<'de> VariantAccess<'de> for Nothing<'_> {
    type Error = NoValue;

    fn unit_variant(self) -> Result<(), NoValue> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(
        mut self,
        seed: T,
    ) -> Result<T::Value, NoValue> {
        seed.deserialize(self.inner()?)
    }

    fn tuple_variant<V: Visitor<'de>>(self, left: usize, visitor: V) -> Result<V::Value, NoValue> {
        self.deserialize_tuple(left, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, NoValue> {
        self.deserialize_tuple(fields.len(), visitor)
    }
}

#[cfg(test)]
mod tests;
