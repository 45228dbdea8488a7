//! `like_escape(text, pattern, escape)` and its like: what LIKE, ILIKE, RLIKE and `~` of a statement become (see
//! `rewrite::operators`). They match as the filter language does; an empty escape is none, and regular expressions
//! have none.

use std::hash::{Hash, Hasher};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, AsArray, BooleanArray, StringViewArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use lru::LruCache;
use tracehouse_storage::interrupt;

use crate::predicate::like::{Like, LikeItem, like_items};
use crate::predicate::regexes::RegexSearch;

/// Matches case.
pub(in crate::sql) const LIKE: &str = "like_escape";
/// In any case.
pub(in crate::sql) const ILIKE: &str = "ilike_escape";
/// A regular expression.
pub(in crate::sql) const RLIKE: &str = "regex_search";
/// A regular expression in any case.
pub(in crate::sql) const IRLIKE: &str = "regex_isearch";

/// Compiled patterns that are kept: of statements that run, and of columns of patterns that repeat.
const PATTERNS_MAX: NonZeroUsize = NonZeroUsize::MIN.saturating_add(255);
/// Longest pattern that is kept, in bytes.
const PATTERN_BYTES_MAX: usize = 4_096;

/// The functions.
pub(super) fn functions() -> [ScalarUDF; 4] {
    [LIKE, ILIKE, RLIKE, IRLIKE].map(|name| {
        ScalarUDF::new_from_impl(PatternFunction {
            name,
            signature: Signature::user_defined(Volatility::Immutable),
            patterns: Mutex::new(LruCache::new(PATTERNS_MAX)),
        })
    })
}

/// The text and the pattern's items, of a call with a constant pattern.
pub(in crate::sql) fn constant_pattern(expr: &Expr) -> Option<(&Expr, Vec<LikeItem>)> {
    let Expr::ScalarFunction(call) = expr else {
        return None;
    };
    if !matches!(call.func.name(), LIKE | ILIKE) {
        return None;
    }
    let [text, Expr::Literal(pattern, _), Expr::Literal(escape, _)] = call.args.as_slice() else {
        return None;
    };
    let escape = escape.try_as_str().flatten()?.chars().next();
    Some((
        text,
        like_items(pattern.try_as_str().flatten()?, escape).ok()?,
    ))
}

/// The text and the regular expression, of a call with a constant one.
pub(in crate::sql) fn constant_regex(expr: &Expr) -> Option<(&Expr, String)> {
    let Expr::ScalarFunction(call) = expr else {
        return None;
    };
    let [text, Expr::Literal(pattern, _), _] = call.args.as_slice() else {
        return None;
    };
    let pattern = pattern.try_as_str().flatten()?;
    match call.func.name() {
        RLIKE => Some((text, pattern.to_string())),
        IRLIKE => Some((text, any_case(pattern))),
        _ => None,
    }
}

fn any_case(regex: &str) -> String {
    format!("(?i){regex}")
}

type Key = (String, Option<char>);

/// A compiled pattern.
#[derive(Debug)]
enum Compiled {
    Like(Like),
    Regex(RegexSearch),
}

impl Compiled {
    fn is_match(&self, text: &str) -> bool {
        match self {
            Compiled::Like(like) => like.is_match(text),
            Compiled::Regex(regex) => regex.is_match(text),
        }
    }
}

#[derive(Debug)]
struct PatternFunction {
    name: &'static str,
    signature: Signature,
    patterns: Mutex<LruCache<Key, Arc<Compiled>>>,
}

impl PartialEq for PatternFunction {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for PatternFunction {}

impl Hash for PatternFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl PatternFunction {
    fn operator(&self) -> &'static str {
        match self.name {
            LIKE => "LIKE",
            ILIKE => "ILIKE",
            RLIKE => "~",
            _ => "~*",
        }
    }

    fn compiled(&self, pattern: &str, escape: Option<char>) -> Result<Arc<Compiled>> {
        let key = (pattern.to_string(), escape);
        let kept = || self.patterns.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(like) = kept().get(&key) {
            return Ok(like.clone());
        }
        let compiled = match self.name {
            RLIKE => RegexSearch::new(pattern).map(Compiled::Regex),
            IRLIKE => RegexSearch::new(&any_case(pattern)).map(Compiled::Regex),
            _ => like_items(pattern, escape)
                .map(|items| Compiled::Like(Like::new(&items, self.name == ILIKE))),
        };
        let like = match compiled {
            Ok(compiled) => Arc::new(compiled),
            Err(message) => return exec_err!("{}: {message}", self.operator()),
        };
        if pattern.len() <= PATTERN_BYTES_MAX {
            kept().put(key, like.clone());
        }
        Ok(like)
    }

