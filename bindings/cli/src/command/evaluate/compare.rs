//! `eval compare`: two runs item by item, or the traces of two filters.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use serde::Serialize;
use serde_json::json;
use tracehouse::eval::statistics::{Comparison, GroupNumbers, GroupRates, Interval};
use tracehouse::eval::{EvalComparison, GroupComparison};
use tracehouse::{Database, Search};

use super::show::{TEXT_WIDTH, between, number, percent};
use crate::args::EvalCompareArgs;
use crate::command::write_json;
use crate::context::Context;
use crate::failure::Result;
use crate::output::escape::{line, preview};
use crate::output::table::TextTable;

/// Columns of an output of an item that got worse.
const OUTPUT_WIDTH: usize = 40;

/// Compares runs, or groups.
pub fn run(context: &Context, args: &EvalCompareArgs, out: &mut dyn Write) -> Result<()> {
    let db = context.open_to_read(&args.db)?;
    if let (Some(a), Some(b)) = (&args.where_a, &args.where_b) {
        let compared = db.compare_groups(&Search::new(a), &Search::new(b))?;
        if context.json {
            return write_json(out, &json!(compared));
        }
        return groups(context, &compared, out);
    }
    let id = |run: &Option<String>| db.eval_run(run.as_deref().unwrap_or_default());
    let compared = db.compare_evals(&id(&args.a)?.run_id, &id(&args.b)?.run_id)?;
    let outputs = outputs_of(&db, &compared, args.limit)?;
    if context.json {
        let mut shown = json!(compared);
        if let Some(members) = shown.as_object_mut() {
            members.insert("outputs".into(), json!(outputs));
        }
        return write_json(out, &shown);
    }
    runs(context, &compared, &outputs, args.limit, out)
}

/// What an item answered in either run.
#[derive(Debug, Serialize)]
struct Outputs {
    a: Option<String>,
    b: Option<String>,
}

/// What the first items that got worse answered, by item.
fn outputs_of(
    db: &Database,
    compared: &EvalComparison,
    regressions_max: usize,
) -> Result<BTreeMap<String, Outputs>> {
    let worse = compared.scorers.iter().flat_map(|one| &one.regressions);
    let items: BTreeSet<&String> = worse.take(regressions_max).map(|one| &one.key).collect();
    let items: Vec<&String> = items.into_iter().collect();
    let of_a = db.eval_outputs(&compared.a.run_id, &items)?;
    let of_b = db.eval_outputs(&compared.b.run_id, &items)?;
    let both = of_a.into_iter().zip(of_b);
    let outputs = items.into_iter().zip(both);
    Ok(outputs
        .map(|(item, (a, b))| (item.clone(), Outputs { a, b }))
        .collect())
}

fn runs(
    context: &Context,
    compared: &EvalComparison,
    outputs: &BTreeMap<String, Outputs>,
    regressions_max: usize,
    out: &mut dyn Write,
) -> Result<()> {
    let (a, b) = (line(&compared.a.name), line(&compared.b.name));
    writeln!(
        out,
        "a  {}  {a}\nb  {}  {b}",
        compared.a.run_id, compared.b.run_id
    )?;
    let mut table = TextTable::new([
        "scorer",
        ">pairs",
        ">a",
        ">b",
        ">b - a",
        "95 % interval",
        ">p",
        ">worse",
    ]);
    for one in &compared.scorers {
        table.add_row(scorer_row(one));
    }
    table.write(out, context.style)?;
    for name in &compared.unpaired {
        context.say(
            out,
            format_args!("{} is in one of the runs only", line(name)),
        )?;
    }
    for one in &compared.scorers {
        if let Some(advice) = advice(one) {
            context.say(out, format_args!("{}: {advice}", line(&one.scorer)))?;
        }
    }
    regressions(context, compared, outputs, regressions_max, out)
}

/// Verdicts say more than the numbers that they are, so they come first.
fn scorer_row(one: &Comparison<String>) -> Vec<String> {
    let dash = || String::from("-");
    let mut row = vec![line(&one.scorer), one.pairs.to_string()];
    if let Some(verdicts) = &one.verdicts {
        row.extend([
            verdicts.rate_a.map_or_else(dash, percent),
            verdicts.rate_b.map_or_else(dash, percent),
            verdicts.difference.map_or_else(dash, percent),
            interval(verdicts.interval.as_ref(), percent),
            p_value(verdicts.p_value),
        ]);
    } else if let Some(numbers) = &one.numbers {
        row.extend([
            numbers.mean_a.map_or_else(dash, number),
            numbers.mean_b.map_or_else(dash, number),
            numbers.difference.map_or_else(dash, number),
            interval(numbers.interval.as_ref(), number),
            p_value(numbers.p_value),
        ]);
    } else {
        row.extend(std::iter::repeat_with(dash).take(5));
    }
    row.push(one.regressions.len().to_string());
    row
}

