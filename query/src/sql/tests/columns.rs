//! Every column of every table and view with every operator, in memory and sealed, against a plain copy of the
//! rows: what is pruned, pushed, sorted and bounded must not show.

use datafusion::catalog::MemTable;
use datafusion::physical_plan::collect;

use super::super::views::{self, Tables};
use super::*;

const NAMES: [&str; 8] = [
    "spans",
    "traces",
    "assessments",
    "sessions",
    "messages",
    "events",
    "tags",
    "metadata",
];

/// A store of a few traces, with what can be NULL both there and not.
fn store() -> Arc<Store> {
    let options = StoreOptions {
        inline_maintenance: true,
        ..StoreOptions::default()
    };
    let store = Store::open(Arc::new(MemEnv::default()), options).unwrap();
    let mut stored: Vec<Span> = Vec::new();
    for trace in 0..12 {
        for number in 0..4 {
            let mut span = stored_span(trace, number);
            if (trace + number) % 3 == 0 {
                span.inputs = None;
                span.session_id = None;
                span.model = Some(format!("model-{}", trace % 2));
                span.input_tokens = Some(i64::from(trace));
                span.cost_usd = Some(f64::from(trace) / 4.0);
                span.tool_name = Some("search".into());
            }
            stored.push(span);
        }
    }
    store.append_spans(spans_batch(&stored).unwrap()).unwrap();
    store
}

/// Statements about a column, given two of its values. `{t}` is the table, `{c}` the column.
const STATEMENTS: [&str; 10] = [
    "SELECT count(*) FROM {t} WHERE {c} = {a}",
    "SELECT count(*), min({c}), max({c}) FROM {t} WHERE {c} < {b}",
    "SELECT count(*) FROM {t} WHERE {c} IN ({a}, {b})",
    "SELECT count(*) FROM {t} WHERE {c} NOT IN ({a}, {b})",
    "SELECT count(*) FROM {t} WHERE {c} BETWEEN {a} AND {b}",
    "SELECT count(*) FROM {t} WHERE {c} IS NULL",
    "SELECT {c} FROM {t} WHERE {c} <> {a} ORDER BY {c} DESC LIMIT 2",
    "SELECT {c}, count(*) FROM {t} GROUP BY {c} ORDER BY 1, 2",
    "SELECT DISTINCT {c} FROM {t} ORDER BY {c} LIMIT 3",
    "SELECT count(*) FROM {t} AS l JOIN {t} AS r ON l.{c} = r.{c} WHERE r.{c} IN ({a}, {b})",
];
/// The same for texts alone.
const TEXT_STATEMENTS: [&str; 2] = [
    "SELECT count(*) FROM {t} WHERE {c} LIKE left({a}, 3) || '%'",
    "SELECT count(*) FROM {t} WHERE {c} NOT LIKE '%1%'",
];
/// For lists, maps and structs.
const NESTED_STATEMENTS: [&str; 2] = [
    "SELECT count(*) FROM {t} WHERE {c} IS NULL",
    "SELECT count({c}), count(*) FROM {t}",
];

/// The statements about one column; none when it has no value.
fn statements(context: &SqlContext, table: &str, column: &str, kind: &DataType) -> Vec<String> {
    let value = |order: &str| {
        let statement = format!(
            "SELECT {} FROM {table} WHERE {column} IS NOT NULL ORDER BY {column} {order} LIMIT 1",
            if matches!(kind, DataType::Timestamp(..)) {
                format!("CAST({column} AS BIGINT) AS v")
            } else {
                column.into()
            }
        );
        let found = rows(context, &statement).into_iter().next()?;
        Some(match kind {
            DataType::Utf8View | DataType::Utf8 => format!("'{}'", found.replace('\'', "''")),
            DataType::Timestamp(..) => format!("to_timestamp_nanos({found})"),
            _ => found,
        })
    };
    let kinds: Vec<&str> = match kind {
        kind if kind.is_nested() => NESTED_STATEMENTS.to_vec(),
        DataType::Utf8View | DataType::Utf8 => {
            STATEMENTS.iter().chain(&TEXT_STATEMENTS).copied().collect()
        }
        _ => STATEMENTS.to_vec(),
    };
    let (low, high) = match kind.is_nested() {
        true => (None, None),
        false => (value("ASC"), value("DESC")),
    };
    let (low, high) = (low.unwrap_or("NULL".into()), high.unwrap_or("NULL".into()));
    let fill = |text: &&str| {
        text.replace("{t}", table)
            .replace("{c}", column)
            .replace("{a}", &low)
            .replace("{b}", &high)
    };
    kinds.iter().map(fill).collect()
}

/// What DataFusion alone answers over copies of `tables`.
fn plain_answers(context: &SqlContext, tables: &Tables, statements: &[String]) -> Vec<Vec<String>> {
    let runtime = context.runtime.handle().unwrap();
    let state = views::session(context.runtime.template(), tables.clone()).unwrap();
    let asked = statements.to_vec();
    let (sender, receiver) = std::sync::mpsc::channel();
    runtime.spawn(async move {
        for statement in asked {
            let plan = state.create_logical_plan(&statement).await.unwrap();
            let plan = state.create_physical_plan(&plan).await.unwrap();
            sender
                .send(collect(plan, state.task_ctx()).await.unwrap())
                .unwrap();
        }
    });
    statements
        .iter()
        .map(|_| texts(receiver.recv().unwrap()))
        .collect()
}

#[test]
fn every_column_answers_as_a_plain_copy_does() {
    let store = store();
    let runtime = Arc::new(
        QueryRuntime::new(SqlSettings {
            target_partitions: 2,
            ..SqlSettings::default()
        })
        .unwrap(),
    );
    let context = || SqlContext::new(runtime.clone(), store.snapshot().unwrap());
    let fresh = context();
    let mut copies = Tables::new();
    let mut asked = Vec::new();
    for table in NAMES {
        let (schema, batches) = run_sql(&fresh, format!("SELECT * FROM {table}").as_str()).unwrap();
        for field in schema.fields() {
            asked.extend(statements(&fresh, table, field.name(), field.data_type()));
        }
        copies.insert(
            table.to_string(),
            Arc::new(MemTable::try_new(schema, vec![batches]).unwrap()),
        );
    }
    let wanted = plain_answers(&fresh, &copies, &asked);
    let check = |context: &SqlContext, state: &str| {
        for (statement, wanted) in asked.iter().zip(&wanted) {
            assert_eq!(&rows(context, statement), wanted, "{state}: {statement}");
        }
    };
    check(&fresh, "in memory");
    store.seal().unwrap();
    check(&context(), "sealed");
}
