//! Evaluation runs, scorers, registered scorers and comparisons.
//!
//! A scorer is an object that holds the engine's; a function of Python is one, too: it is called with the interpreter
//! held, from the engine's threads.

use std::collections::BTreeMap;
use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use pythonize::{depythonize, pythonize};
use serde_json::{Map, Value, json};
use tracehouse::eval::judge::{Client, Judge, JudgeKind, JudgeSettings, JudgeUsage};
use tracehouse::eval::scorer::{Definition, parse_spec};
use tracehouse::eval::{
    EvalOptions, EvalScorer, EvalSource, GivenItem, Item, Needs, Score, ScoreError, ScoreErrorKind,
    Scorer as EvalRule, ToolCall, Turn, definition_of, judge_observer, scorer_of,
};
use tracehouse::{Search, SessionSearch};

use crate::call;
use crate::handle::Database;

/// A scorer.
#[pyclass(frozen, module = "tracehouse._native")]
pub(crate) struct Scorer {
    scorer: EvalScorer,
    /// The client of a judge.
    client: Option<Arc<Client>>,
}

#[pymethods]
impl Scorer {
    #[getter]
    fn name(&self) -> &str {
        self.scorer.name()
    }

    #[getter]
    fn version(&self) -> &str {
        self.scorer.version()
    }

    #[getter]
    fn definition<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(pythonize(py, &self.scorer.definition())?)
    }

    /// What a judge used so far; `None` of another scorer.
    #[getter]
    fn usage<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let usage: Option<JudgeUsage> = self.client.as_ref().map(|client| client.usage());
        Ok(usage.map(|usage| pythonize(py, &usage)).transpose()?)
    }

    /// Judges an item: (value, passed, rationale, error).
    fn score<'py>(&self, py: Python<'py>, item: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let EvalScorer::Each(scorer) = &self.scorer else {
            let text = "an expression of SQL is asked of a database: db.evaluate(...)";
            return Err(PyValueError::new_err(text));
        };
        let (scorer, item) = (scorer.clone(), item_of(item)?);
        let said = py.detach(move || scorer.score(&item));
        let said = match said {
            Ok(score) => json!({"value": score.value, "passed": score.passed,
                "rationale": score.rationale, "cost_usd": score.cost_usd, "error": null}),
            Err(error) => json!({"value": null, "passed": null, "rationale": null,
                "cost_usd": null, "error": error.to_string()}),
        };
        Ok(pythonize(py, &said)?)
    }
}

/// The scorers of a SPEC that asks no model.
#[pyfunction]
fn scorers_of(spec: &str) -> PyResult<Vec<Scorer>> {
    let read =
        |name: &str| std::fs::read_to_string(name).map_err(|error| format!("{name}: {error}"));
    let parsed =
        parse_spec(spec, &read).map_err(|error| PyValueError::new_err(error.to_string()))?;
    parsed.into_iter().map(made).collect()
}

/// The scorer of a definition that is no judge's and no function's.
#[pyfunction]
fn scorer_from_definition(definition: &Bound<'_, PyAny>) -> PyResult<Scorer> {
    let definition: Value = depythonize(definition)?;
    made(definition_of(&definition).map_err(|error| PyValueError::new_err(error.to_string()))?)
}

fn made(definition: Definition) -> PyResult<Scorer> {
    let scorer = scorer_of(definition, |judge| {
        Err(tracehouse::Error::invalid_input(format!(
            "{} is a judge: tracehouse.Judge(...) makes one",
            judge.name()
        )))
    });
    let scorer = scorer.map_err(|error| PyValueError::new_err(error.to_string()))?;
    Ok(Scorer {
        scorer,
        client: None,
    })
}

