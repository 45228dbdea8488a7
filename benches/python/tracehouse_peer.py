"""The Python package as a peer of a benchmark that runs its peers in process, each as its users link it.

    PYTHONPATH=bindings/python:benches/python OURS_MODULE=tracehouse_peer:TracehousePeer python run.py --peers ours,...

The harness gives the queries as filters and SQL (`OursBinary`); here they are asked of the package instead of a process
at the end of a pipe. Answers are what a user of the package gets: `Trace` objects without spans, tuples, hits.
"""

import json
import os
import time

import tracehouse
from peers.base import trace_digest
from peers.ours_peer import OursBinary


class TracehousePeer(OursBinary):
    name = "ours"
    notes = f"Tracehouse {tracehouse.__version__}, the Python package, in process"

    def open(self):
        self.db = tracehouse.connect(os.path.join(self.path, "db.traces"))

    def close(self):
        self.db.close()

    def child_pids(self):
        return []

    def load_otlp(self):
        self.reset()
        self.open()
        # The others sum the costs that producers sent; ours would also compute those of embeddings.
        self.db.reset_prices(enabled=False)
        started = time.perf_counter()
        self.db.import_otlp(self.f("otlp.jsonl"))
        imported = time.perf_counter()
        self.db.import_assessments(self.f("assessments.jsonl"))
        assessed = time.perf_counter()
        self.close()
        sealed = time.perf_counter()
        return {"import_s": imported - started, "assess_s": assessed - imported, "seal_s": sealed - assessed}

    def append(self, line):
        self.db.import_otlp(line)

    def p_get_trace(self, trace_id):
        return self.db.get_trace(trace_id)

    def norm_trace(self, trace):
        return trace_digest(trace.trace_id, [span.span_id for span in trace.spans])

    def norm(self, name, kind, raw):
        return [row.trace_id for row in raw] if kind in ("ids", "hits") else [tuple(row) for row in raw]

    def find(self, flt, limit=100, offset=0):
        return self.db.search_traces(
            flt, order_by="timestamp_ms DESC", max_results=limit, offset=offset, include_spans=False
        )

    def sql(self, statement):
        return self.db.sql(statement).fetchall()

    def t_common_top10(self):
        return self.db.search_text(self.P["words"]["common"], limit=10)

    def d_build(self):
        dataset = self.db.create_dataset("peer")
        try:
            dataset.add_traces("tag.env = 'prod' AND feedback.correctness = 'false'", limit=1000)
            rows = dataset.rows()
            places = [rows.columns.index(name) for name in ("source_trace_id", "inputs", "outputs", "expectations")]
            return [tuple(row[place] for place in places) for row in rows]
        finally:
            self.db.delete_dataset("peer")

    def m_tag_bulk(self, ids):
        self.db.set_tag(ids, "reviewed", "yes")

    def m_tag_one(self, trace_id):
        self.db.set_tag(trace_id, "note", "seen")

    def m_feedback_bulk(self, rows):
        self.db.log_assessments([_assessment(row) for row in rows])

    def m_delete_bulk(self, ids):
        self.db.delete_traces(ids)


def _assessment(row):
    """An assessment of a row of the harness: id, trace, name, kind, value, source type, source, rationale, time."""
    return tracehouse.Assessment(
        assessment_id="",
        trace_id=row[1],
        name=row[2],
        value=json.loads(row[4]),
        source_type=row[5],
        source_id=row[6],
        rationale=row[7],
    )
