//! Calls that other databases have, as what means the same.
//!
//! ```text
//! count_if(c)                              -> sum(CAST(CAST(c AS BOOLEAN) AS BIGINT))
//! json_extract(j, '$.a')                   -> j -> '$.a'
//! json_extract_string(j, 'a')              -> j ->> 'a'
//! regexp_matches(t, p)                     -> regexp_like(t, p)
//! strftime(t, '%H:%M')                     -> to_char(CAST(t AS TIMESTAMP), '%H:%M')
//! time_bucket(INTERVAL '1 hour', t)        -> date_bin(INTERVAL '1 hour', t, CAST('2000-01-03' AS TIMESTAMP))
//! time_bucket(width, t, INTERVAL '6 hours') -> date_bin(width, t, CAST('2000-01-03' AS TIMESTAMP) + INTERVAL '6 hours')
//! ```
//! Each says what DuckDB's says, where DuckDB has it; differences are in `SQL.md`. No argument is put in twice.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArguments, Ident, ObjectName, TimezoneInfo, Value,
};

use super::argument;
use crate::error::{ECHO_CHARS_MAX, QueryError, Result, shorten};

/// Where buckets begin: weeks on Mondays, months and what is made of them with a year.
const ORIGIN: &str = "2000-01-03";
const ORIGIN_OF_MONTHS: &str = "2000-01-01";

/// Parts of an interval that are made of months.
const MONTHS: [&str; 6] = ["mon", "quarter", "year", "decade", "centur", "millen"];

/// The functions of other databases that are put into others here, each with its usage; no registry has them.
pub(crate) const CALLS: &[(&str, &str)] = &[
    ("count_if", "count_if(condition)"),
    ("countif", "countif(condition)"),
    ("regexp_matches", "regexp_matches(text, 'pattern')"),
    ("json_extract", "json_extract(json, '$.path')"),
    ("json_extract_path", "json_extract_path(json, '$.path')"),
    ("json_extract_string", "json_extract_string(json, '$.path')"),
    (
        "json_extract_path_text",
        "json_extract_path_text(json, '$.path')",
    ),
    ("strftime", "strftime(time, 'format')"),
    ("time_bucket", "time_bucket(INTERVAL 'width', time)"),
];

/// Rewrites a call in place; its arguments are done.
///
/// # Errors
/// `InvalidInput` for arguments that the function does not take.
pub(super) fn rewrite(expr: &mut Expr) -> Result<()> {
    let Expr::Function(function) = expr else {
        return Ok(());
    };
    let name = function.name.to_string().to_lowercase();
    match name.as_str() {
        "count_if" | "countif" => count_if(function),
        "regexp_matches" => {
            rename(function, "regexp_like");
            Ok(())
        }
        "json_extract" | "json_extract_path" => arrow(expr, &name, BinaryOperator::Arrow),
        "json_extract_string" | "json_extract_path_text" => {
            arrow(expr, &name, BinaryOperator::LongArrow)
        }
        "strftime" => strftime(function),
        "time_bucket" => time_bucket(function),
        _ => Ok(()),
    }
}

fn rename(function: &mut Function, name: &str) {
    function.name = ObjectName::from(vec![Ident::new(name)]);
}

/// The arguments, which are expressions without names.
fn arguments<'a>(function: &'a mut Function, usage: &str) -> Result<Vec<&'a mut Expr>> {
    let wrong = || QueryError::invalid_input(format!("{usage} expected"));
    let FunctionArguments::List(list) = &mut function.args else {
        return Err(wrong());
    };
    let each = list.args.iter_mut().map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Ok(expr),
        _ => Err(wrong()),
    });
    each.collect()
}

/// The expression, leaving NULL behind.
fn take(expr: &mut Expr) -> Expr {
    std::mem::replace(expr, Expr::Value(Value::Null.into()))
}

fn text(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

fn count_if(function: &mut Function) -> Result<()> {
    let usage = "count_if(condition)";
    match arguments(function, usage)?.as_mut_slice() {
        [condition] => {
            let truth = cast(take(condition), DataType::Boolean);
            **condition = cast(truth, DataType::BigInt(None));
        }
        _ => return Err(QueryError::invalid_input(format!("{usage} expected"))),
    }
    rename(function, "sum");
    Ok(())
}

fn arrow(expr: &mut Expr, name: &str, op: BinaryOperator) -> Result<()> {
    let Expr::Function(function) = expr else {
        return Ok(());
    };
    let usage = format!("{name}(json, '$.path')");
    let (json, path) = match arguments(function, &usage)?.as_mut_slice() {
        [json, path] => (take(json), take(path)),
        _ => return Err(QueryError::invalid_input(format!("{usage} expected"))),
    };
    let inner = Expr::BinaryOp {
        left: Box::new(nested(json)),
        op,
        right: Box::new(nested(path)),
    };
    *expr = nested(inner);
    Ok(())
}

/// An operand, in parentheses where it is none by itself.
fn nested(expr: Expr) -> Expr {
    match expr {
        Expr::Value(_) | Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Function(_) => {
            expr
        }
        other => Expr::Nested(Box::new(other)),
    }
}

fn cast(expr: Expr, data_type: DataType) -> Expr {
    Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(expr),
        data_type,
        array: false,
        format: None,
    }
}

