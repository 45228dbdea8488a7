//! What is fuzzed: for each way in, one function that takes any bytes and asserts what must hold of them.
//!
//! A target never fails but by a panic of its own assertions or of the code it calls. It is driven twice:
//! by the mutator beside this folder, in the test command, and by libFuzzer (`tests/fuzz_targets`).

mod deep;
mod filter;
mod json;
mod otlp;
mod pattern;
mod records;
mod redact;
mod segment;
mod sql;
mod store;
mod text;
mod world;

/// One way in.
pub struct Target {
    /// Its name, on the command line and in the corpus.
    pub name: &'static str,
    /// What its inputs are made of: how they are changed.
    pub form: Form,
    /// Inputs of the test command, after the seeds: what takes about a second.
    pub rounds: usize,
    /// Our own inputs to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Takes any bytes.
    pub run: fn(&[u8]),
}

/// What inputs are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Fields with lengths.
    Protobuf,
    /// A JSON value.
    Json,
    /// A language of words, quotes and brackets.
    Words,
    /// Anything else; the first byte chooses a variant and stays more often.
    Bytes,
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target {
        name: "otlp_protobuf",
        form: Form::Protobuf,
        rounds: 600,
        seeds: otlp::messages,
        run: otlp::protobuf,
    },
    Target {
        name: "otlp_json",
        form: Form::Json,
        rounds: 600,
        seeds: otlp::documents,
        run: otlp::json,
    },
    Target {
        name: "otlp_stream",
        form: Form::Bytes,
        rounds: 2_000,
        seeds: otlp::streams,
        run: otlp::stream,
    },
    Target {
        name: "wal",
        form: Form::Bytes,
        rounds: 400,
        seeds: store::logs,
        run: store::log,
    },
    Target {
        name: "manifest",
        form: Form::Bytes,
        rounds: 400,
        seeds: store::manifests,
        run: store::manifest,
    },
    Target {
        name: "segment",
        form: Form::Bytes,
        rounds: 1_000,
        seeds: segment::files,
        run: segment::file,
    },
    Target {
        name: "filter",
        form: Form::Words,
        rounds: 1_500,
        seeds: filter::filters,
        run: filter::filter,
    },
    Target {
        name: "sql",
        form: Form::Words,
        rounds: 150,
        seeds: sql::statements,
        run: sql::statement,
    },
    Target {
        name: "text",
        form: Form::Words,
        rounds: 2_000,
        seeds: text::queries,
        run: text::query,
    },
    Target {
        name: "pattern",
        form: Form::Words,
        rounds: 2_000,
        seeds: pattern::patterns,
        run: pattern::pattern,
    },
    Target {
        name: "deep",
        form: Form::Bytes,
        rounds: 50,
        seeds: deep::forms,
        run: deep::form,
    },
    Target {
        name: "records",
        form: Form::Bytes,
        rounds: 400,
        seeds: records::files,
        run: records::file,
    },
    Target {
        name: "redact",
        form: Form::Bytes,
        rounds: 500,
        seeds: redact::texts,
        run: redact::text,
    },
    Target {
        name: "json",
        form: Form::Json,
        rounds: 2_000,
        seeds: json::texts,
        run: json::text,
    },
];

/// The lines of a corpus file as inputs.
fn lines(text: &str) -> Vec<Vec<u8>> {
    text.lines().map(|line| line.as_bytes().to_vec()).collect()
}