fn advice(one: &Comparison<String>) -> Option<&str> {
    let of_verdicts = one.verdicts.as_ref().map(|verdicts| &verdicts.advice);
    let advice = of_verdicts.or(one.numbers.as_ref().map(|numbers| &numbers.advice))?;
    Some(&advice.sentence)
}

fn regressions(
    context: &Context,
    compared: &EvalComparison,
    outputs: &BTreeMap<String, Outputs>,
    regressions_max: usize,
    out: &mut dyn Write,
) -> Result<()> {
    let all = compared
        .scorers
        .iter()
        .flat_map(|one| one.regressions.iter().map(move |worse| (one, worse)));
    let count = all.clone().count();
    if count == 0 {
        return context.say(out, "nothing got worse");
    }
    writeln!(out)?;
    let mut table = TextTable::new(["worse", "item", ">a", ">b", "output a", "output b"]);
    let shown = |value: Option<f64>| value.map_or_else(|| "-".to_string(), number);
    let said = |text: Option<&String>| {
        text.map_or_else(|| "-".to_string(), |text| preview(text, OUTPUT_WIDTH))
    };
    for (one, worse) in all.take(regressions_max) {
        table.add_row(vec![
            line(&one.scorer),
            preview(&worse.key, TEXT_WIDTH),
            shown(worse.a),
            shown(worse.b),
            said(outputs.get(&worse.key).and_then(|both| both.a.as_ref())),
            said(outputs.get(&worse.key).and_then(|both| both.b.as_ref())),
        ]);
    }
    table.write(out, context.style)?;
    match count.saturating_sub(regressions_max) {
        0 => Ok(()),
        more => context.say(out, format_args!("and {more} more; --limit shows them")),
    }
}

fn groups(context: &Context, compared: &GroupComparison, out: &mut dyn Write) -> Result<()> {
    let mut table = TextTable::new(["", ">a", ">b", ">b - a", "95 % interval", ">p"]);
    let (a, b) = compared.counts;
    let dash = || String::from("-");
    table.add_row(vec![
        "traces".into(),
        a.to_string(),
        b.to_string(),
        dash(),
        dash(),
        dash(),
    ]);
    table.add_row(rate_row("errors", &compared.errors));
    table.add_row(number_row("latency, ms", &in_ms(&compared.duration_ns)));
    for one in &compared.duration_quantiles {
        let ms = |ns: Option<f64>| ns.map_or_else(dash, |ns| number(ns / 1e6));
        let interval = one
            .difference_interval
            .as_ref()
            .map_or_else(dash, |interval| between(interval, |ns| number(ns / 1e6)));
        table.add_row(vec![
            format!("latency p{:.0}, ms", one.quantile * 100.0),
            ms(one.value_a),
            ms(one.value_b),
            ms(one.difference),
            interval,
            dash(),
        ]);
    }
    table.add_row(number_row("tokens", &compared.total_tokens));
    table.add_row(number_row("cost, USD", &compared.cost_usd));
    for (name, numbers) in &compared.numbers {
        table.add_row(number_row(name, numbers));
    }
    for (name, rates) in &compared.verdicts {
        table.add_row(rate_row(name, rates));
    }
    table.write(out, context.style)
}

fn in_ms(ns: &GroupNumbers) -> GroupNumbers {
    let ms = |value: Option<f64>| value.map(|ns| ns / 1e6);
    let mut numbers = ns.clone();
    (numbers.mean_a, numbers.mean_b) = (ms(ns.mean_a), ms(ns.mean_b));
    numbers.difference = ms(ns.difference);
    if let Some(interval) = &mut numbers.interval {
        (interval.low, interval.high) = (interval.low / 1e6, interval.high / 1e6);
    }
    numbers
}

fn number_row(name: &str, numbers: &GroupNumbers) -> Vec<String> {
    let shown = |value: Option<f64>| value.map_or_else(|| "-".to_string(), number);
    vec![
        line(name),
        shown(numbers.mean_a),
        shown(numbers.mean_b),
        shown(numbers.difference),
        interval(numbers.interval.as_ref(), number),
        p_value(numbers.p_value),
    ]
}

fn rate_row(name: &str, rates: &GroupRates) -> Vec<String> {
    let shown = |value: Option<f64>| value.map_or_else(|| "-".to_string(), percent);
    vec![
        line(name),
        shown(rates.rate_a),
        shown(rates.rate_b),
        shown(rates.difference),
        interval(rates.interval.as_ref(), percent),
        p_value(rates.p_value),
    ]
}

fn interval(interval: Option<&Interval>, form: fn(f64) -> String) -> String {
    interval.map_or_else(|| "-".to_string(), |interval| between(interval, form))
}

fn p_value(p: Option<f64>) -> String {
    match p {
        None => "-".to_string(),
        Some(p) if p < 0.001 => "<0.001".to_string(),
        Some(p) => format!("{p:.3}"),
    }
}
