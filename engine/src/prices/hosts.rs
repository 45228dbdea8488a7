//! Hosts: who runs models that others made, at prices of its own. The list price of a model's vendor is not theirs.
//!
//! A call is a host's by its provider, or by what its model's name begins with, which is believed first: a client of
//! OpenAI's that asks Fireworks says `openai`. Gateways that bill the vendors' prices (OpenRouter) are no hosts.

/// Hosts, in letters and digits alone, and those models of the seed whose price is theirs.
const HOSTS: &[(&str, &[&str])] = &[
    ("anyscale", &[]),
    ("baseten", &[]),
    ("cerebras", &[]),
    ("cloudflare", &[]),
    ("databricks", &[]),
    ("deepinfra", &[]),
    ("featherless", &[]),
    ("fireworks", &[]),
    ("friendli", &[]),
    (
        "groq",
        &[
            "llama-3.1-8b-instant",
            "llama-3.3-70b-versatile",
            "meta-llama/llama-prompt-guard-2-22m",
            "meta-llama/llama-prompt-guard-2-86m",
            "openai/gpt-oss-120b",
            "openai/gpt-oss-20b",
            "openai/gpt-oss-safeguard-20b",
        ],
    ),
    ("huggingface", &[]),
    ("hyperbolic", &[]),
    ("lambda", &[]),
    ("lmstudio", &[]),
    ("nebius", &[]),
    ("novita", &[]),
    ("nscale", &[]),
    ("nvidianim", &[]),
    ("ollama", &[]),
    ("replicate", &[]),
    ("sambanova", &[]),
    ("siliconflow", &[]),
    (
        "together",
        &[
            "meta-llama/llama-3.3-70b-instruct-turbo",
            "meta-llama/llama-4-scout-17b-16e-instruct",
            "meta-llama/meta-llama-3.1-70b-instruct-turbo",
            "meta-llama/meta-llama-3.1-8b-instruct-turbo",
            "salesforce/llama-rank-v1",
        ],
    ),
    ("vllm", &[]),
    ("workersai", &[]),
];

/// How the names of models begin that a host gives them, beside its own name.
const MODEL_PREFIXES: &[(&str, &str)] =
    &[("accounts/fireworks/", "fireworks"), ("@cf/", "workersai")];

/// The models of the seed whose price is that of the host that answered; `None` for a call that is no host's.
pub(super) fn models_of_host(
    model: &str,
    provider: Option<&str>,
) -> Option<&'static [&'static str]> {
    let model = model.trim().to_lowercase();
    let by_prefix = MODEL_PREFIXES
        .iter()
        .find(|(prefix, _)| model.contains(prefix))
        .and_then(|(_, host)| models(host));
    by_prefix
        .or_else(|| models(model.split_once('/')?.0))
        .or_else(|| models(provider?))
}

/// The models of a host under one of its names: `together`, `together_ai`, `Together AI`.
fn models(name: &str) -> Option<&'static [&'static str]> {
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    let name = letters.collect::<String>().to_ascii_lowercase();
    let is_named = |host: &str| {
        name.strip_prefix(host)
            .is_some_and(|rest| rest.is_empty() || rest == "ai")
    };
    HOSTS
        .iter()
        .find(|(host, _)| is_named(host))
        .map(|(_, models)| *models)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prices::seed::SEED;

    #[test]
    fn a_host_is_told_by_its_models_and_else_by_the_provider() {
        for (model, provider) in [
            ("accounts/fireworks/models/deepseek-r1", Some("openai")),
            ("fireworks_ai/accounts/fireworks/models/deepseek-r1", None),
            ("Together_AI/deepseek-ai/DeepSeek-V3", None),
            ("deepseek-v3", Some("Fireworks AI")),
            ("deepseek-r1", Some("ollama")),
            ("@cf/meta/llama-3.1-8b-instruct", None),
        ] {
            assert!(
                models_of_host(model, provider).is_some(),
                "{model} {provider:?}"
            );
        }
        for (model, provider) in [
            ("deepseek-chat", Some("openai")),
            ("deepseek/deepseek-chat", None),
            ("gpt-4o", Some("azure")),
            ("openrouter/openai/gpt-4o", Some("openrouter")),
        ] {
            assert_eq!(
                models_of_host(model, provider),
                None,
                "{model} {provider:?}"
            );
        }
    }

    #[test]
    fn what_a_host_sells_has_a_price() {
        for (host, models) in HOSTS {
            for model in *models {
                assert!(SEED.prices.contains_key(*model), "{host}: {model}");
            }
        }
    }
}
