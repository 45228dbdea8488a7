"""The one style sheet of all views: scoped by a class, colours of the notebook's own theme where it has one.

Notebooks align the cells of all tables to the right with rules that come before ours: hence the two `!important`.
It has no address of anything: no font, picture or script is fetched.
"""

from __future__ import annotations

from ._html import Html, element

SCOPE = "tracehouse-view"
# Mathematics in dollars is not typeset: prices are text.
_ROOT_CLASSES = f"{SCOPE} tex2jax_ignore mathjax_ignore"

_RULES = """
.SCOPE { --th-text: var(--jp-content-font-color1, var(--vscode-foreground, #1f2328));
  --th-dim: var(--jp-content-font-color2, var(--vscode-descriptionForeground, #656d76));
  --th-line: var(--jp-border-color2, var(--vscode-panel-border, #d0d7de));
  --th-soft: var(--jp-layout-color2, var(--vscode-editorWidget-background, #f3f4f6));
  --th-error: #d73a3f; --th-ok: #2a9147;
  color: var(--th-text); font: 13px/1.45 system-ui, sans-serif; max-width: 1100px; text-align: left; }
.SCOPE * { box-sizing: border-box; }
.SCOPE .th-head { display: flex; flex-wrap: wrap; gap: 4px 14px; align-items: baseline; margin: 4px 0 6px; }
.SCOPE .th-title { font-weight: 600; font-size: 15px; unicode-bidi: isolate; overflow-wrap: anywhere; }
.SCOPE .th-dim { color: var(--th-dim); }
.SCOPE .th-mono { font-family: ui-monospace, Menlo, Consolas, monospace; font-size: 12px; }
.SCOPE .th-badge { display: inline-block; padding: 0 7px; border-radius: 9px; font-size: 11px; font-weight: 600;
  border: 1px solid var(--th-line); white-space: nowrap; max-width: 260px; overflow: hidden; text-overflow: ellipsis;
  vertical-align: bottom; unicode-bidi: isolate; }
.SCOPE .th-bad { color: var(--th-error); border-color: var(--th-error); }
.SCOPE .th-good { color: var(--th-ok); border-color: var(--th-ok); }
.SCOPE .th-row { display: grid; grid-template-columns: minmax(160px, 36%) minmax(80px, 1fr) 78px minmax(90px, 22%);
  gap: 8px; align-items: center; padding: 2px 4px; border-top: 1px solid var(--th-line); }
.SCOPE summary { cursor: pointer; display: block; list-style: none; }
.SCOPE summary::-webkit-details-marker { display: none; }
.SCOPE summary:hover { background: var(--th-soft); }
.SCOPE .th-name { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; unicode-bidi: isolate; }
.SCOPE .th-num { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.SCOPE .th-fig { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; font-size: 12px; }
.SCOPE .th-track { position: relative; height: 12px; background: var(--th-soft); border-radius: 3px; overflow: hidden; }
.SCOPE .th-bar { position: absolute; top: 0; bottom: 0; min-width: 2px; border-radius: 3px; }
.SCOPE .th-more { padding: 4px 10px 10px 22px; border-left: 2px solid var(--th-line); margin: 0 0 6px 8px; }
.SCOPE .th-label { color: var(--th-dim); font-size: 11px; text-transform: uppercase; margin: 8px 0 2px; }
.SCOPE pre { margin: 0; padding: 6px 8px; background: var(--th-soft); color: inherit; border-radius: 4px;
  font: 12px/1.45 ui-monospace, Menlo, Consolas, monospace; white-space: pre-wrap; overflow-wrap: anywhere;
  max-height: 340px; overflow: auto; unicode-bidi: plaintext; }
.SCOPE .th-chat { border: 1px solid var(--th-line); border-radius: 6px; margin: 4px 0; max-width: 92%;
  overflow: hidden; }
.SCOPE .th-chat > .th-who { padding: 1px 8px; font-size: 11px; font-weight: 600; background: var(--th-soft); }
.SCOPE .th-chat > .th-said { padding: 5px 8px; white-space: pre-wrap; overflow-wrap: anywhere; max-height: 340px;
  overflow: auto; unicode-bidi: plaintext; }
.SCOPE .th-left { margin-left: 8%; }
.SCOPE .th-scroll { overflow-x: auto; }
.SCOPE table { border-collapse: collapse; font-size: 12px; margin: 2px 0; color: inherit; }
.SCOPE th, .SCOPE td { text-align: left !important; padding: 2px 8px; border-bottom: 1px solid var(--th-line);
  max-width: 420px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; vertical-align: top; }
.SCOPE td { unicode-bidi: isolate; }
.SCOPE th { font-weight: 600; }
.SCOPE td.th-num, .SCOPE th.th-num { text-align: right !important; }
""".replace("SCOPE", SCOPE)

_SHEET = Html(f"<style>{_RULES}</style>")

# A colour for each kind of step, told apart on light and dark.
_COLOURS = {
    "LLM": "#8250df",
    "CHAT_MODEL": "#8250df",
    "AGENT": "#0969da",
    "WORKFLOW": "#0969da",
    "CHAIN": "#57606a",
    "TASK": "#57606a",
    "TOOL": "#bf8700",
    "RETRIEVER": "#1a7f37",
    "RERANKER": "#1a7f37",
    "EMBEDDING": "#1b7c83",
    "GUARDRAIL": "#bc4c00",
    "EVALUATOR": "#bc4c00",
}


def colour(span_type: str, failed: bool) -> str:
    """The colour of a span's bar."""
    return "#cf222e" if failed else _COLOURS.get(span_type, "#6e7781")


def view(*children: Html | None) -> str:
    """A whole view: the style sheet and what it is for."""
    return str(element("div", _SHEET, *children, class_=_ROOT_CLASSES))


def badge(word: str, kind: str = "") -> Html:
    """A word in a frame; kind is `bad`, `good` or nothing."""
    return element("span", word, class_=f"th-badge th-{kind}" if kind else "th-badge", title=word)


def dim(word: str) -> Html:
    """Words that matter less."""
    return element("span", word, class_="th-dim")


def table(head: list[tuple[str, bool]], rows: list[list[Html]]) -> Html:
    """A table; a column is its name and whether it has numbers."""

    def classes(index: int) -> str:
        return "th-num" if head[index][1] else ""

    names = [element("th", name, class_=classes(index)) for index, (name, _) in enumerate(head)]
    body = [
        element("tr", *(element("td", cell, class_=classes(index)) for index, cell in enumerate(row))) for row in rows
    ]
    whole = element("table", element("thead", element("tr", *names)), element("tbody", *body))
    return element("div", whole, class_="th-scroll")