fn timestamp(expr: Expr) -> Expr {
    cast(expr, DataType::Timestamp(None, TimezoneInfo::None))
}

fn strftime(function: &mut Function) -> Result<()> {
    let usage = "strftime(time, 'format')";
    let wrong =
        || QueryError::invalid_input(format!("{usage} expected, the format written as a text"));
    let mut taken = arguments(function, usage)?
        .into_iter()
        .map(take)
        .collect::<Vec<_>>();
    let [time, format] = taken.as_mut_slice() else {
        return Err(wrong());
    };
    // Both orders are DuckDB's.
    if text(format).is_none() {
        std::mem::swap(time, format);
    }
    let format = chrono_format(text(format).ok_or_else(wrong)?)?;
    let format = Expr::Value(Value::SingleQuotedString(format).into());
    if let FunctionArguments::List(list) = &mut function.args {
        list.args = vec![argument(timestamp(take(time))), argument(format)];
    }
    rename(function, "to_char");
    Ok(())
}

/// A format of DuckDB as one of `to_char`. Times are in UTC.
fn chrono_format(format: &str) -> Result<String> {
    let mut made = String::with_capacity(format.len());
    let mut chars = format.chars();
    while let Some(char) = chars.next() {
        if char != '%' {
            made.push(char);
            continue;
        }
        let unpadded = chars.as_str().starts_with('-');
        let spec = if unpadded { chars.nth(1) } else { chars.next() };
        match (spec, unpadded) {
            (Some('f'), false) => made.push_str("%6f"),
            (Some('g'), false) => made.push_str("%3f"),
            (Some('n'), false) => made.push_str("%9f"),
            (Some('c'), false) => made.push_str("%Y-%m-%d %H:%M:%S"),
            (Some('x'), false) => made.push_str("%Y-%m-%d"),
            (Some('X'), false) => made.push_str("%H:%M:%S"),
            (Some('z'), false) => made.push_str("+00"),
            (Some('Z'), false) => made.push_str("UTC"),
            (Some(spec), false) if "aAbBdGHIjmMpSuUVwWyY%".contains(spec) => {
                made.extend(['%', spec])
            }
            (Some(spec), true) if "dHIjmMSy".contains(spec) => made.extend(['%', '-', spec]),
            (spec, _) => {
                let dash = if unpadded { "-" } else { "" };
                return Err(QueryError::invalid_input(format!(
                    "strftime: %{dash}{} is no part of a format ('{}')",
                    spec.map_or(String::new(), String::from),
                    shorten(format, ECHO_CHARS_MAX)
                )));
            }
        }
    }
    Ok(made)
}

fn time_bucket(function: &mut Function) -> Result<()> {
    let usage = "time_bucket(INTERVAL '1 hour', time [, origin])";
    let wrong =
        || QueryError::invalid_input(format!("{usage} expected, the interval written as such"));
    let taken = arguments(function, usage)?
        .into_iter()
        .map(take)
        .collect::<Vec<_>>();
    let mut taken = taken.into_iter();
    let (Some(width), Some(time), origin, None) =
        (taken.next(), taken.next(), taken.next(), taken.next())
    else {
        return Err(wrong());
    };
    let Expr::Interval(interval) = &width else {
        return Err(wrong());
    };
    let written = interval.to_string().to_lowercase();
    let is_of_months = MONTHS.iter().any(|part| written.contains(part));
    let begin = if is_of_months {
        ORIGIN_OF_MONTHS
    } else {
        ORIGIN
    };
    let begin = timestamp(Expr::Value(
        Value::SingleQuotedString(begin.to_string()).into(),
    ));
    let origin = match origin {
        None => begin,
        Some(offset @ Expr::Interval(_)) => Expr::BinaryOp {
            left: Box::new(begin),
            op: BinaryOperator::Plus,
            right: Box::new(offset),
        },
        Some(origin) => timestamp(origin),
    };
    if let FunctionArguments::List(list) = &mut function.args {
        list.args = vec![argument(width), argument(time), argument(origin)];
    }
    rename(function, "date_bin");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_those_of_duckdb() {
        let format = chrono_format("%c|%x %X %f %g %n %z %Z %-d %%").unwrap();
        assert_eq!(
            format,
            "%Y-%m-%d %H:%M:%S|%Y-%m-%d %H:%M:%S %6f %3f %9f +00 UTC %-d %%"
        );
        for wrong in ["%q", "%", "%-", "%-A", "%3f"] {
            assert!(chrono_format(wrong).is_err(), "{wrong}");
        }
    }
}
