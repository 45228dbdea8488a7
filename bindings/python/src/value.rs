//! Plain Rust values as Python's, by serde: what is serialised becomes numbers, texts, lists and dictionaries.
//!
//! Structs are dictionaries with their fields' names, so that a report of the engine is `cls(**fields)` of the dataclass
//! with its name (`objects`).

use std::fmt;

use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};
use serde::ser::{
    self, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant,
    SerializeTuple, SerializeTupleStruct, SerializeTupleVariant,
};

/// A value as Python has it.
///
/// # Errors
/// Whatever Python raises, for want of memory.
pub(crate) fn to_python<'py, T: Serialize + ?Sized>(
    py: Python<'py>,
    value: &T,
) -> PyResult<Bound<'py, PyAny>> {
    value.serialize(ToPython(py)).map_err(|error| error.0)
}

/// The fields of a struct.
pub(crate) fn fields<'py, T: Serialize>(
    py: Python<'py>,
    value: &T,
) -> PyResult<Bound<'py, PyDict>> {
    Ok(to_python(py, value)?.cast_into::<PyDict>()?)
}

/// A Python exception as serde's error.
#[derive(Debug)]
struct Raised(PyErr);

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Raised {}

impl ser::Error for Raised {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(crate::errors::lazily(message.to_string()))
    }
}

impl From<PyErr> for Raised {
    fn from(error: PyErr) -> Self {
        Self(error)
    }
}

#[derive(Clone, Copy)]
struct ToPython<'py>(Python<'py>);

type Made<'py> = Result<Bound<'py, PyAny>, Raised>;

impl<'py> ToPython<'py> {
    fn object<T: IntoPyObject<'py>>(self, value: T) -> Made<'py> {
        Ok(value.into_bound_py_any(self.0)?)
    }

    /// One of an enum's variants with what it holds.
    fn variant(self, name: &str, content: Bound<'py, PyAny>) -> Made<'py> {
        let dict = PyDict::new(self.0);
        dict.set_item(name, content)?;
        Ok(dict.into_any())
    }

    fn items(self, tag: Option<&'static str>) -> Items<'py> {
        Items {
            py: self,
            items: Vec::new(),
            tag,
        }
    }

    fn members(self, tag: Option<&'static str>) -> Members<'py> {
        Members {
            py: self,
            dict: PyDict::new(self.0),
            key: None,
            tag,
        }
    }
}

macro_rules! plain {
    ($($name:ident: $type:ty),*) => {
        $(fn $name(self, value: $type) -> Made<'py> {
            self.object(value)
        })*
    };
}

impl<'py> ser::Serializer for ToPython<'py> {
    type Ok = Bound<'py, PyAny>;
    type Error = Raised;
    type SerializeSeq = Items<'py>;
    type SerializeTuple = Items<'py>;
    type SerializeTupleStruct = Items<'py>;
    type SerializeTupleVariant = Items<'py>;
    type SerializeMap = Members<'py>;
    type SerializeStruct = Members<'py>;
    type SerializeStructVariant = Members<'py>;

    plain! {
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_i128: i128,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_u128: u128,
        serialize_f32: f32, serialize_f64: f64, serialize_char: char, serialize_str: &str,
        serialize_bytes: &[u8]
    }

    fn serialize_bool(self, value: bool) -> Made<'py> {
        Ok(value
            .into_pyobject(self.0)
            .map_err(PyErr::from)?
            .to_owned()
            .into_any())
    }

    fn serialize_none(self) -> Made<'py> {
        Ok(self.0.None().into_bound(self.0))
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Made<'py> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Made<'py> {
        self.serialize_none()
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Made<'py> {
        self.serialize_none()
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Made<'py> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Made<'py> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Made<'py> {
        self.variant(variant, value.serialize(self)?)
    }

    fn serialize_seq(self, _len: Option<usize>) -> Result<Items<'py>, Raised> {
        Ok(self.items(None))
    }

