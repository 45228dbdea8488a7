//! Under which names a model may have its price: as it is called, then without what providers, regions and dates add.

/// Regions that Bedrock puts before a model's name.
const REGIONS: &[&str] = &[
    "us.", "us-gov.", "eu.", "apac.", "jp.", "au.", "ca.", "global.",
];
/// Vendors that Bedrock puts before a model's name.
const VENDORS: &[&str] = &[
    "anthropic.",
    "cohere.",
    "mistral.",
    "deepseek.",
    "openai.",
    "ai21.",
];
/// Names of gateways, which say nothing of the model.
const GATEWAYS: &[&str] = &["gateway:/", "endpoints:/"];
/// How Azure writes the name of a model, which has no dots, and how the model is called.
const AZURE: &[(&str, &str)] = &[("gpt-35-", "gpt-3.5-")];
/// Says that a model may read a million tokens; the price is that of the model.
const LONG_CONTEXT: &str = "[1m]";
/// The name of a model that was tuned: `ft:BASE:ORGANISATION:NAME:ID`.
const TUNED: &str = "ft:";

/// The names to look for, the most particular first, in lower case.
pub(super) fn candidates(model: &str) -> impl Iterator<Item = String> {
    let model = model.trim().to_lowercase();
    let mut names = Vec::new();
    if !GATEWAYS.iter().any(|gateway| model.starts_with(gateway)) {
        let mut rest = model.as_str();
        loop {
            add_name(&mut names, rest);
            let without_region = REGIONS
                .iter()
                .find_map(|region| rest.strip_prefix(region))
                .unwrap_or(rest);
            add_name(&mut names, without_region);
            let without_vendor = VENDORS
                .iter()
                .find_map(|vendor| without_region.strip_prefix(vendor));
            without_vendor
                .into_iter()
                .for_each(|name| add_name(&mut names, name));
            let Some((_, shorter)) = rest.split_once('/') else {
                break;
            };
            rest = shorter;
        }
    }
    names.into_iter()
}

/// Adds a name, and what is left of it without each of its endings.
fn add_name(names: &mut Vec<String>, name: &str) {
    let mut name = name;
    loop {
        if !name.is_empty() && !names.iter().any(|known| known == name) {
            names.push(name.to_string());
        }
        for (written, called) in AZURE {
            if let Some(rest) = name.strip_prefix(written) {
                names.push(format!("{called}{rest}"));
            }
        }
        match without_ending(name) {
            Some(shorter) => name = shorter,
            None => return,
        }
    }
}

/// A name without its last date, version of Bedrock (`-v1:0`) or of Gemini (`-001`), or the name of its tuning.
fn without_ending(name: &str) -> Option<&str> {
    if let Some(base) = name.strip_suffix(LONG_CONTEXT) {
        return Some(base);
    }
    let tuned = name.strip_prefix(TUNED);
    if let Some(base) = tuned.and_then(|tuned| tuned.find(':')) {
        return name.get(..TUNED.len() + base);
    }
    if let Some((before, number)) = name.rsplit_once(':')
        && is_digits(number)
    {
        return Some(before);
    }
    if let Some((before, date)) = name.rsplit_once('@')
        && is_digits(date)
    {
        return Some(before);
    }
    let (before, last) = name.rsplit_once('-')?;
    let is_version = last
        .strip_prefix('v')
        .is_some_and(|number| number.len() == 1 && is_digits(number));
    if is_version || (is_digits(last) && (last.len() == 8 || last.len() == 3)) {
        return Some(before);
    }
    without_day(name)
}

/// A name without `-2025-08-07` at its end.
fn without_day(name: &str) -> Option<&str> {
    let (rest, day) = name.rsplit_once('-')?;
    let (rest, month) = rest.rsplit_once('-')?;
    let (rest, year) = rest.rsplit_once('-')?;
    let parts = [(year, 4), (month, 2), (day, 2)];
    parts
        .iter()
        .all(|(part, len)| part.len() == *len && is_digits(part))
        .then_some(rest)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_found_under_the_names_that_providers_give_it() {
        for (model, wanted) in [
            ("GPT-4o", "gpt-4o"),
            ("gpt-4o-2024-08-06", "gpt-4o"),
            ("openai/gpt-4o", "gpt-4o"),
            ("models/gemini-2.0-flash-001", "gemini-2.0-flash"),
            (
                "openrouter/anthropic/claude-sonnet-4-5",
                "claude-sonnet-4-5",
            ),
            (
                "us.anthropic.claude-sonnet-4-20250514-v1:0",
                "claude-sonnet-4",
            ),
            (
                "bedrock/eu.anthropic.claude-3-5-sonnet-20241022-v2:0",
                "claude-3-5-sonnet",
            ),
            ("vertex_ai/claude-opus-4-1@20250805", "claude-opus-4-1"),
            ("us.amazon.nova-pro-v1:0", "amazon.nova-pro"),
            (
                "ft:gpt-4o-mini-2024-07-18:acme::abc",
                "ft:gpt-4o-mini-2024-07-18",
            ),
            ("ft:gpt-4o-mini-2024-07-18:acme::abc", "ft:gpt-4o-mini"),
            ("azure/gpt-35-turbo-16k", "gpt-3.5-turbo-16k"),
            ("gpt-35-turbo-0125", "gpt-3.5-turbo-0125"),
            ("claude-sonnet-4-5-20250929[1m]", "claude-sonnet-4-5"),
            (
                "meta-llama/Llama-3.3-70B-Instruct-Turbo",
                "meta-llama/llama-3.3-70b-instruct-turbo",
            ),
        ] {
            assert!(candidates(model).any(|name| name == wanted), "{model}");
        }
        for (model, unwanted) in [
            ("deepseek-r1:7b", "deepseek-r1"),
            ("gpt-4-32k", "gpt-4"),
            ("o1-pro", "o1"),
            ("ft:gpt-4o:acme::abc", "gpt-4o"),
        ] {
            assert!(candidates(model).all(|name| name != unwanted), "{model}");
        }
        assert_eq!(
            candidates("gateway:/gpt-4o").count() + candidates(" ").count(),
            0
        );
        let names: Vec<String> = candidates("gpt-4o-2024-08-06").collect();
        assert_eq!(
            names,
            ["gpt-4o-2024-08-06", "gpt-4o"],
            "the most particular first"
        );
    }
}
