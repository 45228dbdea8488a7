//! What tokens cost: the cost of a span whose producer sends none.
//!
//! ```text
//! prices.json (comes with the program, dated) -> seed ---+
//! setting `prices` of the database (set, removed) -------+-> PriceList -> cost of a span, once, when it comes
//! ```
//!
//! * A cost is computed when a span comes and stored with it, with `computed` in `cost_source`; a change of prices
//!   is about spans that come later.
//! * Nothing is guessed: a model without a price, or tokens without a model, cost NULL.
//! * A host that runs the models of others (`hosts`) has prices of its own: what comes with the program for a model's
//!   vendor is not taken for it; a price that was set in the database is.
//! * Tokens of the input that a cache gave or took have prices of their own. They are part of the input, unless
//!   they are more than it: some producers count them apart.

mod hosts;
mod list;
mod names;
mod seed;
mod stored;

pub(crate) use list::PriceList;
pub use list::PriceRow;
pub(crate) use stored::PriceState;
pub use stored::Prices;
#[cfg(feature = "sql")]
pub(crate) use stored::{NAME, rows};

use serde::{Deserialize, Serialize};

/// USD for a million tokens of a model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Price {
    /// Of the input.
    pub input: f64,
    /// Of the output; 0 for models that have none.
    pub output: f64,
    /// Of input that was read from a cache; the price of the input where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_read: Option<f64>,
    /// Of input that was written to a cache; the price of the input where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<f64>,
}

impl Price {
    /// A price without caches.
    pub fn new(input: f64, output: f64) -> Self {
        Self {
            input,
            output,
            ..Self::default()
        }
    }

    /// Sets the prices of input that a cache gave or took.
    pub fn cache(mut self, read: Option<f64>, write: Option<f64>) -> Self {
        (self.cache_read, self.cache_write) = (read, write);
        self
    }

    /// All of its numbers.
    fn numbers(&self) -> impl Iterator<Item = f64> {
        [
            Some(self.input),
            Some(self.output),
            self.cache_read,
            self.cache_write,
        ]
        .into_iter()
        .flatten()
    }
}
