"""Prints what is filled of each recording: one line a producer, for one binary or several side by side.

    python matrix.py NEW [OLD ...]
    python matrix.py NEW --served DATABASES

Each cell is what each binary fills, the oldest first, of what there is to fill: spans (type), spans that ask a model
(model, tokens unless they failed), spans of known types (inputs, outputs unless they failed), calls of tools (tool),
traces (session; previews that are text and no JSON), spans that ask a chat model (messages with a text). What a span is,
the first binary says. Not every cell is sent: embeddings have no outputs in most, roots of an application nothing.

With `--served` the second is what a server has of the same producers (`run.py --serve`), in place of an older binary: a cell
is `5/6` where both fill as many of as many, else `5/6≠4/6`, the import's first. They are two runs, with ids of their own.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
MODELS = {"LLM", "CHAT_MODEL", "EMBEDDING"}
CHATS = {"LLM", "CHAT_MODEL"}
COLUMNS = ["type", "model", "tokens", "inputs", "outputs", "tool", "session", "preview", "messages"]


def rows(binary, database, statement):
    done = subprocess.run([binary, "sql", database, statement, "--format", "jsonl"], capture_output=True, text=True)
    return [json.loads(line) for line in done.stdout.splitlines()] if done.returncode == 0 else []


def read_recording(binary, recording):
    with tempfile.TemporaryDirectory() as folder:
        database = folder + "/db"
        subprocess.run([binary, "--quiet", "import", database, str(recording)], capture_output=True)
        return read(binary, database)


def read(binary, database):
    spans, traces, said = (
        rows(binary, database, statement)
        for statement in (
            "SELECT trace_id, span_id, span_type, status, model, input_tokens, inputs, outputs, tool_name FROM spans",
            "SELECT trace_id, state, session_id, request_preview, response_preview FROM traces",
            "SELECT DISTINCT trace_id, span_id FROM messages WHERE content IS NOT NULL AND content <> ''",
        )
    )
    return (
        {(span["trace_id"], span["span_id"]): span for span in spans},
        {trace["trace_id"]: trace for trace in traces},
        {(message["trace_id"], message["span_id"]) for message in said},
    )


def is_text(preview):
    return bool(preview) and preview.strip()[:1] not in ("{", "[")


def cells(read_by, reference):
    """For each column the number filled and the number there is."""
    spans, traces, said = read_by
    kinds, all_traces, _ = reference
    counts = {column: [0, 0] for column in COLUMNS}

    def count(column, filled):
        counts[column][0] += bool(filled)
        counts[column][1] += 1

    for key, like in kinds.items():
        span, kind = spans.get(key, {}), like["span_type"]
        is_ok = like["status"] != "ERROR"
        count("type", span.get("span_type", "UNKNOWN") != "UNKNOWN")
        if kind in MODELS:
            count("model", span.get("model"))
            if is_ok:
                count("tokens", span.get("input_tokens") is not None)
        if kind != "UNKNOWN":
            count("inputs", span.get("inputs"))
            if is_ok:
                count("outputs", span.get("outputs"))
        if kind == "TOOL":
            count("tool", span.get("tool_name"))
        if kind in CHATS:
            count("messages", key in said)
    for key, like in all_traces.items():
        trace = traces.get(key, {})
        count("session", trace.get("session_id"))
        count("preview", is_text(trace.get("request_preview")))
        if like["state"] == "OK":
            count("preview", is_text(trace.get("response_preview")))
    return counts


def recordings():
    return [path for path in sorted((HERE / "recorded").glob("*.jsonl")) if ".native." not in path.name]


def line(name, counted, cell):
    print(" | ".join([name, *(cell([counts[column] for counts in counted]) for column in COLUMNS)]), flush=True)


def print_lines(found_by_name, cell):
    """A line a producer, and one of their sums."""
    print(" | ".join(["producer", *COLUMNS]))
    print(" | ".join(["---"] * (len(COLUMNS) + 1)))
    total = []
    for name, counted in found_by_name:
        total = total or [{column: [0, 0] for column in COLUMNS} for _ in counted]
        for sums, counts in zip(total, counted):
            for column in COLUMNS:
                sums[column] = [a + b for a, b in zip(sums[column], counts[column])]
        line(name, counted, cell)
    line("all", total, cell)


def of_binaries(binaries):
    for recording in recordings():
        found = [read_recording(binary, recording) for binary in binaries]
        yield recording.stem, [cells(each, found[0]) for each in found]


def imported_and_served(binary, databases):
    for recording in recordings():
        database = databases / f"{recording.stem}.traces"
        if database.exists():
            found = [read_recording(binary, recording), read(binary, str(database))]
            yield recording.stem, [cells(each, each) for each in found]


def main(arguments):
    if "--served" in arguments:
        binary, _, databases = arguments
        both = lambda counts: "≠".join(dict.fromkeys(f"{filled}/{there}" for filled, there in counts))
        print_lines(imported_and_served(binary, pathlib.Path(databases)), both)
    else:
        steps = lambda counts: "→".join(str(filled) for filled, _ in reversed(counts)) + f"/{counts[0][1]}"
        print_lines(of_binaries(arguments), steps)


if __name__ == "__main__":
    main(sys.argv[1:] or sys.exit(__doc__))
