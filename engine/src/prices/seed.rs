//! The prices that come with the program: `prices.json`, whose head says of what day and from where.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::Price;

/// The file as it is.
#[derive(Deserialize)]
struct File {
    date: String,
    prices: Vec<Line>,
}

#[derive(Deserialize)]
struct Line {
    model: String,
    input: f64,
    output: f64,
    cache_read: Option<f64>,
    cache_write: Option<f64>,
}

/// The seed.
#[derive(Debug, Default)]
pub(super) struct Seed {
    /// The day that the prices are of.
    pub(super) date: String,
    /// By model, in lower case.
    pub(super) prices: BTreeMap<String, Price>,
}

/// That the file can be read is tested.
pub(super) static SEED: LazyLock<Seed> = LazyLock::new(|| read().unwrap_or_default());

fn read() -> Result<Seed, serde_json::Error> {
    let File { date, prices } = serde_json::from_str(include_str!("../../prices.json"))?;
    let price = |line: Line| {
        let Line {
            model,
            input,
            output,
            cache_read,
            cache_write,
        } = line;
        (
            model,
            Price {
                input,
                output,
                cache_read,
                cache_write,
            },
        )
    };
    Ok(Seed {
        date,
        prices: prices.into_iter().map(price).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prices::names::candidates;

    #[test]
    fn the_file_is_dated_sane_and_in_lower_case() {
        let seed = read().unwrap();
        assert!(
            seed.date.len() == 10 && seed.prices.len() > 300,
            "{} of {}",
            seed.prices.len(),
            seed.date
        );
        for (model, price) in &seed.prices {
            assert_eq!(*model, model.to_lowercase());
            assert_eq!(candidates(model).next().as_deref(), Some(model.as_str()));
            assert!(
                price
                    .numbers()
                    .all(|number| (0.0..=1_000.0).contains(&number)),
                "{model}: {price:?}"
            );
            assert!(price.input > 0.0, "{model}");
            assert!(
                price.cache_read.is_none_or(|read| read <= price.input),
                "{model}: {price:?}"
            );
        }
        let price = seed.prices.get("gpt-4o").unwrap();
        assert_eq!(
            (price.input, price.output, price.cache_read),
            (2.5, 10.0, Some(1.25))
        );
    }
}
