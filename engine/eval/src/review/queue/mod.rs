//! A queue of items to review.
//!
//! ```text
//! item (one item: seats, leases, answers) <- queue (who may, what is next) <- progress, agreement (what it came to)
//! ```

mod agreement;
mod assign;
mod item;
mod key;
mod progress;
mod state;

pub use agreement::{AnswerMatrix, Disagreement, Ratings};
pub use assign::{Added, Assignment};
pub use item::{Answer, ItemState, ReviewItem, Skip};
pub use key::ItemKey;
pub use progress::{ReviewProgress, ReviewerProgress};
pub use state::{Answered, Next, ReviewQueue};
