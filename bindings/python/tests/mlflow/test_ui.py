"""MLflow's own interface in a browser, on this package's store: what is clicked, what is seen, and that nothing fails.

With `TRACEHOUSE_UI_STORES=all` the same clicks are made on MLflow's own store, too, where the same must be seen. With
`TRACEHOUSE_PICTURES` naming a folder, the pages are drawn there, as they are in `docs/mlflow-ui.md`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from ui.desk import Desk, open_browser
from ui.stands import URIS, Stand, open_stands

import tracehouse

SUPPORT, QUALITY = "1", "2"
STORES = list(URIS) if os.environ.get("TRACEHOUSE_UI_STORES") == "all" else ["tracehouse"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def stands(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Stand]]:
    """Comes after the browser, which is what may be missing."""
    with open_stands(tmp_path_factory.mktemp("stands"), STORES) as stands:
        yield stands


@pytest.fixture(scope="module", params=STORES)
def stand(request: pytest.FixtureRequest, stands: dict[str, Stand]) -> Stand:
    return stands[request.param]


@pytest.fixture(scope="module")
def open_desk(browser: Browser, stand: Stand) -> Iterator[Desk]:
    pictures = os.environ.get("TRACEHOUSE_PICTURES")
    desk = Desk(browser, stand.address, Path(pictures) if pictures and stand.folder.name == "tracehouse" else None)
    yield desk
    desk.page.close()


@pytest.fixture
def desk(open_desk: Desk) -> Iterator[Desk]:
    """A desk; in the end nothing may have gone wrong."""
    open_desk.problems.clear()
    yield open_desk
    assert open_desk.problems == []


def test_the_list_of_traces_is_searched(desk: Desk) -> None:
    desk.open(f"/experiments/{SUPPORT}/traces")
    desk.shows("25 of 100 traces", "correctness", "expected_response", "helpful")
    assert desk.numbers() == list(range(99, 74, -1))
    desk.part("web-shared.traces-table.pagination.next").click()
    desk.shows("Page 2", '{"question": "Where is my refund number 72?"}')
    assert desk.numbers() == list(range(74, 49, -1))
    desk.open(f"/experiments/{SUPPORT}/traces")
    desk.asks_for("tags.topic = 'delivery'", "state = 'ERROR'")
    desk.shows("5 of 100 traces")
    assert desk.numbers() == [97, 77, 57, 37, 17]
    desk.picture("traces")
    desk.open(f"/experiments/{SUPPORT}/traces")
    desk.asks_for("number 4")
    desk.shows("11 of 100 traces")
    assert desk.numbers() == [*range(49, 39, -1), 4]
    desk.open(f"/experiments/{SUPPORT}/traces")
    desk.asks_for("feedback.helpful = 'true'")
    desk.shows("13 of 100 traces")
    assert desk.numbers() == list(range(96, -1, -8))


def test_a_trace_is_opened(desk: Desk) -> None:
    desk.open(f"/experiments/{SUPPORT}/traces")
    desk.page.get_by_text("Where is my delivery number 97?").click()
    desk.shows("Error", "4.00s", "217 tokens", "answer", "look up", "carrier", "write", "0.25s")
    desk.page.get_by_text("look up", exact=True).click()
    desk.shows("query", "A delivery takes 30 days.", '"delivery-1.md"')
    desk.page.get_by_text("carrier", exact=True).click()
    desk.page.get_by_role("tab", name="Events").click()
    desk.shows("1TimeoutError", "1carrier south does not answer")
    desk.page.get_by_text("write", exact=True).click()
    desk.shows("gpt-4o-mini", "System", "You answer customers of a shop.", "Assistant")
    desk.shows("Your delivery number 97 arrives within 7 days.", "≈$0.000042")
    desk.picture("trace")


def test_sessions_are_listed_and_opened(desk: Desk) -> None:
    desk.open(f"/experiments/{SUPPORT}/traces")
    desk.page.locator("label", has=desk.page.get_by_role("radio", name="Sessions")).click()
    desk.shows("25 of 25 sessions · 100 of 100 traces", "s-24", "s-23", "s-22")
    desk.picture("sessions")
    desk.page.get_by_text("s-22", exact=True).click()
    desk.shows("4 turns", "Turn 4", "211", "16.0000 sec", "helpful: True", "Where is my password number 91?")
    desk.shows("Your refund number 88 arrives within 5 days.")
    desk.picture("session")


def test_what_is_judged_in_the_page_is_in_the_database(desk: Desk, stand: Stand) -> None:
    desk.open(f"/experiments/{SUPPORT}/traces")
    _judge(desk, "Where is my invoice number 98?", "polite")
    desk.shows("Feedback (1)", "polite", "False")
    desk.part("shared.model-trace-explorer.toggle-assessment-expanded").click()
    desk.shows("It does not say please.")
    desk.picture("assessment")
    [trace] = desk.found("feedback.polite = 'false'", SUPPORT)
    [told] = trace["assessments"]
    assert (told["assessment_name"], told["feedback"], told["source"]["source_type"], told["rationale"]) == (
        "polite",
        {"value": False},
        "HUMAN",
        "It does not say please.",
    )
    if stand.folder.name == "tracehouse":
        with tracehouse.connect(stand.folder / "app.traces", read_only=True) as database:
            found = database.sql("SELECT trace_id, rationale FROM assessments WHERE name = 'polite'").fetchall()
        assert found == [(trace["trace_id"].removeprefix("tr-"), told["rationale"])]
    desk.part("shared.model-trace-explorer.assessment-more-button").click()
    desk.page.get_by_role("menuitem", name="Delete").click()
    desk.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    desk.shows("Feedback", "Add custom feedback to this trace. Learn more.")
    assert desk.found("feedback.polite IS NOT NULL", SUPPORT) == []


def _judge(desk: Desk, question: str, name: str) -> None:
    """Gives a trace of the list feedback by hand."""
    desk.page.get_by_text(question).click()
    desk.part("shared.model-trace-explorer.assessments-pane-toggle").click()
    desk.page.get_by_role("button", name="Add feedback").click()
    desk.page.get_by_role("menuitem", name="Human feedback").click()
    desk.page.get_by_test_id("assessment-name-typeahead-input").fill(name)
    desk.page.keyboard.press("Tab")
    desk.page.get_by_test_id("assessment-value-boolean-input").get_by_text("False").click()
    desk.part("shared.model-trace-explorer.assessment-rationale-input").fill("It does not say please.")
    desk.page.get_by_role("button", name="Create", exact=True).click()


def test_the_dashboard_sums_up(desk: Desk) -> None:
    desk.open(f"/experiments/{SUPPORT}/overview")
    desk.shows("TRACE", "100", "traces")
    desk.open(f"/experiments/{SUPPORT}/dashboard/usage")
    desk.shows("Traces", "100", "Latency", "4.00s", "10 (Overall error rate: 10.0%)")
    desk.shows("16.95K (14.95K input, 2.00K output)", "gpt-4o-mini")
    desk.picture("dashboard")
    desk.page.get_by_role("tab", name="Quality").click()
    desk.shows("Quality Summary", "helpful", "25", "correctness", "17")
    desk.page.get_by_role("tab", name="Tool calls").click()
    desk.shows("carrier", "Total Tool Calls", "100", "200.00ms", "90.00%", "Failed Calls", "10")


def test_a_dataset_is_opened_and_made_of_traces(desk: Desk) -> None:
    desk.open(f"/experiments/{QUALITY}/datasets")
    desk.page.get_by_text("support-questions").first.click()
    desk.shows("8 records", '{"question":"Where is refund 1?"}', '{"expected_response":"2 days"}')
    desk.picture("dataset")
    desk.open(f"/experiments/{QUALITY}/traces")
    desk.shows("20 of 20 traces")
    _choose(desk, 20, "Add to evaluation dataset")
    desk.page.get_by_role("dialog").get_by_role("checkbox").last.check()
    desk.page.get_by_role("button", name="Export").click()
    desk.page.get_by_role("dialog").wait_for(state="hidden")
    desk.open(f"/experiments/{QUALITY}/datasets")
    desk.page.get_by_text("support-questions").first.click()
    desk.shows("9 records", '{"query":"check 0"}')


def test_a_prompt_is_opened(desk: Desk) -> None:
    desk.open(f"/experiments/{SUPPORT}/prompts")
    desk.shows("support-answer", "Version 2")
    desk.page.get_by_text("support-answer").click()
    desk.shows("Viewing version 2", "Answer {{question}} in one sentence.", "Version 1")
    desk.picture("prompt")
    desk.page.get_by_text("Version 1", exact=True).click()
    desk.shows("Viewing version 1", "Answer {{question}}.")


def test_an_evaluation_is_opened(desk: Desk) -> None:
    desk.open(f"/experiments/{QUALITY}/evaluation-runs")
    desk.shows("first-evaluation", "support-questions", "1 run", "0.5", "7")
    desk.picture("evaluations")
    desk.page.get_by_text("first-evaluation").first.click()
    desk.shows("8 of 8 traces", "50%", "mlflow_evaluation_dataset", "Scorers (2)", '"password 1 comes soon"')
    desk.part("mlflow.eval_run_details.sidebar.toggle").click()
    desk.part("mlflow_header.toggle_sidebar_button").click()
    desk.shows("short", "words", "AVG", "7", "True", "False", "2 days")
    desk.picture("evaluation")


def test_a_trace_is_tagged_and_deleted(desk: Desk) -> None:
    desk.open(f"/experiments/{QUALITY}/traces")
    desk.shows("20 of 20 traces")
    _choose(desk, 20, "Edit tags")
    dialog = desk.page.get_by_role("dialog")
    dialog.get_by_role("combobox").first.click()
    desk.page.keyboard.insert_text("checked")
    desk.page.keyboard.press("Enter")
    dialog.get_by_label("Value").fill("twice")
    dialog.get_by_role("button", name="Add tag").click()
    dialog.get_by_role("button", name="Save tags").click()
    desk.shows("checked: twice")
    assert [trace["request_preview"] for trace in desk.found("tags.checked = 'twice'", QUALITY)] == [
        '{"query": "check 0"}'
    ]
    desk.open(f"/experiments/{QUALITY}/traces")
    desk.shows("20 of 20 traces")
    _choose(desk, 20, "Delete")
    desk.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    # The page does not count all of them again.
    desk.shows("19 of 20 traces")
    assert len(desk.found("", QUALITY)) == 19


def _choose(desk: Desk, row: int, action: str) -> None:
    """Marks one of the traces and chooses what to do with it."""
    desk.page.get_by_role("checkbox").nth(row).check()
    desk.part("mlflow.traces-v4.actions.trigger").click()
    desk.page.get_by_role("menuitem", name=action, exact=True).click()


def test_what_goes_wrong_is_noticed(open_desk: Desk) -> None:
    """The test of the tests: a refused request is told, and the message that the page shows then."""
    open_desk.problems.clear()
    refused = {"error_code": "INTERNAL_ERROR", "message": "not today"}
    open_desk.page.route("**/assessments", lambda route: route.fulfill(status=500, json=refused))
    open_desk.open(f"/experiments/{SUPPORT}/traces")
    _judge(open_desk, "Where is my invoice number 90?", "polite")
    open_desk.page.get_by_text("not today").wait_for()
    open_desk.page.unroute_all()
    told = "\n".join(open_desk.problems)
    assert re.fullmatch(r"500 POST .*/assessments\nconsole: message: .*not today", told), told