/// A judge; `kind` as the engine's definition has it, `settings` by their names. With a database it looks into what
/// judges answered before.
#[pyfunction]
#[pyo3(signature = (name, kind, model, base_url, api_key, settings, db=None))]
#[expect(
    clippy::too_many_arguments,
    reason = "keywords of a function of Python"
)]
fn judge(
    py: Python<'_>,
    name: String,
    kind: &Bound<'_, PyAny>,
    model: String,
    base_url: String,
    api_key: Option<String>,
    settings: &Bound<'_, PyAny>,
    db: Option<&Database>,
) -> PyResult<Scorer> {
    let wrong = |error: String| PyValueError::new_err(error);
    let kind: JudgeKind = depythonize(kind)?;
    let given: Map<String, Value> = depythonize(settings)?;
    let mut all = JudgeSettings::new(model, base_url);
    if let Some(key) = api_key {
        all = all.api_key(key);
    }
    for (name, value) in &given {
        set(&mut all, name, value).map_err(wrong)?;
    }
    let client = Client::new(&all).map_err(|error| wrong(error.to_string()))?;
    let mut client = client.with_observer(judge_observer());
    if let Some(db) = db {
        let kept = call::run(py, db.handle()?, tracehouse::Database::judge_cache)?;
        client = client.with_cache(kept);
    }
    let client = Arc::new(client);
    let judge = Judge::with_client(name, kind, &all, client.clone());
    let judge: Arc<dyn EvalRule> = Arc::new(judge.map_err(|error| wrong(error.to_string()))?);
    Ok(Scorer {
        scorer: judge.into(),
        client: Some(client),
    })
}

/// Sets one of a judge's settings.
fn set(settings: &mut JudgeSettings, name: &str, value: &Value) -> Result<(), String> {
    if value.is_null() {
        return Ok(());
    }
    let whole = || {
        value
            .as_u64()
            .ok_or_else(|| format!("{name}: a whole number expected"))
    };
    let number = || {
        value
            .as_f64()
            .ok_or_else(|| format!("{name}: a number expected"))
    };
    let small = || -> Result<u32, String> {
        u32::try_from(whole()?).map_err(|_| format!("{name} is too large"))
    };
    match name {
        "temperature" => settings.temperature = Some(number()?),
        "max_tokens" => settings.max_tokens = small()?,
        "seed" => settings.seed = Some(whole()?),
        "timeout_ms" => settings.timeout_ms = whole()?,
        "deadline_ms" => settings.deadline_ms = whole()?,
        "retries_max" => settings.retries_max = small()?,
        "backoff_base_ms" => settings.backoff_base_ms = whole()?,
        "backoff_max_ms" => settings.backoff_max_ms = whole()?,
        "concurrency" => settings.concurrency = small()? as usize,
        "requests_per_minute" => settings.requests_per_minute = Some(small()?),
        "tokens_per_minute" => settings.tokens_per_minute = Some(small()?),
        "budget_usd" => settings.budget_usd = Some(number()?),
        "price_input_usd_per_million" => settings.price_input_usd_per_million = Some(number()?),
        "price_output_usd_per_million" => settings.price_output_usd_per_million = Some(number()?),
        other => return Err(format!("a judge has no setting {other:?}")),
    }
    Ok(())
}

/// A scorer that is a function of Python: it is given a dict and gives a dict.
#[pyfunction]
fn function_scorer(
    call: Py<PyAny>,
    name: String,
    version: String,
    texts: bool,
    spans: bool,
    messages: bool,
) -> Scorer {
    let needs = Needs {
        texts,
        spans,
        messages,
    };
    let function: Arc<dyn EvalRule> = Arc::new(Function {
        call,
        name,
        version,
        needs,
    });
    Scorer {
        scorer: function.into(),
        client: None,
    }
}

struct Function {
    call: Py<PyAny>,
    name: String,
    version: String,
    needs: Needs,
}

impl EvalRule for Function {
    fn name(&self) -> &str {
        &self.name
    }

    fn version(&self) -> &str {
        &self.version
    }

    fn definition(&self) -> Value {
        json!({"kind": "function", "name": self.name, "version": self.version})
    }

    fn needs(&self) -> Needs {
        self.needs
    }

    fn score(&self, item: &Item) -> Result<Score, ScoreError> {
        let failed = |message: String| ScoreError::new(ScoreErrorKind::Scorer, message);
        let called = Python::try_attach(|py| -> PyResult<Result<Score, ScoreError>> {
            let given = pythonize(py, &item_json(item))?;
            let said = self.call.bind(py).call1((given,))?;
            Ok(score_of(&depythonize::<Value>(&said)?))
        });
        match called {
            Some(Ok(said)) => said,
            Some(Err(error)) => Err(failed(error.to_string())),
            None => Err(failed("the interpreter is ending".into())),
        }
    }
}

