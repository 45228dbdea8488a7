//! The producers whose spans are understood: a file for each, with a table of the attribute keys it
//! sends and the column that each fills, to be laid beside the producer's own documentation.
//!
//! Order decides where two producers' keys stand on one span: earlier producers win. It is that of
//! MLflow's store, then the others by how often they are met.
//!
//! To understand another producer, write its table and add it to [`PRODUCERS`].

mod agentops;
mod alibaba_arms;
mod braintrust;
pub(super) mod claude_code;
mod cloudflare;
mod crewai;
mod deepeval;
pub(super) mod genai;
pub(super) mod genkit;
mod google_adk;
mod haystack;
mod laminar;
pub(super) mod langfuse;
mod langsmith;
mod langtrace;
mod langwatch;
mod livekit;
pub(super) mod log_events;
mod logfire;
mod mastra;
pub(super) mod mlflow;
mod openai_agents;
mod openinference;
mod opik;
mod pipecat;
pub(super) mod pydantic_ai;
mod semantic_kernel;
mod sentry;
mod spring_ai;
mod traceloop;
pub(super) mod vercel_ai;
mod voltagent;

/// What an attribute says of a span, or a root span's attribute of its trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Concern {
    SpanType,
    Operation,
    /// The model that answered.
    ResponseModel,
    /// The model that was asked.
    RequestModel,
    Provider,
    ToolName,
    InputTokens,
    OutputTokens,
    TotalTokens,
    CacheReadTokens,
    CacheCreationTokens,
    Cost,
    /// A part of the cost; parts are added where no whole is sent.
    CostPart,
    Inputs,
    Outputs,
    SessionId,
    /// A conversation or thread, which is the session where no key of a session is there.
    ThreadId,
    UserId,
    /// The name of the trace.
    TraceName,
    /// Labels of the trace: a list of words, or words between commas.
    TraceLabels,
    /// Metadata of the trace: a JSON object of entries, or an entry of the key's name.
    TraceMetadata,
    /// How grave what the span tells is; `ERROR` makes the span's status.
    Level,
    /// What went wrong.
    LevelMessage,
}

impl Concern {
    /// How many there are.
    pub(super) const COUNT: usize = Concern::LevelMessage as usize + 1;
}

/// One attribute key and what it says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key {
    pub(super) concern: Concern,
    pub(super) name: &'static str,
    /// Where the value is a JSON object: the members that say it, best first, a dot for each level
    /// down. Empty where the value itself says it.
    pub(super) members: &'static [&'static str],
}

/// A key whose value says it.
const fn key(concern: Concern, name: &'static str) -> Key {
    Key {
        concern,
        name,
        members: &[],
    }
}

/// A key whose value is a JSON object with a member that says it.
const fn member(concern: Concern, name: &'static str, members: &'static [&'static str]) -> Key {
    Key {
        concern,
        name,
        members,
    }
}

/// The span types that the words of a key stand for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Words {
    pub(super) key: &'static str,
    /// A word, in any case, and the type it stands for.
    pub(super) types: &'static [(&'static str, &'static str)],
    pub(super) others: Others,
}

/// What a word stands for that is not in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Others {
    /// Itself: the producer's own type.
    Own,
    /// Nothing: the list is closed.
    Nothing,
    /// What the first word in the list stands for that it begins with; else nothing.
    ByPrefix,
    /// What the first word in the list stands for that it ends with; else nothing.
    BySuffix,
    /// This, whatever it is: that the key is there says it.
    Always(&'static str),
}

/// Spans that nothing but their scope and name tells: the scope, what the name begins with, the type.
pub(super) type Named = (&'static str, &'static str, &'static str);

/// Attributes whose keys begin alike, each a tag or a metadata entry of the trace.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entries {
    /// What the keys begin with; the rest of a key is the name of the entry.
    pub(super) prefix: &'static str,
    pub(super) into: Into,
}

/// Where an entry goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Into {
    Tags,
    Metadata,
}

/// What is known of one producer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Producer {
    /// As people call it.
    pub(super) name: &'static str,
    /// Where its keys are documented.
    pub(super) source: &'static str,
    /// Attributes of which one must be there for the keys to be read; empty where the keys are the
    /// producer's own beyond doubt.
    pub(super) marks: &'static [&'static str],
    pub(super) keys: &'static [Key],
    pub(super) words: &'static [Words],
    pub(super) names: &'static [Named],
    /// Beginnings of keys that number messages or documents: `PREFIX.0.role`.
    pub(super) indexed_inputs: &'static [&'static str],
    pub(super) indexed_outputs: &'static [&'static str],
    pub(super) entries: &'static [Entries],
}

impl Producer {
    /// A producer of which nothing is known.
    const fn new(name: &'static str, source: &'static str) -> Self {
        Self {
            name,
            source,
            marks: &[],
            keys: &[],
            words: &[],
            names: &[],
            indexed_inputs: &[],
            indexed_outputs: &[],
            entries: &[],
        }
    }
}

/// All producers, the one that is believed first. VoltAgent stands before OpenInference and LangSmith
/// before OpenTelemetry, since they fill the others' keys with something else.
pub(super) const PRODUCERS: &[Producer] = &[
    mlflow::PRODUCER,
    claude_code::PRODUCER,
    voltagent::PRODUCER,
    openinference::PRODUCER,
    langsmith::PRODUCER,
    crewai::PRODUCER,
    genai::PRODUCER,
    traceloop::PRODUCER,
    google_adk::PRODUCER,
    vercel_ai::PRODUCER,
    laminar::PRODUCER,
    langfuse::PRODUCER,
    pydantic_ai::PRODUCER,
    logfire::PRODUCER,
    mastra::PRODUCER,
    genkit::PRODUCER,
    haystack::PRODUCER,
    livekit::PRODUCER,
    spring_ai::PRODUCER,
    langwatch::PRODUCER,
    opik::PRODUCER,
    braintrust::PRODUCER,
    agentops::PRODUCER,
    semantic_kernel::PRODUCER,
    sentry::PRODUCER,
    alibaba_arms::PRODUCER,
    langtrace::PRODUCER,
    cloudflare::PRODUCER,
    deepeval::PRODUCER,
    mlflow::REQUEST,
    openai_agents::PRODUCER,
    pipecat::PRODUCER,
];
