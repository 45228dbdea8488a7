//! The prices in force: those of the seed with what the database's own setting says on top.

use serde::{Deserialize, Serialize};
use tracehouse_storage::model::Span;
use tracehouse_storage::schema::COMPUTED;

use super::Price;
use super::hosts::models_of_host;
use super::names::candidates;
use super::seed::SEED;
use super::stored::Prices;

/// Prices are for a million tokens.
const PRICED_TOKENS: f64 = 1e6;
/// The type of spans whose tokens are mostly those of the calls below them, with a model that is one of several.
const AGENT: &str = "AGENT";

/// What the names of models have whose thoughts are counted beside their output.
const GEMINI: &str = "gemini";

/// A price and where it is from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PriceRow {
    /// The model, in lower case.
    pub model: String,
    /// Its price.
    pub price: Price,
    /// Whether it comes with the program; else it was set in this database.
    pub is_seed: bool,
    /// The day it is of, `YYYY-MM-DD`.
    pub date: String,
}

/// The prices of a database, to be looked up.
#[derive(Debug, Default)]
pub(crate) struct PriceList {
    setting: Prices,
}

impl PriceList {
    /// The prices that a setting makes of the seed.
    pub(crate) fn of(setting: Prices) -> Self {
        Self { setting }
    }

    /// What the database says.
    pub(crate) fn setting(&self) -> &Prices {
        &self.setting
    }

    /// All prices, by model.
    pub(crate) fn rows(&self) -> Vec<PriceRow> {
        let set = self.setting.models.iter().filter_map(|(model, set)| {
            let set = set.as_ref()?;
            Some(PriceRow {
                model: model.clone(),
                price: set.price,
                is_seed: false,
                date: set.date.clone(),
            })
        });
        let seeded = SEED
            .prices
            .iter()
            .filter(|(model, _)| !self.setting.models.contains_key(*model));
        let seeded = seeded.map(|(model, price)| PriceRow {
            model: model.clone(),
            price: *price,
            is_seed: true,
            date: SEED.date.clone(),
        });
        let mut rows: Vec<PriceRow> = set.chain(seeded).collect();
        rows.sort_by(|a, b| a.model.cmp(&b.model));
        rows
    }

    fn price(&self, model: &str, provider: Option<&str>) -> Option<Price> {
        let of_host = models_of_host(model, provider);
        let is_theirs = |name: &str| of_host.is_none_or(|models| models.contains(&name));
        candidates(model).find_map(|name| match self.setting.models.get(&name) {
            Some(set) => set.as_ref().map(|set| set.price),
            None => SEED.prices.get(&name).filter(|_| is_theirs(&name)).copied(),
        })
    }

    /// Gives a span without a cost the one that its tokens have, if all that takes is known.
    pub(crate) fn fill(&self, span: &mut Span) {
        if !self.setting.enabled || span.cost_usd.is_some() || span.span_type == AGENT {
            return;
        }
        let (Some(model), Some(input)) = (&span.model, span.input_tokens) else {
            return;
        };
        let output = billed_output(span, model, input);
        if input <= 0 && output <= 0 {
            return;
        }
        let Some(price) = self.price(model, span.provider.as_deref()) else {
            return;
        };
        let cached = [
            span.cache_read_input_tokens,
            span.cache_creation_input_tokens,
        ];
        span.cost_usd = Some(cost_usd(
            &price,
            input,
            output,
            cached.map(Option::unwrap_or_default),
        ));
        span.cost_source = Some(COMPUTED.to_string());
    }
}

/// Tokens that are billed as output. Gemini counts what it thought beside what it answered, in its total alone.
fn billed_output(span: &Span, model: &str, input: i64) -> i64 {
    let output = span.output_tokens.unwrap_or(0);
    let beside = span.total_tokens.unwrap_or(0).saturating_sub(input);
    match model.to_ascii_lowercase().contains(GEMINI) {
        true if span.output_tokens.is_some() => output.max(beside),
        _ => output,
    }
}

