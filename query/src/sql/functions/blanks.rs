//! `date_trunc` that is not shown what lies in the places of NULLs.
//!
//! DataFusion's reckons with every place of an array, those of NULLs included, and some of its aggregates leave the
//! least or greatest number there: with overflow checks that is a panic. Unneeded once the golden script `values`
//! passes without it in a development build.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::compute::kernels::zip::zip;
use arrow::compute::{is_null, nullif};
use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

/// `function` itself, or behind blanks if it is `date_trunc`.
pub(super) fn blanked(function: Arc<ScalarUDF>) -> Arc<ScalarUDF> {
    match function.name() {
        "date_trunc" => Arc::new(ScalarUDF::new_from_impl(Blanked { inner: function })),
        _ => function,
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Blanked {
    inner: Arc<ScalarUDF>,
}

impl ScalarUDFImpl for Blanked {
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

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        self.inner.output_ordering(inputs)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }

    fn invoke_with_args(&self, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        for value in &mut args.args {
            if let ColumnarValue::Array(array) = value
                && array.null_count() > 0
                && matches!(array.data_type(), DataType::Timestamp(..))
            {
                *array = with_zeros(array)?;
            }
        }
        self.inner.invoke_with_args(args)
    }
}

/// The same values and NULLs, with zeros in the places of the latter.
fn with_zeros(array: &ArrayRef) -> Result<ArrayRef> {
    let nulls = is_null(array)?;
    let zero = ScalarValue::new_zero(array.data_type())?.to_scalar()?;
    Ok(nullif(&zip(&nulls, &zero, array)?, &nulls)?)
}
