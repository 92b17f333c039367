//! Serde's traits wrapped so that a decoder counts depth and elements.
//!
//! bincode bounds bytes only. Each wrapper here hands everything on and does one of two things
//! beside: it takes one from the depth that is left when a value opens (a sequence, a structure, an
//! option, a variant), or one from the elements that are left when a sequence or map gives its
//! next.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;

use bincode::config::Config;
use bincode::error::DecodeError;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};

use super::MAX_DEPTH;

/// Decodes a value from the start of the bytes, and says how many it took.
pub(super) fn decode<T: DeserializeOwned>(
    bytes: &[u8],
    format: impl Config,
) -> Result<(T, usize), DecodeError> {
    let elements = Cell::new(bytes.len());
    let bounds = Bounds { depth: MAX_DEPTH, elements: &elements, counts: false };
    let seed = Bounded { inner: PhantomData::<T>, bounds };
    bincode::serde::seed_decode_from_slice(seed, bytes, format)
}

/// What a value may still use.
#[derive(Clone, Copy)]
struct Bounds<'b> {
    /// Levels below this value.
    depth: usize,
    /// Elements of sequences and maps, in all that is left of the body.
    elements: &'b Cell<usize>,
    /// Whether this value is a sequence or map, whose length the sender chose; the fields of a
    /// structure are not counted.
    counts: bool,
}

impl<'b> Bounds<'b> {
    fn counting(self) -> Self {
        Bounds { counts: true, ..self }
    }

    #[inline]
    fn open<T, E: Error>(self, inner: T) -> Result<Bounded<'b, T>, E> {
        let Some(depth) = self.depth.checked_sub(1) else {
            return Err(E::custom(format_args!("values nest deeper than {MAX_DEPTH} levels")));
        };
        Ok(Bounded { inner, bounds: Bounds { depth, ..self } })
    }

    #[inline]
    fn count<E: Error>(self) -> Result<(), E> {
        if !self.counts {
            return Ok(());
        }
        let Some(left) = self.elements.get().checked_sub(1) else {
            return Err(E::custom("more elements than the body has bytes"));
        };
        self.elements.set(left);
        Ok(())
    }

    fn plain(self) -> Self {
        Bounds { counts: false, ..self }
    }
}

/// Any of serde's traits, under bounds.
struct Bounded<'b, T> {
    inner: T,
    bounds: Bounds<'b>,
}

impl<'b, T> Bounded<'b, T> {
    fn child<U>(&self, inner: U) -> Bounded<'b, U> {
        Bounded { inner, bounds: self.bounds.plain() }
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Bounded<'_, S> {
    type Value = S::Value;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        self.inner.deserialize(Bounded { inner: deserializer, bounds: self.bounds })
    }
}

/// The methods that hand a visitor on.
macro_rules! hand_on {
    ($($method:ident($($argument:ident: $type:ty),*) $(=> $bounds:ident)?;)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, $($argument: $type,)* visitor: V) -> Result<V::Value, D::Error> {
            let bounds = self.bounds $(.$bounds())?;
            self.inner.$method($($argument,)* Bounded { inner: visitor, bounds })
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Bounded<'_, D> {
    type Error = D::Error;

    hand_on! {
        deserialize_any();
        deserialize_bool();
        deserialize_i8();
        deserialize_i16();
        deserialize_i32();
        deserialize_i64();
        deserialize_i128();
        deserialize_u8();
        deserialize_u16();
        deserialize_u32();
        deserialize_u64();
        deserialize_u128();
        deserialize_f32();
        deserialize_f64();
        deserialize_char();
        deserialize_str();
        deserialize_string();
        deserialize_bytes();
        deserialize_byte_buf();
        deserialize_option();
        deserialize_unit();
        deserialize_unit_struct(name: &'static str);
        deserialize_newtype_struct(name: &'static str);
        deserialize_seq() => counting;
        deserialize_tuple(length: usize);
        deserialize_tuple_struct(name: &'static str, length: usize);
        deserialize_map() => counting;
        deserialize_struct(name: &'static str, fields: &'static [&'static str]);
        deserialize_enum(name: &'static str, variants: &'static [&'static str]);
        deserialize_identifier();
        deserialize_ignored_any();
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

/// The methods that take a plain value.
macro_rules! take {
    ($($method:ident($type:ty);)*) => {$(
        #[inline]
        fn $method<E: Error>(self, value: $type) -> Result<V::Value, E> {
            self.inner.$method(value)
        }
    )*};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Bounded<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    take! {
        visit_bool(bool);
        visit_i8(i8);
        visit_i16(i16);
        visit_i32(i32);
        visit_i64(i64);
        visit_i128(i128);
        visit_u8(u8);
        visit_u16(u16);
        visit_u32(u32);
        visit_u64(u64);
        visit_u128(u128);
        visit_f32(f32);
        visit_f64(f64);
        visit_char(char);
        visit_str(&str);
        visit_borrowed_str(&'de str);
        visit_string(String);
        visit_bytes(&[u8]);
        visit_borrowed_bytes(&'de [u8]);
        visit_byte_buf(Vec<u8>);
    }

    #[inline]
    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    #[inline]
    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    #[inline]
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        self.inner.visit_some(self.bounds.plain().open(deserializer)?)
    }

    #[inline]
    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.inner.visit_newtype_struct(self.bounds.plain().open(inner)?)
    }

    #[inline]
    fn visit_seq<A: SeqAccess<'de>>(self, sequence: A) -> Result<V::Value, A::Error> {
        self.inner.visit_seq(self.bounds.open(sequence)?)
    }

    #[inline]
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        self.inner.visit_map(self.bounds.open(map)?)
    }

    #[inline]
    fn visit_enum<A: EnumAccess<'de>>(self, variant: A) -> Result<V::Value, A::Error> {
        self.inner.visit_enum(self.bounds.plain().open(variant)?)
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Bounded<'_, A> {
    type Error = A::Error;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        let seed = self.child(seed);
        let element = self.inner.next_element_seed(seed)?;
        if element.is_some() {
            self.bounds.count()?;
        }
        Ok(element)
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Bounded<'_, A> {
    type Error = A::Error;

    #[inline]
    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        let seed = self.child(seed);
        let key = self.inner.next_key_seed(seed)?;
        if key.is_some() {
            self.bounds.count()?;
        }
        Ok(key)
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        let seed = self.child(seed);
        self.inner.next_value_seed(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'b, 'de, A: EnumAccess<'de>> EnumAccess<'de> for Bounded<'b, A> {
    type Error = A::Error;
    type Variant = Bounded<'b, A::Variant>;

    #[inline]
    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self::Variant), A::Error> {
        let seed = self.child(seed);
        let bounds = self.bounds;
        let (value, inner) = self.inner.variant_seed(seed)?;
        Ok((value, Bounded { inner, bounds }))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Bounded<'_, A> {
    type Error = A::Error;

    #[inline]
    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    #[inline]
    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        let seed = self.child(seed);
        self.inner.newtype_variant_seed(seed)
    }

    #[inline]
    fn tuple_variant<V: Visitor<'de>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        let visitor = self.child(visitor);
        self.inner.tuple_variant(length, visitor)
    }

    #[inline]
    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        let visitor = self.child(visitor);
        self.inner.struct_variant(fields, visitor)
    }
}
