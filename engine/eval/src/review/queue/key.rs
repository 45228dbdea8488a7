//! What is reviewed: a trace, a span or a session.
//!
//! **Invariant** what [`Display`](fmt::Display) writes parses back to the same key.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::super::error::ReviewError;

/// Names an item: `trace:ID`, `span:TRACE/SPAN` or `session:ID`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ItemKey {
    /// A trace.
    Trace {
        /// Its id.
        trace_id: String,
    },
    /// A span of a trace.
    Span {
        /// The trace's id.
        trace_id: String,
        /// Its id.
        span_id: String,
    },
    /// A session.
    Session {
        /// Its id.
        session_id: String,
    },
}

impl ItemKey {
    /// The trace that it is or lies in; none for a session.
    pub fn trace_id(&self) -> Option<&str> {
        match self {
            Self::Trace { trace_id } | Self::Span { trace_id, .. } => Some(trace_id),
            Self::Session { .. } => None,
        }
    }
}

impl fmt::Display for ItemKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trace { trace_id } => write!(f, "trace:{trace_id}"),
            Self::Span { trace_id, span_id } => write!(f, "span:{trace_id}/{span_id}"),
            Self::Session { session_id } => write!(f, "session:{session_id}"),
        }
    }
}

impl FromStr for ItemKey {
    type Err = ReviewError;

    fn from_str(text: &str) -> Result<Self, ReviewError> {
        let wrong = || {
            ReviewError::invalid(format!(
                "item {text:?} is not a key: write trace:ID, span:TRACE/SPAN or session:ID"
            ))
        };
        let (kind, id) = text
            .split_once(':')
            .filter(|(_, id)| !id.is_empty())
            .ok_or_else(wrong)?;
        match kind {
            "trace" => Ok(Self::Trace {
                trace_id: id.to_owned(),
            }),
            "session" => Ok(Self::Session {
                session_id: id.to_owned(),
            }),
            // A span's id has no '/', a trace's id of another system may.
            "span" => match id.rsplit_once('/') {
                Some((trace_id, span_id)) if !trace_id.is_empty() && !span_id.is_empty() => {
                    Ok(Self::Span {
                        trace_id: trace_id.to_owned(),
                        span_id: span_id.to_owned(),
                    })
                }
                _ => Err(wrong()),
            },
            _ => Err(wrong()),
        }
    }
}

impl TryFrom<String> for ItemKey {
    type Error = ReviewError;

    fn try_from(text: String) -> Result<Self, ReviewError> {
        text.parse()
    }
}

impl From<ItemKey> for String {
    fn from(key: ItemKey) -> Self {
        key.to_string()
    }
}
