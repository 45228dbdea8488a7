"""Finding traces: by filter, by text, by id; pages, iterators and tables of them."""

from __future__ import annotations

import warnings

import pytest
import sample

import tracehouse
from tracehouse import Database, InvalidInputError, NotFoundError, NoticeWarning, QueryTimeoutError


def test_a_page_is_a_list_of_traces(sample_db: Database) -> None:
    page = sample_db.search_traces("state = 'ERROR'")
    assert isinstance(page, list)
    assert [trace.trace_id for trace in page] == [sample.trace_id(n) for n in (9, 6, 3, 0)]
    assert page.next_page_token is None
    assert repr(page) == "TracePage(4 traces)"
    assert len(page[0].spans) == 3
    bare = sample_db.search_traces("state = 'ERROR'", include_spans=False)
    assert [trace.info for trace in bare] == [trace.info for trace in page]
    assert bare[0].spans == []
    assert bare[0].root is None


def test_pages_go_on_where_the_last_one_ended(sample_db: Database) -> None:
    seen: list[str] = []
    token = None
    while True:
        page = sample_db.search_traces(max_results=5, page_token=token, include_spans=False)
        seen += [trace.trace_id for trace in page]
        token = page.next_page_token
        if token is None:
            break
        # What comes meanwhile shifts nothing.
        sample_db.start_trace(f"new-{len(seen)}", "2026-01-01", state="OK")
    assert seen == [sample.trace_id(n) for n in reversed(range(12))]
    assert len(list(sample_db.iter_traces(page_size=4))) == 14
    assert len(list(sample_db.iter_traces("state = 'ERROR'", page_size=1, include_spans=False))) == 4


def test_order_scope_and_offset(sample_db: Database) -> None:
    sample_db.import_otlp(sample.request(50), experiment_id="7")
    assert sample_db.count_traces(experiment_ids="7") == 1
    assert sample_db.count_traces(experiment_ids=["0", "7"]) == 13
    first = sample_db.search_traces(order_by="request_time ASC", max_results=1, offset=2)
    assert first[0].trace_id == sample.trace_id(2)
    by_tokens = sample_db.search_traces(order_by=["total_tokens DESC", "request_time ASC"], max_results=1)
    assert by_tokens[0].trace_id == sample.trace_id(50)
    assert sample_db.search_trace_ids("state = 'ERROR'", order_by="request_time ASC", max_results=2) == [
        sample.trace_id(0),
        sample.trace_id(3),
    ]


def test_pages_are_tables(sample_db: Database) -> None:
    page = sample_db.search_traces("state = 'ERROR'")
    table = page.to_arrow()
    assert table.column("trace_id").to_pylist() == [trace.trace_id for trace in page]
    columns = sample_db.sql("SELECT * FROM traces LIMIT 0").columns
    assert table.column_names == columns
    df = page.to_df()
    assert list(df["state"]) == ["ERROR"] * 4
    assert str(df["request_time"].dtype) == "datetime64[ns, UTC]"
    assert df["tags"][0] == {"env": "prod"}
    pl = page.to_polars()
    assert pl.shape == (4, len(columns))
    with pytest.raises(TypeError, match="not made by a search"):
        tracehouse.TracePage().to_df()


def test_counts_and_plans(sample_db: Database) -> None:
    assert sample_db.count_traces("span.tool = 'refund' AND span.status = 'ERROR'") == 4
    plan = sample_db.explain("state = 'ERROR'")
    assert plan.startswith("access path:")
    assert "scan" in sample_db.explain("state = 'ERROR'", analyze=True)


def test_filters_that_are_wrong(sample_db: Database) -> None:
    with pytest.raises(InvalidInputError, match="state"):
        sample_db.search_traces("sate = 'ERROR'")
    with pytest.raises(InvalidInputError):
        sample_db.search_traces(page_token="no token")
    with pytest.raises(InvalidInputError):
        sample_db.search_traces(order_by="nothing")
    with pytest.raises(InvalidInputError, match="timeout -1"):
        sample_db.count_traces(timeout=-1)
    with pytest.raises(QueryTimeoutError) as raised:
        sample_db.search_traces("trace.text RLIKE 'a.*b'", timeout=0)
    assert raised.value.kind == "Timeout"
    assert isinstance(raised.value, TimeoutError)
    tracehouse.check_filter("state = 'OK'")
    with pytest.raises(InvalidInputError):
        tracehouse.check_filter("state = ")


def test_names_that_are_not_there_are_noticed(sample_db: Database) -> None:
    sample_db.log_feedback(sample.trace_id(0), "helpful", True)
    with pytest.warns(NoticeWarning, match="helpful"):
        assert sample_db.search_traces("feedback.helpfull = true") == []
    assert sample_db.notices("feedback.helpful = true") == []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert sample_db.search_traces("feedback.helpful = false") == []


def test_words_and_phrases(sample_db: Database) -> None:
    hits = sample_db.search_text('"refund policy" -missing', limit=5)
    assert len(hits) == 5
    hit = hits[0]
    assert (hit.field, hit.score > 0) == ("inputs", True)
    assert [hit.snippet[start:end] for start, end in hit.highlights] == ["refund policy"]
    assert hit.start_time.year == 2023
    one = sample_db.search_text("refund", where="user_id = 'u1'", limit=100, by_trace=True)
    assert len({hit.trace_id for hit in one}) == len(one) == 3
    with pytest.raises(InvalidInputError):
        sample_db.search_text("*")


def test_highlights_are_characters(db: Database) -> None:
    db.append(tracehouse.Span("t", "s", "n", attributes={"input.value": "größe über köln"}))
    [hit] = db.search_text("köln")
    assert [hit.snippet[start:end] for start, end in hit.highlights] == ["köln"]


def test_traces_by_id(sample_db: Database) -> None:
    trace = sample_db.get_trace("tr-" + sample.trace_id(3))
    assert trace.info == sample_db.get_trace_info(sample.trace_id(3))
    with pytest.raises(NotFoundError, match="nowhere") as raised:
        sample_db.get_trace("nowhere")
    assert isinstance(raised.value, KeyError)
    assert "'" not in str(raised.value)[:1]
    assert sample_db.find_trace_id(sample.trace_id(11)) == sample.trace_id(11)
    with pytest.raises(InvalidInputError, match="several"):
        sample_db.find_trace_id("0")