/// What the wrapper around a function gives.
fn score_of(said: &Value) -> Result<Score, ScoreError> {
    if let Some(error) = said.get("error").and_then(Value::as_str) {
        let (word, message) = error.split_once(": ").unwrap_or(("scorer", error));
        let kind = ScoreErrorKind::of_word(word).unwrap_or(ScoreErrorKind::Scorer);
        return Err(ScoreError::new(kind, message));
    }
    let value = said.get("value").cloned().unwrap_or(Value::Null);
    Ok(Score {
        passed: said.get("passed").and_then(Value::as_bool),
        rationale: said
            .get("rationale")
            .and_then(Value::as_str)
            .map(str::to_string),
        cost_usd: said.get("cost_usd").and_then(Value::as_f64),
        value,
        ..Score::default()
    })
}

fn item_json(item: &Item) -> Value {
    json!({
        "trace_id": item.trace_id,
        "inputs": item.inputs,
        "outputs": item.outputs,
        "input_text": item.input_text,
        "output_text": item.output_text,
        "expectations": item.expectations,
        "tool_calls": item.tool_calls,
        "documents": item.documents,
        "messages": item.messages,
        "duration_ns": item.duration_ns,
        "total_tokens": item.total_tokens,
        "cost_usd": item.cost_usd,
    })
}

fn item_of(given: &Bound<'_, PyAny>) -> PyResult<Item> {
    let given: Map<String, Value> = depythonize(given)?;
    let value = |name: &str| given.get(name).filter(|value| !value.is_null()).cloned();
    let text = |name: &str| Some(value(name)?.as_str()?.to_string());
    let list = |name: &str| value(name).unwrap_or(Value::Array(Vec::new()));
    let wrong = |name: &str| PyValueError::new_err(format!("{name} are not what they should be"));
    let tool_calls: Vec<ToolCall> =
        serde_json::from_value(list("tool_calls")).map_err(|_| wrong("tool_calls"))?;
    let messages: Vec<Turn> =
        serde_json::from_value(list("messages")).map_err(|_| wrong("messages"))?;
    let documents: Vec<String> =
        serde_json::from_value(list("documents")).map_err(|_| wrong("documents"))?;
    let expectations = match value("expectations") {
        None => Map::new(),
        Some(Value::Object(members)) => members,
        Some(_) => return Err(wrong("expectations")),
    };
    Ok(Item {
        trace_id: text("trace_id"),
        input_text: text("input_text"),
        output_text: text("output_text"),
        inputs: value("inputs"),
        outputs: value("outputs"),
        expectations,
        tool_calls,
        documents,
        messages,
        duration_ns: value("duration_ns").and_then(|value| value.as_u64()),
        total_tokens: value("total_tokens").and_then(|value| value.as_u64()),
        cost_usd: value("cost_usd").and_then(|value| value.as_f64()),
    })
}

/// What to judge: `{"of": "traces", "filter": ..}` and so on, or a list of items.
fn source_of(given: &Bound<'_, PyAny>) -> PyResult<EvalSource> {
    if let Ok(items) = given.cast::<PyList>() {
        let items: PyResult<Vec<GivenItem>> = items.iter().map(|item| given_item(&item)).collect();
        return Ok(EvalSource::Given(items?));
    }
    let given: BTreeMap<String, Value> = depythonize(given)?;
    let text = |name: &str| given.get(name).and_then(Value::as_str).unwrap_or_default();
    let limit = given.get("limit").and_then(Value::as_u64);
    let limit = limit.and_then(|limit| usize::try_from(limit).ok());
    let search = || Search {
        limit,
        ..Search::new(text("filter"))
    };
    match text("of") {
        "traces" => Ok(EvalSource::Traces(search())),
        "spans" => Ok(EvalSource::Spans(search())),
        "sessions" => {
            let mut sessions = SessionSearch::new(text("filter"));
            sessions.limit = limit;
            Ok(EvalSource::Sessions(sessions))
        }
        "dataset" => Ok(EvalSource::Dataset {
            name: text("name").to_string(),
            version: given
                .get("version")
                .and_then(Value::as_u64)
                .and_then(|version| u32::try_from(version).ok()),
        }),
        other => Err(PyValueError::new_err(format!("{other:?} cannot be judged"))),
    }
}

