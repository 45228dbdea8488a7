"""Arrow Flight SQL with real clients: ADBC (DB-API, pandas, polars) and the Flight client of pyarrow.

``TRACEHOUSE_SERVER`` is the command that serves a folder: ``COMMAND DB --http 127.0.0.1:0 --grpc 127.0.0.1:0`` prints
``http ADDRESS grpc ADDRESS`` as its first line.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import adbc_driver_flightsql
import adbc_driver_flightsql.dbapi as adbc
import adbc_driver_manager
import pandas
import polars
import pyarrow
import pyarrow.compute
import pyarrow.flight as flight
import pytest

TRACES = 300
START_NS = 1_700_000_000_000_000_000
FIRST = datetime.datetime.fromtimestamp(START_NS // 10**9, datetime.timezone.utc)
# A statement that is not done in any test's time.
RUNAWAY = "SELECT count(*) FROM generate_series(1, 10000000) AS a(x), generate_series(1, 10000000) AS b(y) WHERE x * y = 7"
MANY_ROWS = 1_000_000
MANY = f"SELECT value AS id, repeat('text of a row ', 20) || value AS text FROM generate_series(1, {MANY_ROWS})"


class Served:
    """A server over a folder of its own."""

    def __init__(self, folder: Path, *options: str) -> None:
        command = shlex.split(os.environ["TRACEHOUSE_SERVER"])
        ports = ["--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"]
        self.process = subprocess.Popen(
            [*command, str(folder / "served.traces"), *ports, *options], stdout=subprocess.PIPE, text=True
        )
        words = self.process.stdout.readline().split()
        assert words[0::2] == ["http", "grpc"], words
        self.http, self.grpc = words[1::2]
        self.uri = f"grpc://{self.grpc}"

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        self.process.stdout.close()

    def send(self, traces: int, token: str | None = None) -> None:
        spans = [span for number in range(traces) for span in spans_of(number)]
        body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).encode()
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        request = urllib.request.Request(f"http://{self.http}/v1/traces", body, headers)
        assert urllib.request.urlopen(request).status == 200

    def memory_kib(self, what: str = "VmRSS") -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split(f"{what}:")[1].split()[0])

    def cpu_ticks(self) -> int:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    def wait_until_idle(self) -> None:
        """Until nothing is computed any more: a statement that was given up ends."""
        for _ in range(200):
            before = self.cpu_ticks()
            time.sleep(0.2)
            if self.cpu_ticks() - before <= 2:
                return
        pytest.fail("the server goes on computing")


def spans_of(number: int) -> list[dict]:
    start = START_NS + number * 10**9
    span = {
        "traceId": f"{number + 1:032x}",
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + 5_000_000),
        "attributes": [
            {"key": "gen_ai.request.model", "value": {"stringValue": f"model-{number % 3}"}},
            {"key": "input.value", "value": {"stringValue": f"question {number}: 東京 é"}},
        ],
    }
    root = {**span, "spanId": f"{2 * number + 1:016x}", "name": "root"}
    child = {**span, "spanId": f"{2 * number + 2:016x}", "parentSpanId": root["spanId"], "name": f"child {number}"}
    return [root, child]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    server = Served(tmp_path_factory.mktemp("flight"))
    try:
        server.send(TRACES)
        yield server
    finally:
        server.stop()


@pytest.fixture
def connection(served):
    with adbc.connect(served.uri, autocommit=True) as connection:
        yield connection


@pytest.fixture
def cursor(connection):
    with connection.cursor() as cursor:
        yield cursor


@pytest.fixture
def client(served):
    with flight.connect(served.uri) as client:
        yield client


# Rows.


def test_rows_come_as_arrow_pandas_and_tuples(cursor):
    statement = "SELECT trace_id, name, start_time, duration_ns, model, inputs FROM spans WHERE parent_span_id IS NULL ORDER BY start_time"
    cursor.execute(statement)
    table = cursor.fetch_arrow_table()
    assert table.num_rows == TRACES
    assert table.schema.field("name").type == pyarrow.string()
    assert table.schema.field("start_time").type == pyarrow.timestamp("ns", "UTC")
    assert table["inputs"][7].as_py() == "question 7: 東京 é"
    assert table["trace_id"][0].as_py() == f"{1:032x}"

    cursor.execute(statement)
    frame = cursor.fetch_df()
    assert len(frame) == TRACES
    assert frame["duration_ns"].sum() == TRACES * 5_000_000
    assert frame["start_time"].iloc[0] == pandas.Timestamp(FIRST)

    cursor.execute(statement)
    assert [column[0] for column in cursor.description] == table.schema.names
    row = cursor.fetchone()
    assert row[1] == "root" and row[4] == "model-0"
    assert len(cursor.fetchmany(10)) == 10
    assert len(cursor.fetchall()) == TRACES - 11


def test_every_column_of_every_table_is_read(cursor, connection):
    objects = connection.adbc_get_objects(depth="tables").read_all().to_pylist()
    names = [
        f"{schema['db_schema_name']}.{table['table_name']}"
        for catalogue in objects
        for schema in catalogue["catalog_db_schemas"]
        for table in schema["db_schema_tables"]
    ]
    assert {"public.spans", "public.traces", "public.messages"} <= set(names)
    for name in names:
        cursor.execute(f"SELECT * FROM {name} LIMIT 50")
        table = cursor.fetch_arrow_table()
        table.validate(full=True)
        assert "_view" not in str(table.schema), name


def test_nested_columns_are_read(cursor):
    cursor.execute("SELECT models, tags, metadata FROM traces ORDER BY request_time LIMIT 1")
    row = cursor.fetch_arrow_table().to_pylist()[0]
    assert row["models"] == ["model-0"]
    cursor.execute("SELECT attributes -> 'gen_ai.request.model' AS model, events FROM spans LIMIT 1")
    table = cursor.fetch_arrow_table()
    assert table["model"][0].as_py().startswith('"model-') or str(table["model"].type).find("json") >= 0


def test_polars_reads(connection):
    frame = polars.read_database("SELECT model, count(*) AS spans FROM spans GROUP BY model ORDER BY model", connection)
    assert frame["model"].to_list() == ["model-0", "model-1", "model-2"]
    assert frame["spans"].sum() == 2 * TRACES
    batches = polars.read_database(MANY + " LIMIT 50000", connection, iter_batches=True, batch_size=10000)
    assert sum(len(batch) for batch in batches) == 50_000


def test_a_result_without_rows_has_its_columns(cursor):
    cursor.execute("SELECT trace_id, duration_ns FROM spans WHERE false")
    table = cursor.fetch_arrow_table()
    assert (table.num_rows, table.schema.names) == (0, ["trace_id", "duration_ns"])


def test_explain_show_and_describe_run(cursor):
    for statement in ("EXPLAIN SELECT * FROM spans", "DESCRIBE spans", "SHOW TABLES", "SUMMARIZE SELECT name FROM spans"):
        cursor.execute(statement)
        assert cursor.fetch_arrow_table().num_rows > 0, statement


# Parameters.


@pytest.mark.parametrize(
    ("statement", "values", "answer"),
    [
        ("SELECT count(*) FROM spans WHERE model = $1", ("model-0",), 2 * TRACES // 3),
        ("SELECT count(*) FROM spans WHERE model = $m AND duration_ns >= $n", ("model-1", 5_000_000), 2 * TRACES // 3),
        ("SELECT $1 + $2", (40, 2), 42),
        ("SELECT $2 - $1", (2, 44), 42),
        ("SELECT CAST($1 AS DOUBLE) * 2", (0.25,), 0.5),
        ("SELECT $1 AND true", (True,), True),
        ("SELECT $1 IS NULL", (None,), True),
        ("SELECT count(*) FROM spans WHERE start_time < $1", (FIRST + datetime.timedelta(seconds=10),), 20),
        ("SELECT count(*) FROM spans WHERE start_time < $1", (FIRST.date(),), 0),
        ("SELECT count(*) FROM (SELECT * FROM spans LIMIT $1)", (7,), 7),
        ("SELECT count(*) FROM spans WHERE matches(inputs, $1)", ("question 7",), 2),
        ("SELECT $1 || '$2' -- $3", ("it's '; DROP",), "it's '; DROP$2"),
    ],
)
def test_parameters_have_values(cursor, statement, values, answer):
    cursor.execute(statement, values)
    assert cursor.fetchone()[0] == answer


def test_a_prepared_statement_runs_again_with_other_values(cursor):
    statement = "SELECT count(*) FROM spans WHERE model = $1"
    schema = cursor.adbc_prepare(statement)
    assert schema.names == ["1"]
    counts = []
    for number in range(4):
        cursor.execute(statement, (f"model-{number}",))
        counts.append(cursor.fetchone()[0])
    assert counts == [2 * TRACES // 3] * 3 + [0]


def test_values_go_by_name(cursor):
    values = pyarrow.record_batch({"b": [1], "a": ["x"]})
    cursor.execute("SELECT $a, $b", values)
    assert cursor.fetchone() == ("x", 1)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((), "no value for parameter"),
        ((1,), "2 parameters: $1, $2"),
        ((1, b"bytes"), "$2: Binary is no type of parameters"),
        (pyarrow.record_batch({"1": [1, 2], "2": [3, 4]}), "one row"),
    ],
)
def test_wrong_parameters_are_told(cursor, values, message):
    with pytest.raises(adbc_driver_manager.Error, match=message.replace("$", r"\$")):
        cursor.execute("SELECT $1, $2", values)
        cursor.fetchall()


# The catalogue.


def test_the_catalogue_has_the_tables_and_columns(connection):
    assert connection.adbc_get_table_types() == ["BASE TABLE", "VIEW"]
    found = connection.adbc_get_objects(depth="all", table_name_filter="spans").read_all().to_pylist()
    assert [catalogue["catalog_name"] for catalogue in found] == ["tracehouse"]
    schemas = {schema["db_schema_name"]: schema["db_schema_tables"] for schema in found[0]["catalog_db_schemas"]}
    (spans,) = schemas["public"]
    assert (spans["table_name"], spans["table_type"]) == ("spans", "BASE TABLE")
    columns = [column["column_name"] for column in spans["table_columns"]]
    schema = connection.adbc_get_table_schema("spans")
    assert columns == schema.names
    assert schema.names[:2] == ["trace_id", "span_id"]
    assert schema.field("start_time").type == pyarrow.timestamp("ns", "UTC")
    assert connection.adbc_get_table_schema("traces", db_schema_filter="public").field("tags").type == pyarrow.map_(
        pyarrow.string(), pyarrow.string()
    )
    with pytest.raises(adbc_driver_manager.Error):
        connection.adbc_get_table_schema("no_such_table")


def test_the_server_says_what_it_is(connection):
    info = connection.adbc_get_info()
    assert info["vendor_name"] == "Tracehouse"
    assert info["vendor_version"]


def test_keys_are_told(client):
    def keys(message: str, table: str) -> list[dict]:
        return read_all(client, command(message, field(3, table.encode()))).to_pylist()

    told = keys("CommandGetPrimaryKeys", "spans")
    assert [(key["column_name"], key["key_sequence"]) for key in told] == [("trace_id", 1), ("span_id", 2)]
    assert [key["column_name"] for key in keys("CommandGetPrimaryKeys", "traces")] == ["trace_id"]
    assert keys("CommandGetPrimaryKeys", "nothing") == []
    for message in ("CommandGetExportedKeys", "CommandGetImportedKeys", "CommandGetCrossReference"):
        assert read_all(client, command(message, field(3, b"spans"))).num_rows == 0


def test_types_are_told(client):
    table = read_all(client, command("CommandGetXdbcTypeInfo", b""))
    assert set(table["type_name"].to_pylist()) == {"VARCHAR", "BIGINT", "DOUBLE", "BOOLEAN", "TIMESTAMP", "DATE"}


def test_a_schema_is_told_without_rows(client, cursor):
    descriptor = flight.FlightDescriptor.for_command(command("CommandStatementQuery", field(1, b"SELECT name FROM spans")))
    assert client.get_schema(descriptor).schema.names == ["name"]
    assert cursor.adbc_execute_schema("SELECT name, duration_ns FROM spans").names == ["name", "duration_ns"]


# What is refused.


@pytest.mark.parametrize(
    "statement",
    ["DROP TABLE spans", "DELETE FROM spans", "INSERT INTO spans VALUES (1)", "CREATE TABLE t (a INT)", "SET a = 1",
     "COPY spans TO '/tmp/x'", "CREATE VIEW v AS SELECT 1", "SELECT 1; SELECT 2", "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'"],
)  # fmt: skip
def test_sql_reads_only(cursor, statement):
    with pytest.raises(adbc_driver_manager.Error, match="INVALID_ARGUMENT|InvalidArgument"):
        cursor.execute(statement)


def test_errors_keep_their_message(cursor):
    with pytest.raises(adbc_driver_manager.Error, match="spans"):
        cursor.execute("SELECT * FROM span")
    with pytest.raises(adbc_driver_manager.Error, match="syntax error"):
        cursor.execute("SELECT FROM WHERE")
    # While rows are read.
    cursor.execute("SELECT 1 / (value - 5000) FROM generate_series(1, 100000)")
    with pytest.raises(adbc_driver_manager.Error, match="(?i)divi"):
        cursor.fetchall()


def test_writes_of_the_protocol_are_refused(connection, cursor):
    with pytest.raises(adbc_driver_manager.Error, match="read-only"):
        cursor.adbc_ingest("mine", pyarrow.table({"a": [1]}), mode="create")
    with pytest.raises(adbc_driver_manager.Error, match="read-only"):
        cursor.executemany("SELECT $1", [(1,), (2,)])
    with pytest.raises(adbc_driver_manager.Error):
        connection.adbc_connection.set_autocommit(False)


def test_calls_that_are_none_of_flight_sql_are_refused(client):
    action = [(action.type) for action in client.list_actions()]
    assert action == ["CreatePreparedStatement", "ClosePreparedStatement", "CancelQuery", "CancelFlightInfo"]
    for wrong in (b"", b"\xff\xff", field(1, b"type.googleapis.com/some.Message")):
        with pytest.raises((pyarrow.ArrowInvalid, flight.FlightError)):
            client.get_flight_info(flight.FlightDescriptor.for_command(wrong))
        with pytest.raises((pyarrow.ArrowInvalid, flight.FlightError)):
            client.do_get(flight.Ticket(wrong)).read_all()
    for call in (lambda: list(client.list_flights()), lambda: list(client.do_action(("Drop", b"")))):
        with pytest.raises((NotImplementedError, flight.FlightError)):
            call()
    substrait = command("CommandStatementSubstraitPlan", b"")
    with pytest.raises((NotImplementedError, flight.FlightError), match="Substrait"):
        client.get_flight_info(flight.FlightDescriptor.for_command(substrait))


def test_a_statement_has_its_length(cursor):
    with pytest.raises(adbc_driver_manager.Error, match="262144"):
        cursor.execute(f"SELECT '{'x' * 300_000}'")


# Tickets.


def test_a_ticket_is_read_once_and_cannot_be_made_up(client):
    info = statement_info(client, "SELECT 1 AS one")
    ticket = info.endpoints[0].ticket
    assert client.do_get(ticket).read_all().to_pylist() == [{"one": 1}]
    for used in (ticket, flight.Ticket(command("TicketStatementQuery", field(1, b"0123456789abcdef")))):
        with pytest.raises(pyarrow.ArrowException, match="no such result"):
            client.do_get(used).read_all()


def test_results_of_one_caller_are_bounded(served, client):
    opened = []
    with pytest.raises(flight.FlightUnavailableError, match="too many results"):
        for _ in range(100):
            opened.append(statement_info(client, MANY))
    for info in opened:
        assert cancel(client, info) == b"\x08\x01"
    wait_for(lambda: read_statement(client, "SELECT 1").num_rows == 1)
    served.wait_until_idle()


# Giving up.


def test_a_result_is_cancelled_by_its_info(served, client):
    info = statement_info(client, RUNAWAY)
    reader = client.do_get(info.endpoints[0].ticket)
    ended = []
    # `read_all` of pyarrow takes a cancelled result for Ctrl-C; `read_chunk` says what it is.
    reading = threading.Thread(target=lambda: ended.append(pytest.raises(pyarrow.ArrowException, reader.read_chunk)))
    reading.start()
    assert cancel(client, info) == b"\x08\x01"
    reading.join(60)
    assert "cancel" in str(ended[0].value).lower()
    served.wait_until_idle()
    wait_for(lambda: cancel(client, info) == b"\x08\x03")
    # The older action, over an info that was not read.
    info = statement_info(client, RUNAWAY)
    body = command("ActionCancelQueryRequest", field(1, info.serialize()))
    (answer,) = client.do_action(("CancelQuery", body))
    assert b"ActionCancelQueryResult" in answer.body.to_pybytes()
    served.wait_until_idle()


def test_nothing_is_computed_before_a_reader_comes(served, client):
    # A client that is cancelled between the two calls never shows its ticket.
    statement_info(client, RUNAWAY)
    served.wait_until_idle()


# While rows are collected for the join, and while it looks for pairs and finds none.
@pytest.mark.parametrize("after_seconds", [0.1, 3])
def test_adbc_cancels(served, cursor, after_seconds):
    timer = threading.Timer(after_seconds, cursor.adbc_cancel)
    timer.start()
    with pytest.raises(adbc_driver_manager.Error, match="(?i)cancel"):
        cursor.execute(RUNAWAY)
        cursor.fetchall()
    timer.join()
    served.wait_until_idle()


def test_a_client_that_goes_ends_its_statement(served):
    with adbc.connect(served.uri, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute(MANY)
        assert cursor.fetchone()[1].startswith("text of a row")
    client = subprocess.Popen(
        [sys.executable, "-c", f"import pyarrow.flight as f; c = f.connect({served.uri!r});"
         f"i = c.get_flight_info(f.FlightDescriptor.for_command({command('CommandStatementQuery', field(1, RUNAWAY.encode()))!r}));"
         "r = c.do_get(i.endpoints[0].ticket); print('reads', flush=True); r.read_all()"],
        stdout=subprocess.PIPE,
    )  # fmt: skip
    assert client.stdout.readline() == b"reads\n"
    client.kill()
    client.wait()
    client.stdout.close()
    served.wait_until_idle()


# Size.


def test_a_large_result_takes_little_memory(served, client):
    read_statement(client, MANY + " LIMIT 100000")
    before = served.memory_kib()
    info = statement_info(client, MANY)
    rows = total = peak = 0
    for chunk in client.do_get(info.endpoints[0].ticket):
        rows += chunk.data.num_rows
        total += chunk.data.nbytes
        peak = max(peak, served.memory_kib())
        assert chunk.data.nbytes < 3 << 20
    assert rows == MANY_ROWS
    assert total > 250 << 20
    assert peak - before < 100 << 10, f"{before} KiB, then {peak} KiB"


def test_a_reader_that_waits_keeps_the_server_waiting(served, client):
    info = statement_info(client, MANY)
    reader = client.do_get(info.endpoints[0].ticket)
    first = reader.read_chunk().data
    served.wait_until_idle()
    before = served.memory_kib()
    time.sleep(1)
    assert served.memory_kib() - before < 20 << 10
    rest = reader.read_all()
    assert first.num_rows + rest.num_rows == MANY_ROWS
    assert pyarrow.compute.max(rest["id"]).as_py() == MANY_ROWS


def test_wide_texts_come_in_small_messages(client):
    info = statement_info(client, "SELECT value, repeat('é', 100000) AS text FROM generate_series(1, 100)")
    chunks = [chunk.data for chunk in client.do_get(info.endpoints[0].ticket)]
    assert sum(chunk.num_rows for chunk in chunks) == 100
    assert max(chunk.nbytes for chunk in chunks) < 3 << 20
    one = read_statement(client, "SELECT repeat('x', 20000000) AS text")
    assert len(one["text"][0].as_py()) == 20_000_000


def test_clients_ask_at_the_same_time(served):
    answers = []

    def ask(number: int) -> None:
        with adbc.connect(served.uri, autocommit=True) as connection, connection.cursor() as cursor:
            for _ in range(5):
                cursor.execute("SELECT count(*), $1 FROM spans", (number,))
                answers.append(cursor.fetchone())

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(answers) == sorted((2 * TRACES, number) for number in range(8) for _ in range(5))


def test_an_answer_is_of_the_rows_at_its_beginning(tmp_path):
    served = Served(tmp_path)
    try:
        served.send(10)
        with adbc.connect(served.uri, autocommit=True) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM traces")
            served.send(20)
            assert cursor.fetchone() == (10,)
            cursor.execute("SELECT count(*) FROM traces")
            assert cursor.fetchone() == (20,)
    finally:
        served.stop()


# Who calls.


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("guarded")
    roles = {"reader": "read", "other": "read", "sender": "ingest", "scoped": "read"}
    lines = [
        f"{name} {role} sha256:{hashlib.sha256(f'{name}-secret'.encode()).hexdigest()}" + (" 7" if name == "scoped" else "")
        for name, role in roles.items()
    ]
    (folder / "tokens").write_text("\n".join(lines) + "\n")
    (folder / "tokens").chmod(0o600)
    server = Served(folder, "--token-file", str(folder / "tokens"))
    try:
        server.send(3, token="sender-secret")
        yield server
    finally:
        server.stop()


HEADER = adbc_driver_flightsql.DatabaseOptions.AUTHORIZATION_HEADER.value
COUNT = "SELECT count(*) FROM traces"


def count_of(served, **options) -> int:
    with adbc.connect(served.uri, db_kwargs=options, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute(COUNT)
        return cursor.fetchone()[0]


def test_a_token_is_shown_as_bearer_or_password(guarded):
    assert count_of(guarded, **{HEADER: "Bearer reader-secret"}) == 3
    assert count_of(guarded, username="anybody", password="reader-secret") == 3
    with flight.connect(guarded.uri) as client:
        name, value = client.authenticate_basic_token("anybody", "reader-secret")
        assert (name, value) == (b"authorization", b"Bearer reader-secret")
        options = flight.FlightCallOptions(headers=[(name, value)])
        assert read_statement(client, COUNT, options).num_rows == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "(?i)unauthenticated|token"),
        ({HEADER: "Bearer wrong"}, "(?i)unauthenticated|token"),
        ({HEADER: "Basic " + base64.b64encode(b"reader:reader-secret").decode()}, "(?i)unauthenticated|token"),
        ({"username": "reader", "password": "wrong"}, "(?i)unauthenticated|token"),
        ({HEADER: "Bearer sender-secret"}, "read"),
        ({HEADER: "Bearer scoped-secret"}, "experiments"),
        ({"username": "x", "password": "scoped-secret"}, "experiments"),
    ],
)
def test_other_tokens_are_refused(guarded, options, message):
    with pytest.raises(adbc_driver_manager.Error, match=message):
        count_of(guarded, **options)


def test_every_call_asks_for_the_token(guarded):
    statement = flight.FlightDescriptor.for_command(command("CommandStatementQuery", field(1, COUNT.encode())))
    with flight.connect(guarded.uri) as client:
        for call in (
            lambda: client.get_flight_info(statement),
            lambda: client.get_schema(statement),
            lambda: client.do_get(flight.Ticket(b"x")).read_all(),
            lambda: list(client.do_action(("CancelQuery", b""))),
            lambda: list(client.list_actions()),
            lambda: list(client.list_flights()),
            lambda: client.do_put(statement, pyarrow.schema([]))[0].close(),
        ):
            with pytest.raises((flight.FlightUnauthenticatedError, OSError), match="unauthenticated error"):
                call()


def test_tickets_and_statements_are_their_callers(guarded):
    def of(token: str) -> flight.FlightCallOptions:
        return flight.FlightCallOptions(headers=[(b"authorization", f"Bearer {token}".encode())])

    with flight.connect(guarded.uri) as client:
        info = statement_info(client, COUNT, of("reader-secret"))
        ticket = info.endpoints[0].ticket
        with pytest.raises(pyarrow.ArrowException, match="no such result"):
            client.do_get(ticket, of("other-secret")).read_all()
        assert cancel(client, info, of("other-secret")) == b"\x08\x03"
        assert client.do_get(ticket, of("reader-secret")).read_all().num_rows == 1
        body = command("ActionCreatePreparedStatementRequest", field(1, COUNT.encode()))
        (answer,) = client.do_action(("CreatePreparedStatement", body), of("reader-secret"))
        handle = answer.body.to_pybytes().split(b"\x0a\x10", 1)[1][:16]
        prepared = flight.FlightDescriptor.for_command(command("CommandPreparedStatementQuery", field(1, handle)))
        assert client.get_flight_info(prepared, of("reader-secret")).schema.names == ["count(*)"]
        with pytest.raises(pyarrow.ArrowException, match="no such prepared statement"):
            client.get_flight_info(prepared, of("other-secret"))


# Messages of the protocol, by hand.


def varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def field(number: int, value: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(value)) + value


def command(message: str, body: bytes) -> bytes:
    return field(1, b"type.googleapis.com/arrow.flight.protocol.sql." + message.encode()) + field(2, body)


def statement_info(client, statement: str, options=None) -> flight.FlightInfo:
    body = command("CommandStatementQuery", field(1, statement.encode()))
    return client.get_flight_info(flight.FlightDescriptor.for_command(body), options)


def read_all(client, body: bytes, options=None) -> pyarrow.Table:
    info = client.get_flight_info(flight.FlightDescriptor.for_command(body), options)
    table = client.do_get(info.endpoints[0].ticket, options).read_all()
    assert table.schema.equals(info.schema)
    return table


def read_statement(client, statement: str, options=None) -> pyarrow.Table:
    return read_all(client, command("CommandStatementQuery", field(1, statement.encode())), options)


def cancel(client, info: flight.FlightInfo, options=None) -> bytes:
    (answer,) = client.do_action(("CancelFlightInfo", field(1, info.serialize())), options)
    return answer.body.to_pybytes()


def wait_for(condition) -> None:
    for _ in range(100):
        try:
            if condition():
                return
        except flight.FlightUnavailableError:
            pass
        time.sleep(0.1)
    pytest.fail("it did not come to be so")
