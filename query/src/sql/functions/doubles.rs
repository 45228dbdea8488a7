//! Doubles that JSON cannot write, as `->>` and `json_get_float` show them: `NaN`, `Infinity`, `-Infinity`.
//!
//! Attributes hold them as an object with one key (`{"$double":"NaN"}`), which is what the JSON functions would
//! show, or NULL. A rule puts these functions in the place of those once the JSON functions' own rewrites, which
//! make `json_get_float` of a cast, are done. `->` gives JSON, and there it stays that object. All JSON functions are
//! replaced, for the sake of texts with halves of surrogate pairs (see `surrogates`).

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ExpressionPlacement, LogicalPlan, ReturnFieldArgs,
    ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};
use datafusion::optimizer::AnalyzerRule;
use datafusion_functions_json::udfs::{json_as_text_udf, json_get_str_udf};
use memchr::memmem;
use tracehouse_storage::text::special_double;

use super::surrogates;

/// The functions that show doubles.
const AS_TEXT: &str = "json_as_text";
const AS_FLOAT: &str = "json_get_float";
/// The other functions of a JSON text.
const OTHERS: &[&str] = &[
    "json_get",
    "json_get_str",
    "json_get_int",
    "json_get_bool",
    "json_get_json",
    "json_get_array",
    "json_contains",
    "json_length",
    "json_object_keys",
];
/// What every such object begins with.
const BEGINNING: &[u8] = br#"{"$double":""#;

/// Puts the functions here in the place of the JSON functions.
#[derive(Debug, Default)]
pub(super) struct NamedDoubles;

impl AnalyzerRule for NamedDoubles {
    fn name(&self) -> &str {
        "named_doubles"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        let named = plan.transform_up_with_subqueries(|plan| {
            plan.map_expressions(|expr| expr.transform_up(|expr| Ok(replaced(expr))))
        })?;
        Ok(named.data)
    }
}

fn replaced(expr: Expr) -> Transformed<Expr> {
    match expr {
        Expr::ScalarFunction(ScalarFunction { func, args })
            if (matches!(func.name(), AS_TEXT | AS_FLOAT) || OTHERS.contains(&func.name()))
                && !func.inner().is::<Named>() =>
        {
            let func = Arc::new(ScalarUDF::new_from_impl(Named { inner: func }));
            Transformed::yes(Expr::ScalarFunction(ScalarFunction { func, args }))
        }
        other => Transformed::no(other),
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Named {
    inner: Arc<ScalarUDF>,
}

impl ScalarUDFImpl for Named {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(arg_types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        self.inner.return_field_from_args(args)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }

    fn placement(&self, args: &[ExpressionPlacement]) -> ExpressionPlacement {
        self.inner.placement(args)
    }

    fn invoke_with_args(&self, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if let Some(json) = args.args.first_mut() {
            *json = surrogates::replaced(json.clone())?;
        }
        if OTHERS.contains(&self.inner.name()) || !may_hold(args.args.first()) {
            return self.inner.invoke_with_args(args);
        }
        let is_text = self.inner.name() == AS_TEXT;
        let found = self.inner.invoke_with_args(args.clone())?;
        let texts = text_args(args);
        // A string that only looks like such an object stays.
        let strings = json_get_str_udf().invoke_with_args(texts.clone())?;
        if is_text {
            named_value(found, strings)
        } else {
            let named = named_value(json_as_text_udf().invoke_with_args(texts)?, strings)?;
            with_doubles(found, named)
        }
    }
}

/// Whether some object may be in a JSON argument.
fn may_hold(json: Option<&ColumnarValue>) -> bool {
    let holds = |text: Option<&str>| {
        text.is_some_and(|text| memmem::find(text.as_bytes(), BEGINNING).is_some())
    };
    match json {
        Some(ColumnarValue::Array(array)) => match array.data_type() {
            DataType::Utf8View => array.as_string_view().iter().any(holds),
            DataType::Utf8 => array.as_string::<i32>().iter().any(holds),
            _ => true,
        },
        Some(ColumnarValue::Scalar(scalar)) => scalar.try_as_str().is_none_or(holds),
        None => false,
    }
}

/// The arguments for the function that gives texts.
fn text_args(args: ScalarFunctionArgs) -> ScalarFunctionArgs {
    let text = match args.arg_fields.first().map(|field| field.data_type()) {
        Some(DataType::Dictionary(..)) => {
            DataType::Dictionary(Box::new(DataType::Int64), Box::new(DataType::Utf8))
        }
        _ => DataType::Utf8,
    };
    ScalarFunctionArgs {
        return_field: Arc::new(Field::new(AS_TEXT, text, true)),
        ..args
    }
}

/// The texts with names in the place of objects, where there is no string.
fn named_value(texts: ColumnarValue, strings: ColumnarValue) -> Result<ColumnarValue> {
    let is_scalar = matches!(texts, ColumnarValue::Scalar(_));
    let (texts, strings) = (texts.into_array(1)?, strings.into_array(1)?);
    let plain = cast(&texts, &DataType::Utf8)?;
    let named = plain
        .as_string::<i32>()
        .iter()
        .enumerate()
        .map(|(row, text)| {
            let name = special_double(text?).filter(|_| strings.is_null(row));
            name.or(text)
        });
    let named: ArrayRef = Arc::new(named.collect::<StringArray>());
    let named = cast(&named, texts.data_type())?;
    Ok(match is_scalar {
        true => ColumnarValue::Scalar(ScalarValue::try_from_array(&named, 0)?),
        false => ColumnarValue::Array(named),
    })
}

/// The numbers, and those that texts name where there is none.
fn with_doubles(numbers: ColumnarValue, texts: ColumnarValue) -> Result<ColumnarValue> {
    let is_scalar = matches!(numbers, ColumnarValue::Scalar(_));
    let (numbers, texts) = (numbers.into_array(1)?, texts.into_array(1)?);
    let texts = cast(&texts, &DataType::Utf8)?;
    let Some(found) = numbers.as_primitive_opt::<Float64Type>() else {
        return Ok(ColumnarValue::Array(numbers));
    };
    let doubles = found
        .iter()
        .zip(texts.as_string::<i32>())
        .map(|(number, text)| {
            number.or_else(|| match text? {
                "NaN" => Some(f64::NAN),
                "Infinity" => Some(f64::INFINITY),
                "-Infinity" => Some(f64::NEG_INFINITY),
                _ => None,
            })
        });
    let doubles: ArrayRef = Arc::new(doubles.collect::<Float64Array>());
    Ok(match is_scalar {
        true => ColumnarValue::Scalar(ScalarValue::try_from_array(&doubles, 0)?),
        false => ColumnarValue::Array(doubles),
    })
}