fn given_item(given: &Bound<'_, PyAny>) -> PyResult<GivenItem> {
    let text = |name: &str| -> PyResult<Option<String>> {
        let value = given.cast::<PyDict>()?.get_item(name)?;
        value
            .filter(|value| !value.is_none())
            .map(|value| value.extract())
            .transpose()
    };
    Ok(GivenItem {
        trace_id: text("trace_id")?,
        span_id: text("span_id")?,
        dataset_record_id: text("dataset_record_id")?,
        item: item_of(given)?,
    })
}

/// Carries out a run, or goes on with one; gives it as a dict.
#[pyfunction]
#[pyo3(signature = (db, source, scorers, *, name=None, resume=None, concurrency=None, chunk_items=None, feedback=true, progress=None, judge_traces=None))]
#[expect(
    clippy::too_many_arguments,
    reason = "keywords of a function of Python"
)]
fn evaluate<'py>(
    py: Python<'py>,
    db: &Database,
    source: &Bound<'py, PyAny>,
    scorers: Vec<PyRef<'py, Scorer>>,
    name: Option<String>,
    resume: Option<String>,
    concurrency: Option<usize>,
    chunk_items: Option<usize>,
    feedback: bool,
    progress: Option<Py<PyAny>>,
    judge_traces: Option<String>,
) -> PyResult<Bound<'py, PyAny>> {
    let source = source_of(source)?;
    let scorers: Vec<EvalScorer> = scorers.iter().map(|one| one.scorer.clone()).collect();
    let mut options = options(concurrency, chunk_items, progress).feedback(feedback);
    (options.name, options.judge_traces) = (name, judge_traces);
    let run = call::run(py, db.handle()?, move |db| match resume {
        Some(run_id) => db.resume_eval(&run_id, &source, &scorers, &options),
        None => db.evaluate(&source, &scorers, &options),
    })?;
    Ok(pythonize(py, &run)?)
}

fn options(
    concurrency: Option<usize>,
    chunk_items: Option<usize>,
    progress: Option<Py<PyAny>>,
) -> EvalOptions {
    let mut options = EvalOptions::new();
    (options.concurrency, options.chunk_items) = (concurrency, chunk_items);
    if let Some(progress) = progress {
        options = options.progress(Arc::new(move |done, all| {
            // A display that fails is no reason to stop.
            let _ = Python::try_attach(|py| progress.call1(py, (done, all)).map(drop));
        }));
    }
    options
}

#[pyfunction]
fn eval_runs<'py>(py: Python<'py>, db: &Database) -> PyResult<Bound<'py, PyAny>> {
    let runs = call::run(py, db.handle()?, tracehouse::Database::eval_runs)?;
    Ok(pythonize(py, &runs)?)
}

#[pyfunction]
fn eval_report<'py>(py: Python<'py>, db: &Database, run: String) -> PyResult<Bound<'py, PyAny>> {
    let report = call::run(py, db.handle()?, move |db| {
        db.eval_report(&db.eval_run(&run)?.run_id)
    })?;
    Ok(pythonize(py, &report)?)
}

#[pyfunction]
fn compare_evals<'py>(
    py: Python<'py>,
    db: &Database,
    a: String,
    b: String,
) -> PyResult<Bound<'py, PyAny>> {
    let compared = call::run(py, db.handle()?, move |db| {
        db.compare_evals(&db.eval_run(&a)?.run_id, &db.eval_run(&b)?.run_id)
    })?;
    Ok(pythonize(py, &compared)?)
}

/// What items of a run answered, each in its place.
#[pyfunction]
fn eval_outputs(
    py: Python<'_>,
    db: &Database,
    run: String,
    items: Vec<String>,
) -> PyResult<Vec<Option<String>>> {
    call::run(py, db.handle()?, move |db| {
        db.eval_outputs(&db.eval_run(&run)?.run_id, &items)
    })
}

