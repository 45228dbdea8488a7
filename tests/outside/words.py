"""Words and text queries: maximal runs of letters, digits and `_`, in lower case; JSON texts are decoded first."""

import json
import unicodedata


def leaves(text):
    """The strings that phrases lie in: a text, or the strings and numbers inside when it is JSON."""
    stripped = text.strip()
    if stripped[:1] in ("{", "["):
        try:
            value = json.loads(stripped, parse_int=str, parse_float=str)
        except ValueError:
            return [text]
        return leaves_of(value)
    return [text]


def leaves_of(value):
    if isinstance(value, str):
        return leaves(value)
    if isinstance(value, dict):
        value = list(value.values())
    return [leaf for item in value for leaf in leaves_of(item)] if isinstance(value, list) else []


def tokens(text):
    found, word = [], ""
    for c in unicodedata.normalize("NFC", text):
        if c == "_" or unicodedata.category(c)[0] == "L" or unicodedata.category(c) == "Nd":
            word += c.lower()
        elif word:
            found.append(word)
            word = ""
    return found + [word] if word else found


def fields_of(span):
    """Of a span: lists of tokens by field, one for each string. `text` is everything."""
    fields = {"text": [], "inputs": [], "outputs": []}
    for field, text in span.strings():
        lists = [tokens(leaf) for leaf in leaves(text)]
        fields["text"] += lists
        if field in ("inputs", "outputs"):
            fields[field] += lists
    return fields


def holds(query, fields):
    """Whether a query, a tree of tuples, holds for a span."""
    kind, *rest = query
    if kind == "and":
        return all(holds(part, fields) for part in rest)
    if kind == "or":
        return any(holds(part, fields) for part in rest)
    if kind == "not":
        return not holds(rest[0], fields)
    field, words = rest
    if kind == "prefix":
        return any(token.startswith(words[0]) for run in fields[field] for token in run)
    size = len(words)
    return any(run[at:at + size] == words for run in fields[field] for at in range(len(run) - size + 1))


def written(query, is_top=True):
    kind, *rest = query
    if kind in ("and", "or"):
        text = (" " if kind == "and" else " OR ").join(written(part, False) for part in rest)
        return text if is_top else f"({text})"
    if kind == "not":
        return "-" + written(rest[0], False)
    field, words = rest
    start = "" if field == "text" else field + ":"
    if kind == "prefix":
        return f"{start}{words[0]}*"
    return start + (words[0] if len(words) == 1 else '"' + " ".join(words) + '"')


def random_query(random, vocabulary, depth=0):
    chance = random.random()
    if depth < 2 and chance < 0.25:
        return ("and", random_query(random, vocabulary, depth + 1), random_query(random, vocabulary, depth + 1))
    if depth < 2 and chance < 0.45:
        return ("or", random_query(random, vocabulary, depth + 1), random_query(random, vocabulary, depth + 1))
    field = random.choice(["text", "text", "text", "inputs", "outputs"])
    if depth == 0 and chance < 0.55:
        return ("and", ("words", field, [random.choice(vocabulary)]), ("not", ("words", "text", [random.choice(vocabulary)])))
    if chance < 0.65:
        return ("prefix", field, [random.choice(vocabulary)[:random.randint(2, 4)]])
    return ("words", field, [random.choice(vocabulary) for _ in range(random.choice([1, 1, 1, 2]))])