    fn serialize_tuple(self, _len: usize) -> Result<Items<'py>, Raised> {
        Ok(self.items(None))
    }

    fn serialize_tuple_struct(
        self,
        _name: &'static str,
        _len: usize,
    ) -> Result<Items<'py>, Raised> {
        Ok(self.items(None))
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Items<'py>, Raised> {
        Ok(self.items(Some(variant)))
    }

    fn serialize_map(self, _len: Option<usize>) -> Result<Members<'py>, Raised> {
        Ok(self.members(None))
    }

    fn serialize_struct(self, _name: &'static str, _len: usize) -> Result<Members<'py>, Raised> {
        Ok(self.members(None))
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Members<'py>, Raised> {
        Ok(self.members(Some(variant)))
    }
}

/// A list being made, or a tuple.
struct Items<'py> {
    py: ToPython<'py>,
    items: Vec<Bound<'py, PyAny>>,
    tag: Option<&'static str>,
}

impl<'py> Items<'py> {
    fn push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Raised> {
        self.items.push(value.serialize(self.py)?);
        Ok(())
    }

    fn list(self) -> Made<'py> {
        let list = PyList::new(self.py.0, self.items)?.into_any();
        match self.tag {
            Some(tag) => self.py.variant(tag, list),
            None => Ok(list),
        }
    }
}

impl<'py> SerializeSeq for Items<'py> {
    type Ok = Bound<'py, PyAny>;
    type Error = Raised;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Raised> {
        self.push(value)
    }

    fn end(self) -> Made<'py> {
        self.list()
    }
}

impl<'py> SerializeTuple for Items<'py> {
    type Ok = Bound<'py, PyAny>;
    type Error = Raised;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Raised> {
        self.push(value)
    }

    fn end(self) -> Made<'py> {
        Ok(PyTuple::new(self.py.0, self.items)?.into_any())
    }
}

impl<'py> SerializeTupleStruct for Items<'py> {
    type Ok = Bound<'py, PyAny>;
    type Error = Raised;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Raised> {
        self.push(value)
    }

    fn end(self) -> Made<'py> {
        self.list()
    }
}

impl<'py> SerializeTupleVariant for Items<'py> {
    type Ok = Bound<'py, PyAny>;
    type Error = Raised;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Raised> {
        self.push(value)
    }

    fn end(self) -> Made<'py> {
        self.list()
    }
}

/// A dictionary being made.
struct Members<'py> {
    py: ToPython<'py>,
    dict: Bound<'py, PyDict>,
    key: Option<Bound<'py, PyAny>>,
    tag: Option<&'static str>,
}

impl<'py> Members<'py> {
    fn set<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> Result<(), Raised> {
        self.dict.set_item(key, value.serialize(self.py)?)?;
        Ok(())
    }

    fn dict(self) -> Made<'py> {
        match self.tag {
            Some(tag) => self.py.variant(tag, self.dict.into_any()),
            None => Ok(self.dict.into_any()),
        }
    }
}

impl<'py> SerializeMap for Members<'py> {
    type Ok = Bound<'py, PyAny>;
    type Error = Raised;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Raised> {
        self.key = Some(key.serialize(self.py)?);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Raised> {
        let key = self
            .key
            .take()
            .ok_or_else(|| <Raised as ser::Error>::custom("a value without a key"))?;
        self.dict.set_item(key, value.serialize(self.py)?)?;
        Ok(())
    }

    fn end(self) -> Made<'py> {
        self.dict()
    }
}

impl<'py> SerializeStruct for Members<'py> {
    type Ok = Bound<'py, PyAny>;
    type Error = Raised;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), Raised> {
        self.set(key, value)
    }

    fn end(self) -> Made<'py> {
        self.dict()
    }
}

impl<'py> SerializeStructVariant for Members<'py> {
    type Ok = Bound<'py, PyAny>;
    type Error = Raised;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), Raised> {
        self.set(key, value)
    }

    fn end(self) -> Made<'py> {
        self.dict()
    }
}
