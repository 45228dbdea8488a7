//! Cloudflare's AI Gateway.

use super::Concern::{Inputs, Outputs, Provider};
use super::{Producer, key};

pub(super) const PRODUCER: Producer = Producer {
    keys: &[
        key(Provider, "gen_ai.model.provider"),
        key(Inputs, "gen_ai.prompt_json"),
        key(Outputs, "gen_ai.completion_json"),
    ],
    ..Producer::new(
        "Cloudflare AI Gateway",
        "https://developers.cloudflare.com/ai-gateway/observability/otel-integration/",
    )
};
