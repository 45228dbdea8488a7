//! A template: what it is, what it leaves open, and how values fill it.
//!
//! ```text
//! placeholder (where `{{name}}` stands) <- template (text, chat) <- render (Rendered, Partial)
//! ```

mod body;
mod chat;
mod placeholder;
mod render;

pub use body::{TEMPLATE_CHARACTERS_MAX, Template, TemplateKind};
pub use chat::{ChatMessage, Role};
pub use render::{Partial, Rendered};
