//! MLflow: every value is JSON text.

use super::Concern::{
    CacheCreationTokens, CacheReadTokens, Cost, InputTokens, Inputs, OutputTokens, Outputs,
    Provider, RequestModel, SpanType, TotalTokens, UserId,
};
use super::{Entries, Into, Others, Producer, Words, key, member};

const USAGE: &str = "mlflow.chat.tokenUsage";

/// What a span gave; of a model, its answer.
pub(in crate::semconv) const OUTPUTS: &str = "mlflow.spanOutputs";

pub(super) const PRODUCER: Producer = Producer {
    keys: &[
        key(SpanType, "mlflow.spanType"),
        key(RequestModel, "mlflow.llm.model"),
        key(Provider, "mlflow.llm.provider"),
        member(InputTokens, USAGE, &["input_tokens"]),
        member(OutputTokens, USAGE, &["output_tokens"]),
        member(TotalTokens, USAGE, &["total_tokens"]),
        member(CacheReadTokens, USAGE, &["cache_read_input_tokens"]),
        member(CacheCreationTokens, USAGE, &["cache_creation_input_tokens"]),
        key(Cost, "mlflow.llm.cost"),
        key(Inputs, "mlflow.spanInputs"),
        key(Outputs, OUTPUTS),
    ],
    words: &[Words {
        key: "mlflow.spanType",
        types: &[],
        others: Others::Own,
    }],
    entries: &[Entries {
        prefix: "mlflow.traceTag.",
        into: Into::Tags,
    }],
    ..Producer::new("MLflow", "https://mlflow.org/docs/latest/genai/tracing/")
};

/// Parameters of the request, which MLflow's instrumentations send as they are: believed last.
pub(super) const REQUEST: Producer = Producer {
    marks: &["mlflow.traceRequestId"],
    keys: &[key(UserId, "user")],
    ..Producer::new(
        "MLflow, parameters of requests",
        "https://mlflow.org/docs/latest/genai/tracing/integrations/",
    )
};