    fn one(
        &self,
        text: Option<&str>,
        pattern: Option<&str>,
        escape: Option<&str>,
    ) -> Result<Option<bool>> {
        let (Some(text), Some(pattern), Some(escape)) = (text, pattern, escape) else {
            return Ok(None);
        };
        let mut chars = escape.chars();
        match (chars.next(), chars.next()) {
            (escape, None) => Ok(Some(self.compiled(pattern, escape)?.is_match(text))),
            _ => exec_err!("LIKE: the escape is one character or none, and not '{escape}'"),
        }
    }
}

impl ScalarUDFImpl for PatternFunction {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        let is_text = |kind: &DataType| {
            matches!(
                kind,
                DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null
            )
        };
        if arg_types.len() != 3 {
            return plan_err!(
                "{} takes a text, a pattern and an escape character",
                self.name
            );
        }
        let coerced = arg_types.iter().map(|kind| match kind {
            DataType::Dictionary(_, values) if is_text(values) => Ok(kind.clone()),
            kind if is_text(kind) => Ok(DataType::Utf8View),
            kind => plan_err!(
                "{} compares texts, and not {kind}; CAST(.. AS VARCHAR) makes a text",
                self.operator()
            ),
        });
        coerced.collect()
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        match args {
            [text, pattern, escape] => {
                let word = self.operator();
                let escape = match escape {
                    Expr::Literal(value, _) => value.try_as_str().flatten().unwrap_or_default(),
                    _ => "..",
                };
                let escape = if escape.is_empty() {
                    String::new()
                } else {
                    format!(" ESCAPE '{escape}'")
                };
                Ok(format!(
                    "{} {word} {}{escape}",
                    text.schema_name(),
                    pattern.schema_name()
                ))
            }
            _ => plan_err!("{} takes three arguments", self.name),
        }
    }

    /// A pattern without wildcards is an equality, which tells blocks and indexes more.
    fn simplify(&self, args: Vec<Expr>, _info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        let [text, Expr::Literal(pattern, _), Expr::Literal(escape, _)] = args.as_slice() else {
            return Ok(ExprSimplifyResult::Original(args));
        };
        let (Some(Some(pattern)), Some(Some(escape))) = (pattern.try_as_str(), escape.try_as_str())
        else {
            return Ok(ExprSimplifyResult::Original(args));
        };
        let chars = like_items(pattern, escape.chars().next())
            .ok()
            .and_then(|items| {
                let char_of = |item: LikeItem| match item {
                    LikeItem::Char(c) => Some(c),
                    LikeItem::One | LikeItem::Any => None,
                };
                items.into_iter().map(char_of).collect::<Option<String>>()
            });
        Ok(match chars.filter(|_| self.name == LIKE) {
            Some(exact) => {
                let exact = Expr::Literal(ScalarValue::Utf8View(Some(exact)), None);
                ExprSimplifyResult::Simplified(text.clone().eq(exact))
            }
            None => ExprSimplifyResult::Original(args),
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [text, pattern, escape] = args.args.as_slice() else {
            return plan_err!("{} takes three arguments", self.name);
        };
        if let (
            ColumnarValue::Scalar(text),
            ColumnarValue::Scalar(pattern),
            ColumnarValue::Scalar(escape),
        ) = (text, pattern, escape)
        {
            let text_of = |value: &ScalarValue| value.try_as_str().flatten().map(str::to_string);
            let (text, pattern, escape) = (text_of(text), text_of(pattern), text_of(escape));
            let found = self.one(text.as_deref(), pattern.as_deref(), escape.as_deref())?;
            return Ok(ColumnarValue::Scalar(ScalarValue::Boolean(found)));
        }
        let texts = strings(text, args.number_rows)?;
        let found: BooleanArray = match (pattern, escape) {
            (ColumnarValue::Scalar(pattern), ColumnarValue::Scalar(escape)) => {
                let (pattern, escape) = (
                    pattern.try_as_str().flatten(),
                    escape.try_as_str().flatten(),
                );
                // An empty text compiles the pattern, and says what is wrong with it.
                self.one(Some(""), pattern, escape)?;
                let like = match pattern.zip(escape) {
                    Some((pattern, escape)) => Some(self.compiled(pattern, escape.chars().next())?),
                    None => None,
                };
                texts
                    .iter()
                    .map(|text| Some(like.as_ref()?.is_match(text?)))
                    .collect()
            }
            _ => {
                let (patterns, escapes) = (
                    strings(pattern, args.number_rows)?,
                    strings(escape, args.number_rows)?,
                );
                let rows = texts.iter().zip(patterns.iter()).zip(escapes.iter());
                let found = rows.map(|((text, pattern), escape)| {
                    if !interrupt::spend(1) {
                        return Ok(None);
                    }
                    self.one(text, pattern, escape)
                });
                found.collect::<Result<_>>()?
            }
        };
        Ok(ColumnarValue::Array(Arc::new(found)))
    }
}

fn strings(value: &ColumnarValue, rows: usize) -> Result<StringViewArray> {
    let array = value.to_array(rows)?;
    let array = if array.data_type() == &DataType::Utf8View {
        array
    } else {
        cast(&array, &DataType::Utf8View)?
    };
    Ok(array.as_string_view().clone())
}
