//! The setting as the database keeps it.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use arrow::temporal_conversions::timestamp_ns_to_datetime;
use serde::{Deserialize, Serialize};
use tracehouse_storage::Store;
use tracehouse_storage::manifest::CatalogFile;

use super::list::{PriceList, PriceRow};
use super::seed::SEED;
use super::{Price, names};
use crate::database::Database;
use crate::error::{Error, Result};
use crate::stored_setting;

/// The setting's name, which is that of its table in SQL.
pub(crate) const NAME: &str = "prices";
/// Most models with a price of their own.
const MODELS_MAX: usize = 4_096;
/// Longest name of a model, in characters.
const MODEL_CHARS_MAX: usize = 250;

/// What a database says of prices: what was set and removed on top of those that come with the program, and whether
/// costs are computed at all.
///
/// ```
/// use tracehouse::{Database, Price};
/// let db = Database::in_memory()?;
/// db.set_prices(db.prices().set("our-model", Price::new(0.5, 1.5)))?;
/// let rows = db.sql("SELECT input_usd_per_mtok FROM prices WHERE model = 'our-model'")?;
/// assert_eq!(rows[0].num_rows(), 1);
/// # Ok::<(), tracehouse::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Prices {
    /// Whether costs are computed; on unless told otherwise.
    pub enabled: bool,
    /// By model: the price that was set, or nothing for one that was removed.
    pub(super) models: BTreeMap<String, Option<SetPrice>>,
}

/// A price that was set, and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct SetPrice {
    #[serde(flatten)]
    pub(super) price: Price,
    /// `YYYY-MM-DD`; empty until it is stored.
    pub(super) date: String,
}

impl Default for Prices {
    fn default() -> Self {
        Self {
            enabled: true,
            models: BTreeMap::new(),
        }
    }
}

impl Prices {
    /// Switches the computing of costs on or off.
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }

    /// Sets this price of a model, of the day it is given to [`Database::set_prices`].
    pub fn set(mut self, model: &str, price: Price) -> Self {
        self.models.insert(
            key(model),
            Some(SetPrice {
                price,
                date: String::new(),
            }),
        );
        self
    }

    /// Takes the price of this model out.
    pub fn remove(mut self, model: &str) -> Self {
        let model = key(model);
        match SEED.prices.contains_key(&model) {
            true => drop(self.models.insert(model, None)),
            false => drop(self.models.remove(&model)),
        }
        self
    }

    /// Leaves the prices that come with the program and no others.
    pub fn seed(mut self) -> Self {
        self.models.clear();
        self
    }

    /// Whether the model has a price under this very name.
    pub fn has(&self, model: &str) -> bool {
        let model = key(model);
        self.models
            .get(&model)
            .map_or_else(|| SEED.prices.contains_key(&model), Option::is_some)
    }

    fn check(&self) -> Result<()> {
        if self.models.len() > MODELS_MAX {
            return Err(Error::invalid_input(format!(
                "prices: {} models, at most {MODELS_MAX} may be set or removed",
                self.models.len()
            )));
        }
        for (model, set) in &self.models {
            let chars = model.chars().count();
            if chars == 0 || chars > MODEL_CHARS_MAX || model.chars().any(char::is_control) {
                return Err(Error::invalid_input(format!(
                    "prices: the model {model:?}: 1 to {MODEL_CHARS_MAX} characters, none of them a control character"
                )));
            }
            if names::candidates(model).next().is_none() {
                return Err(Error::invalid_input(format!(
                    "prices: {model:?} names a gateway and no model"
                )));
            }
            let mut numbers = set.iter().flat_map(|set| set.price.numbers());
            if let Some(wrong) = numbers.find(|number| !number.is_finite() || *number < 0.0) {
                return Err(Error::invalid_input(format!(
                    "prices: {wrong} USD for a million tokens of {model}: 0 or more expected"
                )));
            }
        }
        Ok(())
    }
}

/// Models are told apart in any case of their letters.
fn key(model: &str) -> String {
    model.trim().to_lowercase()
}

/// The prices in force.
#[derive(Debug)]
pub(crate) struct PriceState(RwLock<Arc<PriceList>>);

impl PriceState {
    /// Those that the catalogue of a database describes.
    pub(crate) fn open(store: &Store) -> Self {
        // A setting of a later version: its own prices are not known, so that none is computed.
        let setting =
            read(&store.catalog_files()).unwrap_or_else(|_| Prices::default().enabled(false));
        Self(RwLock::new(Arc::new(PriceList::of(setting))))
    }

    /// The list to compute costs with.
    pub(crate) fn list(&self) -> Arc<PriceList> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

fn read(files: &[CatalogFile]) -> Result<Prices> {
    let Some(value) = stored_setting::read(files, NAME) else {
        return Ok(Prices::default());
    };
    serde_json::from_value(value)
        .map_err(|e| Error::invalid_input(format!("the database's prices are not understood: {e}")))
}

impl Database {
    /// What this database says of prices.
    pub fn prices(&self) -> Prices {
        self.price_state().list().setting().clone()
    }

    /// All prices in force, by model.
    pub fn price_list(&self) -> Vec<PriceRow> {
        self.price_state().list().rows()
    }

    /// Sets what the tokens of spans cost that come from now on; durable when this returns. Costs that were
    /// computed before stay as they are.
    ///
    /// # Errors
    /// `InvalidInput` for a negative price or a name that is none, `Io` or `Closed` from writing.
    pub fn set_prices(&self, mut prices: Prices) -> Result<()> {
        prices.check()?;
        let today = timestamp_ns_to_datetime(self.store().env().now_ns());
        let today = today.map(|now| now.date().to_string()).unwrap_or_default();
        let undated = prices
            .models
            .values_mut()
            .flatten()
            .filter(|set| set.date.is_empty());
        undated.for_each(|set| set.date.clone_from(&today));
        let _changes = self.catalog().lock_changes();
        stored_setting::write(self.store(), NAME, &prices)?.commit(self.store())?;
        let state = self.price_state();
        *state.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(PriceList::of(prices));
        Ok(())
    }
}

/// All prices that a snapshot has.
///
/// # Errors
/// `InvalidInput` when the setting was made by a later version.
#[cfg(feature = "sql")]
pub(crate) fn rows(snapshot: &tracehouse_storage::Snapshot) -> Result<Vec<PriceRow>> {
    Ok(PriceList::of(read(snapshot.catalog())?).rows())
}
