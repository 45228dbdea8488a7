"""The notebook views of evaluations: everything is there, every text is escaped, nothing comes from the network."""

from __future__ import annotations

import html.parser

import tracehouse
from tracehouse import Database, scorers
from tracehouse.display._evaluation import histogram

EVIL = "<script>alert('x')</script><img src=x onerror=alert(1)>\"'&</style>\x00\u202e"
ALLOWED = {"div", "span", "style", "table", "thead", "tbody", "tr", "th", "td", "svg", "rect", "title"}


class _Page(html.parser.HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words += data + " "


def _checked(page: str) -> _Page:
    seen = _Page(page)
    assert seen.open == []
    assert {tag for tag, _ in seen.elements} <= ALLOWED
    assert not {
        name for _, attributes in seen.elements for name in attributes if name.startswith(("on", "href", "src"))
    }
    for address in ("http:", "https:", "//", "url(", "javascript:"):
        assert address not in page.split("</style>")[0]
    assert "\u202e" not in page
    return seen


def _items(count: int, said: str = "") -> list[dict[str, object]]:
    return [{"outputs": "x " * (at + 1) + said, "expectations": {"expected_response": "x"}} for at in range(count)]


def test_a_run(db: Database) -> None:
    @tracehouse.scorer(name=EVIL.replace("\x00", "").replace("\u202e", ""))
    def evil(outputs: str) -> tracehouse.Score:
        return tracehouse.Score(False, rationale=EVIL)

    @tracehouse.scorer
    def fails(outputs: str) -> bool:
        raise ValueError(EVIL)

    given = [evil, fails, "max_words:5", "exact_match"]
    run = db.evaluate(_items(30, EVIL), given, name=EVIL.replace("\x00", ""))  # type: ignore[list-item]
    page = run._repr_html_()
    seen = _checked(page)
    for word in ("DONE", "120 scores", "30 errors", run.run_id, "max_words", "95 % interval", "there are more"):
        assert word in seen.words, word
    assert "<script>alert('x')</script>" in seen.words
    assert len([tag for tag, _ in seen.elements if tag == "svg"]) == 1
    # As many failures as are shown, below the scorers.
    assert len([tag for tag, _ in seen.elements if tag == "tr"]) == 1 + 4 + 1 + 20


def test_a_run_without_failures(db: Database) -> None:
    page = db.evaluate(_items(2), "contains:x")._repr_html_()
    assert "failed" not in _checked(page).words


def test_a_histogram() -> None:
    def bars(numbers: list[float]) -> list[tuple[int, int]]:
        found = _checked(histogram(numbers)).elements
        return [(int(one["x"] or 0), int(one["height"] or 0)) for tag, one in found if tag == "rect"]

    assert bars([]) == bars([1.0]) == []
    assert bars([0.0, 0.0, 1.0]) == [(0, 36), (152, 18)]
    assert bars([2.0, 2.0]) == [(80, 36)]
    assert "3 numbers from 0 to 1" in histogram([0.0, 0.0, 1.0])
    # One of very many is still seen.
    assert bars([0.0] * 1_000 + [1.0]) == [(0, 36), (152, 1)]


def test_comparisons(db: Database) -> None:
    before = db.evaluate(_items(25), [scorers.max_words(30), scorers.contains("x")], name="before" + EVIL[:20])
    worse = [{**item, "outputs": "no"} for item in _items(25)]
    after = db.evaluate(worse, [scorers.max_words(30), scorers.contains("x"), scorers.json_valid()], name="after")
    seen = _checked(after.compare(before)._repr_html_())
    for word in (
        "after",
        "against before",
        "max_words",
        "now fails",
        "5 more got worse",
        "only in one of them: json_valid",
    ):
        assert word in seen.words, word
    seen = _checked(db.compare_groups("state = 'OK'", "state = 'ERROR'")._repr_html_())
    assert "duration p50, ms" in seen.words
