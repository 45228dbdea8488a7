"""A person at MLflow's pages: Chromium on one stand, with what is typed, clicked and seen, and all that goes wrong."""

from __future__ import annotations

import io
import json
import re
import shutil
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, Response, sync_playwright
from playwright.sync_api import TimeoutError as LateError

WAIT_MS_MAX = 30_000
PICTURES_MAX = 50
NO_CHROMIUM = "this test needs the browser Chromium: apt-get install chromium"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A page that asks for something outside is told on.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
# As after the first visit: the panel of the assistant is closed, and nothing is explained. Messages that go away by
# themselves are kept.
VISITED_BEFORE = """
const seen = {"assistant.fab.autoOpenedOnFirstLoad_v1": "true", "detectIssues.guidanceShown_v1": "true"};
for (const [key, value] of Object.entries({...seen, "assistant.panelOpen_v1": "false"})) {
    localStorage.setItem("mlflow." + key, value);
}
new MutationObserver((changes) => {
    for (const change of changes) for (const node of change.addedNodes) {
        if (node.nodeType !== Node.ELEMENT_NODE) continue;
        const message = node.matches('[class*="notice-error"]') ? node : node.querySelector('[class*="notice-error"]');
        if (message) console.error("message: " + message.innerText);
    }
}).observe(document, {childList: true, subtree: true});
"""
LINES_ARE_SHOWN = """(wanted) => {
    const lines = new Set(document.body.innerText.split("\\n").map((line) => line.trim()));
    return wanted.every((line) => lines.has(line));
}"""
# What MLflow's server refuses on every store: it has no such page without accounts; and its assistant fails when its
# first request comes while another one imports what both need.
KNOWN = re.compile(r"404 GET .*/users/current|500 GET .*/mlflow/assistant/\w+")


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Debian's Chromium, without a window."""
    path = shutil.which("chromium")
    if path is None:
        pytest.fail(NO_CHROMIUM)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


class Desk:
    """One page of the browser, on one stand."""

    def __init__(self, browser: Browser, address: str, pictures: Path | None) -> None:
        self.address = address
        self.problems: list[str] = []
        self._pictures = pictures
        self.page: Page = browser.new_page(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
        self.page.set_default_timeout(WAIT_MS_MAX)
        self.page.add_init_script(VISITED_BEFORE)
        self.page.on("response", self._refused)
        self.page.on("requestfailed", self._failed)
        self.page.on("console", self._complained)
        self.page.on("pageerror", lambda error: self._tell(f"error in the page: {error}"))

    def _refused(self, response: Response) -> None:
        if response.status >= 400:
            self._tell(f"{response.status} {response.request.method} {response.url.removeprefix(self.address)}")

    def _failed(self, request: Request) -> None:
        # Aborted is what a page does itself when it is left or asks anew.
        if request.failure != "net::ERR_ABORTED":
            self._tell(f"{request.failure} {request.method} {request.url.removeprefix(self.address)}")

    def _complained(self, message: ConsoleMessage) -> None:
        # Refused requests are told already; the other is a note of the browser's about its own drawing.
        told = ("Failed to load resource", "ResizeObserver loop completed")
        if message.type == "error" and not any(text in message.text for text in told):
            self._tell(f"console: {message.text}")

    def _tell(self, problem: str) -> None:
        if KNOWN.fullmatch(problem) is None and problem not in self.problems:
            self.problems.append(problem)

    def open(self, path: str) -> None:
        """Opens a page of the interface, from another one: what was typed there is gone."""
        self.page.goto(f"{self.address}/#/experiments")
        self.page.goto(f"{self.address}/#{path}")

    def shows(self, *lines: str) -> None:
        """Waits until the page shows each of the lines, whole."""
        try:
            self.page.wait_for_function(LINES_ARE_SHOWN, arg=list(lines))
        except LateError:
            seen = [line.strip() for line in self.page.inner_text("body").split("\n")]
            missing = [line for line in lines if line not in seen]
            pytest.fail(f"{missing} not shown; problems {self.problems}; the page shows {seen}")

    def part(self, component: str) -> Locator:
        """A part of the page, by the name that MLflow gives it: it is the same in every language."""
        return self.page.locator(f"[data-component-id='{component}']")

    def asks_for(self, *conditions: str) -> None:
        """Writes conditions into the field above the traces."""
        for condition in conditions:
            self.part("mlflow.traces-v4.search.typeahead").click()
            self.page.keyboard.insert_text(condition)
            self.page.keyboard.press("Enter")

    def numbers(self) -> list[int]:
        """The numbers of the questions in the list of traces, in its order."""
        rows = self.page.get_by_role("row").all_inner_texts()
        found = (re.search(r"number (\d+)\?", row) for row in rows)
        return [int(one[1]) for one in found if one is not None]

    def picture(self, name: str) -> None:
        """Takes a picture, where pictures are wanted, when nothing moves any more: charts are drawn slowly."""
        if self._pictures is None:
            return
        self.page.mouse.move(0, 0)
        last, seen = b"", self.page.screenshot()
        for _ in range(PICTURES_MAX):
            if last == seen:
                break
            self.page.wait_for_function("() => new Promise((done) => requestAnimationFrame(() => done(true)))")
            last, seen = seen, self.page.screenshot()
        # Two hundred and fifty-six colours are enough for a page, and a third of the bytes.
        Image.open(io.BytesIO(seen)).quantize().save(self._pictures / f"mlflow-{name}.png", optimize=True)

    def found(self, condition: str, experiment: str) -> list[dict[str, Any]]:
        """What the server answers a program that searches traces."""
        location = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}}
        asked = json.dumps({"locations": [location], "filter": condition}).encode()
        request = urllib.request.Request(
            f"{self.address}/api/3.0/mlflow/traces/search", asked, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request) as answer:
            traces: list[dict[str, Any]] = json.load(answer).get("traces", [])
        return traces
