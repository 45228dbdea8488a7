//! `regexp_extract(text, pattern [, group [, options]])`, as DuckDB has it: what a group of the first match matched, an
//! empty text where nothing did, NULL where text or pattern is.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature,
    Volatility,
};
use regex::{Regex, RegexBuilder};

/// Largest automaton of a pattern, bytes.
const AUTOMATON_BYTES_MAX: usize = 1 << 20;

/// The function.
pub(super) fn function() -> ScalarUDF {
    use DataType::{Int64, Utf8View};
    let arguments = [Utf8View, Utf8View, Int64, Utf8View];
    let forms = (2..=arguments.len())
        .map(|count| TypeSignature::Exact(arguments.iter().take(count).cloned().collect()))
        .collect();
    ScalarUDF::new_from_impl(RegexpExtract {
        signature: Signature::one_of(forms, Volatility::Immutable),
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct RegexpExtract {
    signature: Signature,
}

impl ScalarUDFImpl for RegexpExtract {
    fn name(&self) -> &str {
        "regexp_extract"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_scalar = args
            .args
            .iter()
            .all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if is_scalar { 1 } else { args.number_rows };
        let arrays: Vec<ArrayRef> = args
            .args
            .iter()
            .map(|arg| arg.to_array(rows))
            .collect::<Result<_>>()?;
        let text_of = |index: usize| {
            arrays
                .get(index)
                .map(|array| cast(array, &DataType::Utf8View))
                .transpose()
        };
        let (texts, patterns, options) = (text_of(0)?, text_of(1)?, text_of(3)?);
        let (Some(texts), Some(patterns)) = (texts, patterns) else {
            return exec_err!("regexp_extract takes a text and a pattern");
        };
        let groups = arrays
            .get(2)
            .map(|array| cast(array, &DataType::Int64))
            .transpose()?;
        let (mut found, mut compiled) = (StringBuilder::new(), Compiled::default());
        for (row, (text, pattern)) in texts
            .as_string_view()
            .iter()
            .zip(patterns.as_string_view())
            .enumerate()
        {
            let (Some(text), Some(pattern)) = (text, pattern) else {
                found.append_null();
                continue;
            };
            let options = options
                .as_ref()
                .map(|all| all.as_string_view())
                .map(|all| all.value(row));
            let group = groups.as_ref().map(|all| all.as_primitive::<Int64Type>());
            let group = group.map_or(Some(0), |all| all.is_valid(row).then(|| all.value(row)));
            let captures = compiled
                .regex(pattern, options.unwrap_or_default())?
                .captures(text);
            let group = group.and_then(|group| usize::try_from(group).ok());
            let part = captures
                .as_ref()
                .zip(group)
                .and_then(|(captures, group)| captures.get(group));
            found.append_value(part.map_or("", |part| part.as_str()));
        }
        let found: ArrayRef = Arc::new(found.finish());
        Ok(match is_scalar {
            true => {
                ColumnarValue::Scalar(datafusion::common::ScalarValue::try_from_array(&found, 0)?)
            }
            false => ColumnarValue::Array(found),
        })
    }
}

/// The pattern of the row before, which is mostly that of the row.
#[derive(Default)]
struct Compiled(Option<(String, String, Regex)>);

impl Compiled {
    fn regex(&mut self, pattern: &str, options: &str) -> Result<&Regex> {
        let is_known =
            matches!(&self.0, Some((known, with, _)) if known == pattern && with == options);
        if !is_known {
            let mut builder = RegexBuilder::new(pattern);
            builder.size_limit(AUTOMATON_BYTES_MAX);
            for option in options.chars() {
                match option {
                    'c' => builder.case_insensitive(false),
                    'i' => builder.case_insensitive(true),
                    's' => builder.dot_matches_new_line(true),
                    other => {
                        return exec_err!(
                            "regexp_extract has the options c, i and s, not {other:?}"
                        );
                    }
                };
            }
            match builder.build() {
                Ok(regex) => self.0 = Some((pattern.to_string(), options.to_string(), regex)),
                Err(error) => return exec_err!("regexp_extract: {error}"),
            }
        }
        match &self.0 {
            Some((_, _, regex)) => Ok(regex),
            None => exec_err!("regexp_extract has no pattern"),
        }
    }
}
