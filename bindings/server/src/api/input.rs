//! Parameters by name, of a query and of a JSON object alike: each is taken once, with its type, and what nobody took is
//! an error that names the nearest one that is known.

use std::fmt;

use bytes::Bytes;
use http::Uri;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use tracehouse::nearest;

use super::asked::is_large;
use crate::error::{ApiError, quoted};

/// Parameters that were given, and the names that were asked for.
#[derive(Debug, Default)]
pub(super) struct Input {
    /// What stands before names in errors: the place of an object inside another.
    place: String,
    given: Vec<(String, Given)>,
    known: Vec<&'static str>,
}

#[derive(Debug)]
enum Given {
    /// Of a query: text, whatever it means.
    Text(String),
    Json(Box<RawValue>),
}

impl Input {
    /// The parameters of a query.
    ///
    /// # Errors
    /// 400 when it is not UTF-8 once decoded.
    pub(super) fn of_query(query: Option<&str>) -> Result<Self, ApiError> {
        let Some(query) = query else {
            return Ok(Self::default());
        };
        let broken = || ApiError::bad_request("the query of the address is not UTF-8");
        let uri = Uri::builder().path_and_query(format!("/?{query}"));
        let uri = uri.build().map_err(|_| broken())?;
        let pairs = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&uri);
        let axum::extract::Query(pairs) = pairs.map_err(|_| broken())?;
        // What is no text is decoded to this character, which a client may as well have sent.
        const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;
        let has =
            |pair: &(String, String)| pair.0.contains(REPLACEMENT) || pair.1.contains(REPLACEMENT);
        if pairs.iter().any(has) && !query.to_ascii_uppercase().contains("%EF%BF%BD") {
            return Err(broken());
        }
        let given = pairs.into_iter();
        Ok(Self {
            given: given
                .map(|(name, text)| (name, Given::Text(text)))
                .collect(),
            ..Self::default()
        })
    }

    /// Adds the members of a JSON object.
    ///
    /// # Errors
    /// 400 when the body is something else.
    pub(super) async fn add_json(&mut self, body: Bytes) -> Result<(), ApiError> {
        let is_large = is_large(&body);
        let parse = move || serde_json::from_slice::<Members>(&body);
        let members = match is_large {
            false => parse(),
            true => tokio::task::spawn_blocking(parse)
                .await
                .map_err(|_| ApiError::internal("the body was not read"))?,
        };
        let members = members.map_err(|error| {
            ApiError::bad_request(format!("the body is no JSON object: {error}"))
        })?;
        self.add(members);
        Ok(())
    }

    /// The members of an object inside the body; `place` is how errors call it.
    ///
    /// # Errors
    /// 400 when it is something else.
    pub(super) fn of_object(value: &RawValue, place: &str) -> Result<Self, ApiError> {
        let members: Members = serde_json::from_str(value.get()).map_err(|_| {
            ApiError::bad_request(format!(
                "{place} is {}: an object expected",
                quoted(value.get())
            ))
        })?;
        let mut input = Self {
            place: format!("{place}."),
            ..Self::default()
        };
        input.add(members);
        Ok(input)
    }

    fn add(&mut self, Members(members): Members) {
        let members = members.into_iter();
        self.given
            .extend(members.map(|(name, value)| (name, Given::Json(value))));
    }

    /// All that was given under a name; JSON's null is nothing.
    fn take_all(&mut self, name: &'static str) -> Vec<Given> {
        self.known.push(name);
        let mut taken = Vec::new();
        while let Some(at) = self.given.iter().position(|(known, _)| known == name) {
            taken.push(self.given.remove(at).1);
        }
        taken.retain(|given| !matches!(given, Given::Json(value) if value.get() == "null"));
        taken
    }

    fn take(&mut self, name: &'static str) -> Result<Option<Given>, ApiError> {
        let mut taken = self.take_all(name);
        match taken.len() {
            0 | 1 => Ok(taken.pop()),
            _ => Err(ApiError::bad_request(format!(
                "{}{name} is there twice: one expected",
                self.place
            ))),
        }
    }

    fn wrong(&self, name: &str, value: &str, expected: &str) -> ApiError {
        ApiError::bad_request(format!(
            "{}{name} is {}: {expected} expected",
            self.place,
            quoted(value)
        ))
    }

    /// A text.
    ///
    /// # Errors
    /// 400 for another type; so for all that follow.
    pub(super) fn text(&mut self, name: &'static str) -> Result<Option<String>, ApiError> {
        match self.take(name)? {
            None => Ok(None),
            Some(Given::Text(text)) => Ok(Some(text)),
            Some(Given::Json(value)) => match serde_json::from_str(value.get()) {
                Ok(text) => Ok(Some(text)),
                Err(_) => Err(self.wrong(name, value.get(), "a text")),
            },
        }
    }

    /// A text, or a number as it is written.
    pub(super) fn text_or_number(
        &mut self,
        name: &'static str,
    ) -> Result<Option<String>, ApiError> {
        match self.take(name)? {
            None => Ok(None),
            Some(Given::Text(text)) => Ok(Some(text)),
            Some(Given::Json(value)) => match serde_json::from_str(value.get()) {
                Ok(text) => Ok(Some(text)),
                Err(_) if serde_json::from_str::<f64>(value.get()).is_ok() => {
                    Ok(Some(value.get().to_string()))
                }
                Err(_) => Err(self.wrong(name, value.get(), "a text or a number")),
            },
        }
    }

    /// A text that has to be there.
    pub(super) fn needed_text(&mut self, name: &'static str) -> Result<String, ApiError> {
        let text = self.text(name)?;
        text.ok_or_else(|| self.missing(name))
    }

    pub(super) fn missing(&self, name: &str) -> ApiError {
        ApiError::bad_request(format!("{}{name} is missing", self.place))
    }

    /// Texts: a parameter that may be repeated, or a text or an array of texts.
    pub(super) fn texts(&mut self, name: &'static str) -> Result<Vec<String>, ApiError> {
        let mut texts = Vec::new();
        for given in self.take_all(name) {
            match given {
                Given::Text(text) => texts.push(text),
                Given::Json(value) => {
                    let one = serde_json::from_str(value.get()).map(|text: String| vec![text]);
                    let many = one.or_else(|_| serde_json::from_str::<Vec<String>>(value.get()));
                    let many = many.map_err(|_| {
                        self.wrong(name, value.get(), "a text or an array of texts")
                    })?;
                    texts.extend(many);
                }
            }
        }
        Ok(texts)
    }

    /// Texts that a query may also have in one parameter, with commas between.
    pub(super) fn words(&mut self, name: &'static str) -> Result<Vec<String>, ApiError> {
        let texts = self.texts(name)?;
        let words = texts.iter().flat_map(|text| text.split(','));
        Ok(words.map(|word| word.trim().to_string()).collect())
    }

    /// A whole number from 0 on.
    pub(super) fn count(&mut self, name: &'static str) -> Result<Option<usize>, ApiError> {
        self.parsed(name, "a whole number from 0 on")
    }

    /// A whole number.
    pub(super) fn whole(&mut self, name: &'static str) -> Result<Option<i64>, ApiError> {
        self.parsed(name, "a whole number of 64 bits")
    }

    fn parsed<T: std::str::FromStr>(
        &mut self,
        name: &'static str,
        expected: &str,
    ) -> Result<Option<T>, ApiError> {
        let text = match self.take(name)? {
            None => return Ok(None),
            Some(Given::Text(text)) => text,
            Some(Given::Json(value)) => value.get().to_string(),
        };
        // A query may have a sign that JSON has not.
        match text.parse() {
            Ok(number) if !text.starts_with('+') => Ok(Some(number)),
            _ => Err(self.wrong(name, &text, expected)),
        }
    }

    /// Yes or no; a parameter of a query without a value is a yes.
    pub(super) fn flag(&mut self, name: &'static str) -> Result<bool, ApiError> {
        let (text, is_json) = match self.take(name)? {
            None => return Ok(false),
            Some(Given::Text(text)) => (text, false),
            Some(Given::Json(value)) => (value.get().to_string(), true),
        };
        match (text.as_str(), is_json) {
            ("true", _) | ("1" | "", false) => Ok(true),
            ("false", _) | ("0", false) => Ok(false),
            _ => Err(self.wrong(name, &text, "true or false")),
        }
    }

    /// Any JSON, as it is written.
    pub(super) fn json(&mut self, name: &'static str) -> Result<Option<Box<RawValue>>, ApiError> {
        match self.take(name)? {
            None => Ok(None),
            Some(Given::Json(value)) => Ok(Some(value)),
            Some(Given::Text(text)) => match RawValue::from_string(text.clone()) {
                Ok(value) => Ok(Some(value)),
                Err(_) => Err(self.wrong(name, &text, "JSON")),
            },
        }
    }

    /// Any JSON, null as well.
    pub(super) fn json_or_null(
        &mut self,
        name: &'static str,
    ) -> Result<Option<Box<RawValue>>, ApiError> {
        let nulls = |(known, given): &(String, Given)| {
            known == name && matches!(given, Given::Json(value) if value.get() == "null")
        };
        match self.given.iter().filter(|given| nulls(given)).count() {
            0 => self.json(name),
            _ => match self.take(name)? {
                None => Ok(Some(RawValue::NULL.to_owned())),
                Some(_) => Err(ApiError::bad_request(format!(
                    "{}{name} is there twice: one expected",
                    self.place
                ))),
            },
        }
    }

    /// An object of texts.
    pub(super) fn pairs(&mut self, name: &'static str) -> Result<Vec<(String, String)>, ApiError> {
        let Some(value) = self.json(name)? else {
            return Ok(Vec::new());
        };
        let expected = "an object of texts";
        let wrong = |input: &Self| input.wrong(name, value.get(), expected);
        let Members(members) = serde_json::from_str(value.get()).map_err(|_| wrong(self))?;
        let mut pairs: Vec<(String, String)> = Vec::with_capacity(members.len());
        for (key, value) in members {
            let text = serde_json::from_str(value.get());
            let place = format!("{name}.{key}");
            let text = text.map_err(|_| self.wrong(&place, value.get(), "a text"))?;
            if pairs.iter().any(|(known, _)| *known == key) {
                return Err(ApiError::bad_request(format!(
                    "{}{place} is there twice: one expected",
                    self.place
                )));
            }
            pairs.push((key, text));
        }
        Ok(pairs)
    }

    /// An array of any JSON.
    pub(super) fn list(
        &mut self,
        name: &'static str,
    ) -> Result<Option<Vec<Box<RawValue>>>, ApiError> {
        let Some(value) = self.json(name)? else {
            return Ok(None);
        };
        match serde_json::from_str(value.get()) {
            Ok(list) => Ok(Some(list)),
            Err(_) => Err(self.wrong(name, value.get(), "an array")),
        }
    }

    /// Nothing more is taken.
    ///
    /// # Errors
    /// 400 naming what was given and not taken, and what may have been meant.
    pub(super) fn end(self) -> Result<(), ApiError> {
        let Some((name, _)) = self.given.first() else {
            return Ok(());
        };
        let known = match (
            nearest(name, self.known.iter().copied()),
            self.known.is_empty(),
        ) {
            (Some(nearest), _) => format!("did you mean {nearest}?"),
            (None, false) => format!("{} are known", self.known.join(", ")),
            (None, true) => "none is known".into(),
        };
        Err(ApiError::bad_request(format!(
            "{}{} is not known here: {known}",
            self.place,
            quoted(name)
        )))
    }
}