/// The cost of tokens; `read` and `written` are those that a cache gave and took.
fn cost_usd(price: &Price, input: i64, output: i64, [read, written]: [i64; 2]) -> f64 {
    let (read, written) = (read.max(0), written.max(0));
    let cached = read.saturating_add(written);
    let plain = if cached <= input {
        input - cached
    } else {
        input
    };
    let parts = [
        (plain, price.input),
        (read, price.cache_read.unwrap_or(price.input)),
        (written, price.cache_write.unwrap_or(price.input)),
        (output.max(0), price.output),
    ];
    parts
        .into_iter()
        .map(|(tokens, usd)| tokens as f64 * usd)
        .sum::<f64>()
        / PRICED_TOKENS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cached_input_has_its_own_price_and_is_part_of_the_input_or_beside_it() {
        let price = Price::new(3.0, 15.0).cache(Some(0.3), Some(3.75));
        let close =
            |cost: f64, wanted: f64| assert!((cost - wanted).abs() < 1e-12, "{cost} {wanted}");
        close(cost_usd(&price, 1_000_000, 100_000, [0, 0]), 4.5);
        close(
            cost_usd(&price, 120, 10, [40, 20]),
            (60.0 * 3.0 + 40.0 * 0.3 + 20.0 * 3.75 + 150.0) / 1e6,
        );
        close(
            cost_usd(&price, 56, 0, [40, 24]),
            (56.0 * 3.0 + 40.0 * 0.3 + 24.0 * 3.75) / 1e6,
        );
        close(cost_usd(&Price::new(2.0, 0.0), 10, 5, [10, 0]), 20.0 / 1e6);
    }

    /// A call of a model that has a price.
    fn call() -> Span {
        Span {
            span_type: "LLM".into(),
            model: Some("gpt-4o-2024-08-06".into()),
            input_tokens: Some(1_000),
            output_tokens: Some(100),
            ..Span::default()
        }
    }

    /// The cost that a span has afterwards, and where it is from.
    fn filled(list: &PriceList, mut span: Span) -> (Option<f64>, Option<String>) {
        list.fill(&mut span);
        (span.cost_usd, span.cost_source)
    }

    #[test]
    fn only_what_is_known_and_not_sent_is_computed() {
        let list = PriceList::default();
        let span = call();
        assert_eq!(
            filled(&list, span.clone()),
            (Some(0.0035), Some(COMPUTED.to_string()))
        );
        for unknown in [
            Span {
                model: Some("our-own-model".into()),
                ..span.clone()
            },
            Span {
                model: None,
                ..span.clone()
            },
            Span {
                input_tokens: None,
                ..span.clone()
            },
            Span {
                input_tokens: Some(0),
                output_tokens: Some(0),
                ..span.clone()
            },
            Span {
                span_type: AGENT.into(),
                ..span.clone()
            },
        ] {
            assert_eq!(filled(&list, unknown), (None, None));
        }
        assert_eq!(
            filled(
                &list,
                Span {
                    cost_usd: Some(1.0),
                    ..span
                }
            ),
            (Some(1.0), None)
        );
    }

    #[test]
    fn thoughts_of_gemini_are_billed_as_output() {
        let list = PriceList::default();
        let gemini = |total| Span {
            model: Some("models/gemini-2.5-flash".into()),
            total_tokens: Some(total),
            ..call()
        };
        let price = list.price("gemini-2.5-flash", None).unwrap();
        let cost = |output| Some(cost_usd(&price, 1_000, output, [0, 0]));
        assert_eq!(filled(&list, gemini(1_100)).0, cost(100));
        assert_eq!(filled(&list, gemini(1_700)).0, cost(700), "600 of thoughts");
        let other = Span {
            total_tokens: Some(1_700),
            ..call()
        };
        assert_eq!(filled(&list, other).0, Some(0.0035));
    }

    #[test]
    fn a_host_has_its_own_prices_or_none() {
        let list = PriceList::default();
        let of = |model: &str, provider: &str| Span {
            model: Some(model.into()),
            provider: Some(provider.into()),
            ..call()
        };
        let cost = |model, provider| filled(&list, of(model, provider)).0;
        assert!(cost("deepseek-v3", "deepseek").is_some());
        assert_eq!(cost("deepseek-v3", "fireworks"), None);
        assert_eq!(
            cost("accounts/fireworks/models/deepseek-v3", "openai"),
            None
        );
        assert!(cost("groq/llama-3.3-70b-versatile", "groq").is_some());
        assert_eq!(cost("openai/gpt-oss-20b", "together_ai"), None);
        let own = PriceList::of(Prices::default().set("deepseek-v3", Price::new(1.0, 0.0)));
        assert_eq!(
            filled(&own, of("deepseek-v3", "fireworks")).0,
            Some(0.001),
            "one that was set"
        );
    }

    #[test]
    fn prices_can_be_off_set_and_removed() {
        let span = call();
        let off = PriceList::of(Prices {
            enabled: false,
            ..Prices::default()
        });
        assert_eq!(filled(&off, span.clone()), (None, None));
        let own = Prices::default()
            .set("GPT-4o", Price::new(1.0, 0.0))
            .remove("o3");
        let own = PriceList::of(own);
        assert_eq!(filled(&own, span.clone()).0, Some(0.001));
        assert_eq!(
            filled(
                &own,
                Span {
                    model: Some("o3".into()),
                    ..span
                }
            ),
            (None, None)
        );
        let rows = own.rows();
        assert!(rows.iter().any(|row| row.model == "gpt-4o" && !row.is_seed));
        assert!(rows.iter().all(|row| row.model != "o3"));
    }
}
