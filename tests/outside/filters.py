"""Filters: random ones, their text, and what they find, evaluated clause by clause over the model.

A filter is a tree of tuples: ("and" | "or", parts...), ("not", part), ("has", part), and clauses
("trace" | "span", text, function of a trace or of a span and its trace) .
"""

import re

from model import text_fields
from words import holds, leaves, random_query, written

OPERATORS = {
    "=": lambda a, b: a == b, "!=": lambda a, b: a != b, ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b, "<": lambda a, b: a < b, "<=": lambda a, b: a <= b,
}


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


def like(pattern, ignore_case=False):
    """A LIKE pattern as a test: `%` is any run of characters, `_` is one, nothing escapes."""
    if ignore_case:
        pattern = pattern.lower()
    parts = {"%": ".*", "_": "."}
    compiled = re.compile("".join(parts.get(c, re.escape(c)) for c in pattern), re.DOTALL)
    return lambda text: compiled.fullmatch(text.lower() if ignore_case else text) is not None


def is_span(tree):
    """Whether a tree is made of span clauses alone, so that one span must satisfy it."""
    return tree[0] == "span" or tree[0] in ("and", "or") and all(is_span(part) for part in tree[1:])


def span_holds(tree, span, trace):
    kind, *rest = tree
    if kind == "and":
        return all(span_holds(part, span, trace) for part in rest)
    if kind == "or":
        return any(span_holds(part, span, trace) for part in rest)
    if kind == "not":
        return not span_holds(rest[0], span, trace)
    return bool(rest[1](span))


def some_span(tree, trace):
    return any(span_holds(tree, span, trace) for span in trace.spans.values())


def finds(tree, trace):
    """Whether a filter finds a trace."""
    kind, *rest = tree
    if kind == "has" or is_span(tree):
        return some_span(rest[0] if kind == "has" else tree, trace)
    if kind == "not":
        return not finds(rest[0], trace)
    if kind == "or":
        return any(finds(part, trace) for part in rest)
    if kind == "and":
        # Span clauses joined by AND, and parentheses of nothing else, hold on one and the same span. Other
        # parentheses are on their own.
        spans = [part for part in rest if is_span(part)]
        together = not spans or some_span(("and", *spans), trace)
        return together and all(finds(part, trace) for part in rest if not is_span(part))
    return bool(rest[1](trace))


def text_of(tree, is_top=True):
    kind, *rest = tree
    if kind in ("and", "or"):
        text = f" {kind.upper()} ".join(text_of(part, False) for part in rest)
        return text if is_top else f"({text})"
    if kind == "not":
        return f"NOT {text_of(rest[0], False)}" if rest[0][0] != "not" else f"NOT ({text_of(rest[0])})"
    if kind == "has":
        return f"HAS({text_of(rest[0])})"
    return rest[0]


def compared(level, random, key, read, values, number=False):
    """A clause that compares what `read` gives with one of the values."""
    value = random.choice(values)
    shown = lambda value: str(value) if number else quoted(value)
    chance = random.random()
    if chance < 0.12:
        is_null = random.random() < 0.5
        return (level, f"{key} IS {'' if is_null else 'NOT '}NULL", lambda row: (read(row) is None) == is_null)
    if chance < 0.25:
        some, is_in = random.sample(values, min(len(values), 2)), random.random() < 0.6
        listed = ", ".join(shown(value) for value in some)
        test = lambda row: read(row) is not None and (read(row) in some) == is_in
        return (level, f"{key} {'' if is_in else 'NOT '}IN ({listed})", test)
    if number and chance < 0.4:
        low, high = sorted(random.choice(values) for _ in range(2))
        test = lambda row: read(row) is not None and low <= read(row) <= high
        return (level, f"{key} BETWEEN {low} AND {high}", test)
    operator = random.choice(list(OPERATORS) if number else ["=", "=", "!="])
    test = lambda row: read(row) is not None and OPERATORS[operator](read(row), value)
    return (level, f"{key} {operator} {shown(value)}", test)


