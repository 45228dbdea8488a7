//! Messages and documents spread over indexed keys, such as `gen_ai.prompt.0.content`: which keys begin them, by the
//! tables of [`super::producers`]. How a key is a path to a place in JSON is `tracehouse_query::messages::assemble`.
//!
//! Invariants
//! * The first prefix, in the order of the producers, that has a numbered entry wins; the others are not read.

use tracehouse_query::messages;

use crate::otlp::value::{KeyValue, write_value};

use super::producers::{PRODUCERS, Producer};

/// Which messages of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Input,
    Output,
}

/// The messages of the first prefix that has any, as JSON text.
pub(super) fn assemble(attributes: &[KeyValue<'_>], side: Side) -> Option<String> {
    let prefixes = |producer: &'static Producer| match side {
        Side::Input => producer.indexed_inputs,
        Side::Output => producer.indexed_outputs,
    };
    PRODUCERS.iter().flat_map(prefixes).find_map(|prefix| {
        let pairs = attributes.iter().map(|pair| (&*pair.key, &pair.value));
        messages::assemble(pairs, prefix, |value, out| write_value(value, out))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Documents, embeddings and texts of completions: no messages of a chat.
    const NO_CHAT: &[&str] = &[
        "llm.prompts.",
        "llm.choices.",
        "reranker.input_documents.",
        "reranker.output_documents.",
        "retrieval.documents.",
        "embedding.embeddings.",
    ];

    #[test]
    fn every_beginning_of_messages_is_one_that_may_tell_more_than_a_column() {
        for producer in PRODUCERS {
            for prefix in producer
                .indexed_inputs
                .iter()
                .chain(producer.indexed_outputs)
            {
                let is_chat = !NO_CHAT.contains(prefix);
                assert_eq!(
                    messages::tells(&format!("{prefix}0.role")),
                    is_chat,
                    "{prefix}"
                );
            }
        }
    }
}
