//! What a line of another tool's form says of a record, where names alone do not tell it: a conversation, inputs that
//! were wrapped for MLflow, metadata of an item of Langfuse that hold the rest of a record.

use super::super::members::Fields;
use super::{chat, langfuse, mlflow};

/// Members that are inputs by their name.
const INPUTS: [&str; 3] = ["inputs", "input", "user_input"];

/// The members of the record that these members are; `None` when they are what they say.
pub(in crate::dataset) fn opened(fields: &Fields<'_>) -> Option<Fields<'static>> {
    let has_inputs = INPUTS.iter().any(|name| fields.contains_key(*name));
    if !has_inputs {
        return chat::opened(fields);
    }
    mlflow::opened(fields).or_else(|| langfuse::opened(fields))
}
