"""The exporters of OpenTelemetry's SDK for Node: protobuf and JSON over HTTP, and gRPC."""

import pytest

from node import recorded_spans
from stored import stored_spans

WAYS = ["proto", "json", "grpc"]


@pytest.mark.parametrize("compression", ["none", "gzip"])
@pytest.mark.parametrize("way", WAYS)
def test_what_the_sdk_recorded_is_what_the_database_has(server, application, way, compression):
    agent = application(way, compression)
    agent.work()
    recorded, errors = agent.end()
    assert errors == ""
    assert (len(recorded["spans"]), len(recorded["logs"])) == (90, 30)
    assert stored_spans(server) == recorded_spans(recorded)
    # Counted when its answer has gone; the one that asks is on its way.
    figures = server.until(lambda figures: figures["tracehouse_requests_in_progress"] == 1)
    sent, read = (figures[f"tracehouse_{name}_bytes_total"] for name in ["request", "received"])
    assert (sent < read) == (compression == "gzip"), (sent, read)
    server.stop()


def test_messages_of_a_log_record_are_those_of_its_span(server, application):
    agent = application("proto", "gzip")
    agent.work()
    recorded, _ = agent.end()
    asked = server.rows(
        "SELECT span_id, direction, role, content FROM messages"
        " WHERE span_id IN (SELECT span_id FROM spans WHERE operation = 'chat')"
    )
    wanted = []
    for log in recorded["logs"]:
        for direction in ["input", "output"]:
            [message] = log["attributes"][f"gen_ai.{direction}.messages"]
            [part] = message["parts"]
            wanted.append((log["span_id"], direction, message["role"], part["content"]))
    assert sorted(tuple(row.values()) for row in asked) == sorted(wanted)
    typed = server.rows("SELECT DISTINCT model, provider, service_name, operation FROM spans WHERE model IS NOT NULL")
    assert typed == [{"model": "gpt-4o", "provider": "openai", "service_name": "loja-☂", "operation": "chat"}]