#[pyfunction]
fn compare_groups<'py>(
    py: Python<'py>,
    db: &Database,
    a: String,
    b: String,
) -> PyResult<Bound<'py, PyAny>> {
    let compared = call::run(py, db.handle()?, move |db| {
        db.compare_groups(&Search::new(a), &Search::new(b))
    })?;
    Ok(pythonize(py, &compared)?)
}

#[pyfunction]
fn delete_eval(py: Python<'_>, db: &Database, run: String) -> PyResult<()> {
    call::run(py, db.handle()?, move |db| {
        db.delete_eval(&db.eval_run(&run)?.run_id)
    })
}

#[pyfunction]
fn register_scorer<'py>(
    py: Python<'py>,
    db: &Database,
    scorer: &Scorer,
    filter: String,
    sample_rate: f64,
) -> PyResult<Bound<'py, PyAny>> {
    let scorer = scorer.scorer.clone();
    let registered = call::run(py, db.handle()?, move |db| {
        db.register_scorer(&scorer, &filter, sample_rate)
    })?;
    Ok(pythonize(py, &registered)?)
}

#[pyfunction]
fn registered_scorers<'py>(py: Python<'py>, db: &Database) -> PyResult<Bound<'py, PyAny>> {
    let all = call::run(py, db.handle()?, |db| {
        Ok((db.registered_scorers()?, db.registered_reports()?))
    })?;
    Ok(pythonize(py, &all)?)
}

#[pyfunction]
fn set_scorer_active(py: Python<'_>, db: &Database, name: String, active: bool) -> PyResult<()> {
    call::run(py, db.handle()?, move |db| {
        db.set_scorer_active(&name, active)
    })
}

#[pyfunction]
fn delete_registered_scorer(py: Python<'_>, db: &Database, name: String) -> PyResult<()> {
    call::run(py, db.handle()?, move |db| {
        db.delete_registered_scorer(&name)
    })
}

/// Lets active registered scorers judge what waits; `scorers` has one for each name.
#[pyfunction]
fn run_registered<'py>(
    py: Python<'py>,
    db: &Database,
    scorers: Vec<PyRef<'py, Scorer>>,
    concurrency: Option<usize>,
    progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let scorers: Vec<EvalScorer> = scorers.iter().map(|one| one.scorer.clone()).collect();
    let options = options(concurrency, None, progress);
    let reports = call::run(py, db.handle()?, move |db| {
        db.run_registered(&options, |one| {
            let found = scorers.iter().find(|scorer| scorer.name() == one.name);
            found.cloned().ok_or_else(|| {
                tracehouse::Error::invalid_input(format!(
                    "the registered scorer {:?} is needed to judge",
                    one.name
                ))
            })
        })
    })?;
    Ok(pythonize(py, &reports)?)
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Scorer>()?;
    module.add_function(wrap_pyfunction!(scorers_of, module)?)?;
    module.add_function(wrap_pyfunction!(scorer_from_definition, module)?)?;
    module.add_function(wrap_pyfunction!(judge, module)?)?;
    module.add_function(wrap_pyfunction!(function_scorer, module)?)?;
    module.add_function(wrap_pyfunction!(evaluate, module)?)?;
    module.add_function(wrap_pyfunction!(eval_runs, module)?)?;
    module.add_function(wrap_pyfunction!(eval_report, module)?)?;
    module.add_function(wrap_pyfunction!(compare_evals, module)?)?;
    module.add_function(wrap_pyfunction!(eval_outputs, module)?)?;
    module.add_function(wrap_pyfunction!(compare_groups, module)?)?;
    module.add_function(wrap_pyfunction!(delete_eval, module)?)?;
    module.add_function(wrap_pyfunction!(register_scorer, module)?)?;
    module.add_function(wrap_pyfunction!(registered_scorers, module)?)?;
    module.add_function(wrap_pyfunction!(set_scorer_active, module)?)?;
    module.add_function(wrap_pyfunction!(delete_registered_scorer, module)?)?;
    module.add_function(wrap_pyfunction!(run_registered, module)?)
}