def patterned(level, random, key, read, words, texts_of=lambda text: [text]):
    word = random.choice(words)
    part = word[random.randint(0, 1):][:random.randint(3, 6)]
    pattern = random.choice([part + "%", "%" + part + "%", "%" + part, "%" + part[:-1] + "_%"])
    operator = random.choice(["LIKE", "ILIKE", "NOT LIKE"])
    test = like(pattern, operator == "ILIKE")
    keeps = lambda row: read(row) is not None and any(map(test, texts_of(read(row)))) == (operator != "NOT LIKE")
    return (level, f"{key} {operator} {quoted(pattern)}", keeps)


def milliseconds(nanoseconds):
    return None if nanoseconds is None else nanoseconds / 1_000_000


def any_assessment(kind, name, keeps):
    return lambda trace: any(
        keeps(a["value"]) for a in trace.assessments if a["name"] == name and a["type"] in kind)


def assessment_clause(random):
    chance, is_bool = random.random(), lambda value: isinstance(value, bool)
    if chance < 0.25:
        name = random.choice(["score", "correct", "verdict", "answer", "nothing"])
        kind, types = random.choice([("feedback", ["feedback"]), ("assessment", ["feedback", "expectation"])])
        present = any_assessment(types, name, lambda value: True)
        is_null = random.random() < 0.5
        return ("trace", f"{kind}.{name} IS {'' if is_null else 'NOT '}NULL", lambda t: present(t) != is_null)
    if chance < 0.5:
        operator, bound = random.choice(list(OPERATORS)), random.choice([0, 0.25, 0.5, 1, 3])
        holds_for = lambda v: isinstance(v, (int, float)) and not is_bool(v) and OPERATORS[operator](v, bound)
        if operator == "!=":
            holds_for = lambda v: is_bool(v) or not isinstance(v, (int, float)) or v != bound
        return ("trace", f"feedback.score {operator} {bound}", any_assessment(["feedback"], "score", holds_for))
    if chance < 0.75:
        wanted = random.random() < 0.5
        test = any_assessment(["feedback"], "correct", lambda v: v is wanted)
        return ("trace", f"feedback.correct = {str(wanted).lower()}", test)
    text = random.choice(["yes", "no", "it's so"])
    kind, name = random.choice([("feedback", "verdict"), ("expectation", "answer")])
    return ("trace", f"{kind}.{name} = {quoted(text)}", any_assessment([kind], name, lambda v: v == text))