/// The members of an object in the order they are written, repeated ones as well.
pub(super) struct Members(pub(super) Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Input {
        let mut input = Input::default();
        input.add(serde_json::from_str(text).unwrap());
        input
    }

    #[test]
    fn a_query_and_an_object_say_the_same() {
        let query = "filter=state+%3D+%27OK%27&order_by=a&order_by=b&limit=3&count&n=-1";
        let object = r#"{"filter":"state = 'OK'","order_by":["a","b"],"limit":3,"count":true,"n":-1,"x":null}"#;
        for mut input in [Input::of_query(Some(query)).unwrap(), json(object)] {
            assert_eq!(input.text("filter").unwrap().unwrap(), "state = 'OK'");
            assert_eq!(input.texts("order_by").unwrap(), ["a", "b"]);
            assert_eq!(input.count("limit").unwrap(), Some(3));
            assert!(input.flag("count").unwrap() && !input.flag("x").unwrap());
            assert_eq!(input.whole("n").unwrap(), Some(-1));
            input.end().unwrap();
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let told = |error: ApiError| error.message;
        let mut input = json(r#"{"limit":"3","limt":1}"#);
        let wrong = told(input.count("limit").unwrap_err());
        assert_eq!(
            wrong,
            r#"limit is "\"3\"": a whole number from 0 on expected"#
        );
        assert_eq!(
            told(input.end().unwrap_err()),
            r#""limt" is not known here: did you mean limit?"#
        );
        let mut twice = Input::of_query(Some("limit=1&limit=2")).unwrap();
        assert_eq!(
            told(twice.count("limit").unwrap_err()),
            "limit is there twice: one expected"
        );
        let mut twice = json(r#"{"a":1,"a":1}"#);
        assert!(twice.json("a").is_err());
        for (query, number) in [
            ("n=1.5", "n"),
            ("n=", "n"),
            ("n=-1", "n"),
            ("n=%2B1", "n"),
            ("n=1e3", "n"),
        ] {
            let mut input = Input::of_query(Some(query)).unwrap();
            assert!(input.count("n").is_err(), "{query} {number}");
        }
        assert!(Input::of_query(Some("a=%FF")).is_err());
        let mut kept = Input::of_query(Some("a=%EF%BF%BD")).unwrap();
        assert_eq!(kept.text("a").unwrap().unwrap(), "\u{fffd}");
        assert!(serde_json::from_str::<Members>("{} x").is_err());
        assert!(serde_json::from_str::<Members>("[]").is_err());
    }
}
