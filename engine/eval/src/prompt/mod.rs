//! Versioned prompts: templates, their URIs, what changed between two versions, and the rules of the registry.
//!
//! It stands below the engine, which keeps prompts and versions in its tables; here are only rules over a given state.
//!
//! ```text
//! text of a file -> PromptContent (Template, response format, model configuration) -> content hash
//! Template + values -> Rendered; some of the values -> Partial -> Rendered
//! PromptBook (names -> Prompt: versions, aliases, tags) + NewVersion -> PromptVersion
//! prompts:/name@alias -> PromptUri -> PromptBook::resolve -> version number
//! ```
//!
//! **Invariants**
//! 1. A value is inserted once: text that a value brings is never read as a placeholder.
//! 2. A version number is given once in the life of a prompt, also when its version is deleted; contents never change.
//! 3. An alias names a version that exists.
//! 4. Equal contents have equal canonical JSON and an equal hash, whatever the order of keys in the file.
//!
//! Names, variables, aliases and tags follow MLflow's prompt registry, so that prompts go to it and back.

mod book;
mod canonical;
mod content;
mod diff;
mod entry;
mod error;
mod model_config;
mod names;
mod strict_json;
mod template;
mod unified;
mod uri;
mod version;

pub use book::PromptBook;
pub use canonical::canonical_json;
pub use content::PromptContent;
pub use diff::{
    Change, DiffLine, FieldChange, Part, Place, PromptDiff, TemplateChange, diff, diff_templates,
};
pub use entry::Prompt;
pub use error::{PromptError, PromptErrorKind};
pub use model_config::check_model_config;
pub use names::{
    ALIAS_CHARACTERS_MAX, NAME_CHARACTERS_MAX, TAG_KEY_CHARACTERS_MAX, TAG_VALUE_CHARACTERS_MAX,
    check_alias, check_name, check_tag, check_tag_key,
};
pub use template::{
    ChatMessage, Partial, Rendered, Role, TEMPLATE_CHARACTERS_MAX, Template, TemplateKind,
};
pub use uri::{PromptUri, Reference};
pub use version::{NewVersion, PromptVersion};

pub(crate) use error::kind_of;
pub(crate) use strict_json::strict_json;

#[cfg(test)]
mod tests;