def trace_clause(random, facts):
    row = lambda key: lambda trace: trace.row()[key]
    tag = lambda key: lambda trace: trace.row()["tags"].get(key)
    number = lambda key, read, values: compared("trace", random, key, read, values, number=True)
    text = lambda key, read, values: compared("trace", random, key, read, values)
    pick = random.randint(0, 17)
    if pick == 0:
        states = ["OK", "ERROR", "IN_PROGRESS"]
        return text(random.choice(["state", "status"]), row("state"), states)
    if pick == 1:
        return text("name", row("name"), facts.names)
    if pick == 2:
        return patterned("trace", random, "name", row("name"), facts.names)
    if pick in (3, 4):
        key = random.choice(facts.tags)
        if random.random() < 0.3:
            return patterned("trace", random, f"tags.{key}", tag(key), facts.tag_values)
        return text(f"tags.{key}", tag(key), facts.tag_values)
    if pick in (5, 6):
        key = random.choice(["input_tokens", "output_tokens", "total_tokens"])
        return number(key, row(key), [0, 1, 10, 50, 100, 200, 500])
    if pick == 7:
        read = lambda trace: milliseconds(trace.row()["duration_ns"])
        return number("duration_ms", read, [0, 0.5, 1, 2.5, 10, 100, 1000])
    if pick == 8:
        return text(random.choice(["session", "session_id"]), row("session_id"), facts.sessions)
    if pick == 9:
        return text(random.choice(["user", "user_id"]), row("user_id"), facts.users)
    if pick == 10:
        return text("service_name", row("service_name"), facts.services)
    if pick == 11:
        return number("span_count", row("span_count"), [1, 2, 3, 5, 8])
    if pick == 12:
        return number("error_span_count", row("error_span_count"), [0, 1, 2])
    if pick == 13:
        model = random.choice(facts.models)
        operator = random.choice(["=", "!="])
        test = lambda trace: any((m == model) == (operator == "=") for m in trace.row()["models"])
        return ("trace", f"model {operator} {quoted(model)}", test)
    if pick == 14:
        read = lambda trace: trace.row()["request_time"] // 1_000_000
        return number("timestamp", read, [t // 1_000_000 for t in facts.times])
    if pick == 15:
        return text("experiment_id", row("experiment_id"), ["0", "7"])
    return assessment_clause(random)


def span_clause(random, facts):
    own = lambda key: lambda span: getattr(span, key)
    attribute = lambda key: lambda span: span.attributes.get(key)
    number = lambda key, read, values: compared("span", random, key, read, values, number=True)
    text = lambda key, read, values: compared("span", random, key, read, values)
    pick = random.randint(0, 15)
    if pick == 0:
        return text("span.name", own("name"), facts.names)
    if pick == 1:
        return text("span.status", own("status"), ["OK", "ERROR", "UNSET"])
    if pick == 2:
        return text("span.type", own("type"), ["LLM", "TOOL", "AGENT", "CHAT_MODEL", "UNKNOWN"])
    if pick == 3:
        return text("span.model", own("model"), facts.models)
    if pick == 4:
        return text("span.tool", own("tool"), facts.tools)
    if pick == 5:
        return number("span.total_tokens", own("total_tokens"), [0, 10, 100, 150])
    if pick == 6:
        read = lambda span: milliseconds(span.duration)
        return number("span.duration_ms", read, [0, 0.5, 1, 2.5, 10, 100])
    if pick == 7:
        return number("span.attributes.temp", attribute("temp"), [0, 0.25, 0.5, 1])
    if pick == 8:
        wanted = random.random() < 0.5
        return ("span", f"span.attributes.flag = {str(wanted).lower()}", lambda s: s.attributes.get("flag") is wanted)
    if pick == 9:
        return text("span.attributes.label", attribute("label"), facts.labels)
    if pick == 10:
        return patterned("span", random, "span.name", own("name"), facts.names)
    if pick == 11:
        # A payload as it was sent, or a string inside.
        sent_or_inside = lambda text: [text, *leaves(text)]
        return patterned("span", random, random.choice(["span.inputs"]), own("inputs"), facts.words, sent_or_inside)
    if pick in (12, 13):
        return content_pattern(random, facts)
    query = random_query(random, facts.words)
    return ("span", f"trace.text MATCHES {quoted(written(query))}", lambda span: holds(query, text_fields(span)))


def content_pattern(random, facts):
    word = random.choice(facts.words)
    part = word[:random.randint(3, 7)]
    operator = random.choice(["LIKE", "ILIKE"])
    part = part.upper() if operator == "ILIKE" and random.random() < 0.5 else part
    test = like(f"%{part}%", operator == "ILIKE")
    return ("span", f"trace.text {operator} '%{part}%'", lambda s: any(map(test, pattern_texts(s))))


def pattern_texts(span):
    raw = [text for _, text in span.strings()]
    return raw + [leaf for text in raw for leaf in leaves(text)]


def random_filter(random, facts, depth=0):
    chance = random.random()
    if depth < 3 and chance < 0.28:
        parts = [random_filter(random, facts, depth + 1) for _ in range(random.randint(2, 3))]
        return ("and", *parts)
    if depth < 3 and chance < 0.46:
        return ("or", *[random_filter(random, facts, depth + 1) for _ in range(random.randint(2, 3))])
    if depth < 3 and chance < 0.54:
        return ("not", random_filter(random, facts, depth + 1))
    if chance < 0.6:
        parts = [span_clause(random, facts) for _ in range(random.randint(1, 3))]
        parts = [("not", part) if random.random() < 0.2 else part for part in parts]
        return ("has", (random.choice(["and", "or"]), *parts) if len(parts) > 1 else parts[0])
    return span_clause(random, facts) if chance < 0.78 else trace_clause(random, facts)
