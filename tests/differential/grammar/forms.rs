//! The forms of expressions whose parts have fixed types: result, parts, and the spelling in each dialect.

use crate::differential::tree::{Binding, Type};

use Type::{Bool, Float, Int, Text, Time};

/// An operator or a function.
pub struct Form {
    pub of: Type,
    pub args: &'static [Type],
    pub ours: &'static str,
    pub duckdb: &'static str,
    pub sqlite: Option<&'static str>,
    /// `Closed` for calls; operators may also be written without parentheses.
    pub binding: Binding,
}

const fn form(
    of: Type,
    args: &'static [Type],
    ours: &'static str,
    duckdb: &'static str,
    sqlite: Option<&'static str>,
) -> Form {
    Form {
        of,
        args,
        ours,
        duckdb,
        sqlite,
        binding: Binding::Closed,
    }
}

/// A call that all spell alike.
const fn call(of: Type, args: &'static [Type], text: &'static str) -> Form {
    form(of, args, text, text, Some(text))
}

/// A call that SQLite does not know.
const fn both(of: Type, args: &'static [Type], text: &'static str) -> Form {
    form(of, args, text, text, None)
}

/// A call that we and DuckDB spell in different ways and SQLite does not know.
const fn two(of: Type, args: &'static [Type], ours: &'static str, duckdb: &'static str) -> Form {
    form(of, args, ours, duckdb, None)
}

/// An operator whose place among the others all agree on.
const fn agreed(of: Type, args: &'static [Type], text: &'static str) -> Form {
    Form {
        of,
        args,
        ours: text,
        duckdb: text,
        sqlite: Some(text),
        binding: Binding::Agreed,
    }
}

/// An operator of those that SQLite reads in an order of its own.
const fn disputed(of: Type, args: &'static [Type], text: &'static str) -> Form {
    Form {
        of,
        args,
        ours: text,
        duckdb: text,
        sqlite: Some(text),
        binding: Binding::Disputed,
    }
}

pub const FORMS: &[Form] = &[
    // Whole numbers.
    agreed(Int, &[Int, Int], "{0} + {1}"),
    agreed(Int, &[Int, Int], "{0} - {1}"),
    agreed(Int, &[Int, Int], "{0} * {1}"),
    call(Int, &[Int], "(- {0})"),
    call(Int, &[Int, Int], "({0} % NULLIF({1}, 0))"),
    form(Int, &[Int], "({0} / 7)", "({0} // 7)", Some("({0} / 7)")),
    call(Int, &[Int], "abs({0})"),
    call(Int, &[Text], "length({0})"),
    form(
        Int,
        &[Text],
        "character_length({0})",
        "char_length({0})",
        Some("length({0})"),
    ),
    form(
        Int,
        &[Text],
        "octet_length({0})",
        "strlen({0})",
        Some("length(CAST({0} AS BLOB))"),
    ),
    form(
        Int,
        &[Text, Text],
        "strpos({0}, {1})",
        "strpos({0}, {1})",
        Some("instr({0}, {1})"),
    ),
    two(
        Int,
        &[Text, Text],
        "position({0} IN {1})",
        "position({0} IN {1})",
    ),
    both(Int, &[Text, Text], "levenshtein({0}, {1})"),
    call(Int, &[Bool], "CAST({0} AS BIGINT)"),
    // DuckDB takes exponents in whole numbers.
    both(
        Int,
        &[Text],
        "TRY_CAST(replace(lower({0}), 'e', 'x') AS BIGINT)",
    ),
    call(Int, &[Float], "CAST(floor({0}) AS BIGINT)"),
    both(Int, &[Text], "ascii({0})"),
    call(Int, &[Int, Int], "({0} & {1})"),
    call(Int, &[Int, Int], "({0} | {1})"),
    both(Int, &[Int, Int], "greatest({0}, {1})"),
    both(Int, &[Int, Int], "least({0}, {1})"),
    two(
        Int,
        &[Float],
        "CAST(signum({0}) AS BIGINT)",
        "CAST(sign({0}) AS BIGINT)",
    ),
    both(Int, &[Int, Int], "gcd({0}, {1})"),
    form(
        Int,
        &[Time],
        "CAST(date_part('year', {0}) AS BIGINT)",
        "CAST(date_part('year', {0}) AS BIGINT)",
        Some("CAST(strftime('%Y', {0} / 1000000000, 'unixepoch') AS INTEGER)"),
    ),
    form(
        Int,
        &[Time],
        "CAST(EXTRACT(HOUR FROM {0}) AS BIGINT)",
        "CAST(EXTRACT(HOUR FROM {0}) AS BIGINT)",
        Some("CAST(strftime('%H', {0} / 1000000000, 'unixepoch') AS INTEGER)"),
    ),
    form(
        Int,
        &[Time],
        "CAST(date_part('doy', {0}) AS BIGINT)",
        "CAST(date_part('doy', {0}) AS BIGINT)",
        Some("CAST(strftime('%j', {0} / 1000000000, 'unixepoch') AS INTEGER)"),
    ),
    form(
        Int,
        &[Time],
        "CAST(date_part('dow', {0}) AS BIGINT)",
        "CAST(date_part('dow', {0}) AS BIGINT)",
        Some("CAST(strftime('%w', {0} / 1000000000, 'unixepoch') AS INTEGER)"),
    ),
    two(
        Int,
        &[Time],
        "CAST(date_part('week', {0}) AS BIGINT)",
        "CAST(date_part('week', {0}) AS BIGINT)",
    ),
    two(
        Int,
        &[Time],
        "CAST(date_part('quarter', {0}) AS BIGINT)",
        "CAST(date_part('quarter', {0}) AS BIGINT)",
    ),
    // Numbers with a fraction.
    agreed(Float, &[Float, Float], "{0} + {1}"),
    agreed(Float, &[Float, Float], "{0} - {1}"),
    agreed(Float, &[Float, Float], "{0} * {1}"),
    agreed(Float, &[Float, Int], "{0} + {1}"),
    call(Float, &[Float, Float], "({0} / NULLIF({1}, 0.0e0))"),
    form(
        Float,
        &[Int, Int],
        "(CAST({0} AS DOUBLE) / NULLIF({1}, 0))",
        "(({0}) / NULLIF({1}, 0))",
        Some("(CAST({0} AS DOUBLE) / NULLIF({1}, 0))"),
    ),
    call(Float, &[Int], "CAST({0} AS DOUBLE)"),
    call(Float, &[Float], "abs({0})"),
    call(Float, &[Float], "round({0})"),
    both(Float, &[Float], "round({0}, 1)"),
    both(Float, &[Float], "floor({0})"),
    both(Float, &[Float], "ceil({0})"),
    both(Float, &[Float], "trunc({0})"),
    both(Float, &[Float], "sqrt(abs({0}))"),
    both(Float, &[Float], "exp(least({0}, 20.0e0))"),
    both(Float, &[Float], "ln(abs({0}) + 1.0e0)"),
    both(Float, &[Float], "power({0}, 2.0e0)"),
    two(Float, &[Float], "(({0}) ^ 2)", "pow({0}, 2)"),
    both(Float, &[Float, Float], "greatest({0}, {1})"),
    both(Float, &[Text], "TRY_CAST({0} AS DOUBLE)"),
    two(
        Float,
        &[Time],
        "date_part('epoch', {0})",
        "date_part('epoch', {0})",
    ),
    // Text.
    disputed(Text, &[Text, Text], "{0} || {1}"),
    call(Text, &[Text], "lower({0})"),
    both(Text, &[Text], "upper({0})"),
    call(Text, &[Text], "substr({0}, 2)"),
    call(Text, &[Text], "substr({0}, 1, 3)"),
    both(Text, &[Text], "substring({0} FROM 2 FOR 2)"),
    both(Text, &[Text], "left({0}, 2)"),
    both(Text, &[Text], "right({0}, 2)"),
    both(Text, &[Text], "left({0}, -1)"),
    call(Text, &[Text], "trim({0})"),
    call(Text, &[Text], "ltrim({0})"),
    call(Text, &[Text], "rtrim({0})"),
    form(
        Text,
        &[Text],
        "trim(BOTH 'a' FROM {0})",
        "trim({0}, 'a')",
        Some("trim({0}, 'a')"),
    ),
    call(Text, &[Text, Text], "replace({0}, {1}, '<>')"),
    call(Text, &[Text], "replace({0}, 'a', '')"),
    both(Text, &[Text, Text], "concat({0}, '/', {1})"),
    both(Text, &[Text, Text], "concat_ws('-', {0}, {1})"),
    both(Text, &[Text], "repeat({0}, 2)"),
    both(Text, &[Text], "reverse({0})"),
    both(Text, &[Text], "lpad({0}, 4, '*')"),
    both(Text, &[Text], "rpad({0}, 4, '*')"),
    both(Text, &[Text], "split_part({0}, 'a', 2)"),
    both(Text, &[Text], "translate({0}, 'ab', 'x')"),
    both(Text, &[Text], "regexp_replace({0}, '[a-c]+', '#')"),
    both(Text, &[Text], "regexp_extract({0}, '[a-z]+')"),
    both(Text, &[Text], "regexp_extract({0}, '(.)(a)?', 2)"),
    both(Text, &[Time], "strftime({0}, '%a %-d %B %H:%M:%S.%f')"),
    both(Text, &[Text], "regexp_replace({0}, '(.)a', '[\\1]', 'g')"),
    both(Text, &[Text, Text], "greatest({0}, {1})"),
    call(Text, &[Int], "CAST({0} AS VARCHAR)"),
    both(Text, &[Int], "({0})::VARCHAR"),
    two(
        Text,
        &[Text, Text],
        "(make_array({0}, {1}))[2]",
        "([{0}, {1}])[2]",
    ),
    both(Text, &[Bool], "CAST({0} AS VARCHAR)"),
    two(
        Text,
        &[Int],
        "to_hex(abs({0} % 1000))",
        "lower(to_hex(abs({0} % 1000)))",
    ),
    both(Text, &[Int], "chr(65 + CAST(abs({0} % 26) AS INTEGER))"),
    form(
        Text,
        &[Time],
        "to_char({0}, '%Y-%m-%d %H:%M:%S')",
        "strftime({0}, '%Y-%m-%d %H:%M:%S')",
        Some("strftime('%Y-%m-%d %H:%M:%S', {0} / 1000000000, 'unixepoch')"),
    ),
    form(
        Text,
        &[Time],
        "CAST(CAST({0} AS DATE) AS VARCHAR)",
        "CAST(CAST({0} AS DATE) AS VARCHAR)",
        Some("date({0} / 1000000000, 'unixepoch')"),
    ),
    // Truth.
    agreed(Bool, &[Bool, Bool], "{0} AND {1}"),
    agreed(Bool, &[Bool, Bool], "{0} OR {1}"),
    agreed(Bool, &[Bool], "NOT {0}"),
    disputed(Bool, &[Bool], "{0} IS TRUE"),
    disputed(Bool, &[Bool], "{0} IS NOT TRUE"),
    disputed(Bool, &[Bool], "{0} IS FALSE"),
    disputed(Bool, &[Bool], "{0} IS NOT FALSE"),
    form(
        Bool,
        &[Bool],
        "({0} IS UNKNOWN)",
        "({0} IS UNKNOWN)",
        Some("({0} IS NULL)"),
    ),
    both(Bool, &[Text, Text], "starts_with({0}, {1})"),
    both(Bool, &[Text, Text], "ends_with({0}, {1})"),
    both(Bool, &[Text, Text], "contains({0}, {1})"),
    two(
        Bool,
        &[Text],
        "regexp_like({0}, '^[A-Za-z]+$')",
        "regexp_matches({0}, '^[A-Za-z]+$')",
    ),
    two(Bool, &[Text], "({0} ~ 'a.b')", "regexp_matches({0}, 'a.b')"),
    two(
        Bool,
        &[Text],
        "({0} !~* 'SEARCH')",
        "(NOT regexp_matches({0}, 'SEARCH', 'i'))",
    ),
    two(Bool, &[Int], "({0} <> 0)", "CAST({0} AS BOOLEAN)"),
    call(Bool, &[Text, Text, Text, Text], "(({0}, {1}) = ({2}, {3}))"),
    call(Bool, &[Int, Text, Int, Text], "(({0}, {1}) < ({2}, {3}))"),
    both(Bool, &[Time, Time], "(({0} - {1}) > INTERVAL '1 second')"),
    both(Bool, &[Text], "({0} SIMILAR TO '[a-z]+')"),
    form(
        Bool,
        &[Time],
        "({0} >= '2025-03-01T05:00:00Z')",
        "({0} >= '2025-03-01T05:00:00Z')",
        Some("({0} >= 1740805200000000000)"),
    ),
    form(
        Bool,
        &[Time],
        "({0} < DATE '2025-03-02')",
        "({0} < DATE '2025-03-02')",
        Some("({0} < 1740873600000000000)"),
    ),
    form(
        Bool,
        &[Int],
        "({0} = '7')",
        "({0} = '7')",
        Some("({0} = 7)"),
    ),
    // Times.
    form(
        Time,
        &[Time],
        "date_trunc('hour', {0})",
        "date_trunc('hour', {0})",
        Some("({0} - (({0} % 3600000000000) + 3600000000000) % 3600000000000)"),
    ),
    form(
        Time,
        &[Time],
        "date_trunc('day', {0})",
        "date_trunc('day', {0})",
        Some("({0} - (({0} % 86400000000000) + 86400000000000) % 86400000000000)"),
    ),
    both(Time, &[Time], "date_trunc('month', {0})"),
    both(Time, &[Time], "time_bucket(INTERVAL '2 weeks', {0})"),
    both(Time, &[Time], "time_bucket(INTERVAL '5 months', {0})"),
    both(
        Time,
        &[Time],
        "time_bucket(INTERVAL '7 hours', {0}, INTERVAL '90 minutes')",
    ),
    both(Time, &[Time], "date_trunc('week', {0})"),
    form(
        Time,
        &[Time],
        "date_trunc('second', {0} + INTERVAL '90 minutes')",
        "date_trunc('second', {0} + INTERVAL '90 minutes')",
        Some("({0} + 5400000000000 - (({0} % 1000000000) + 1000000000) % 1000000000)"),
    ),
    form(
        Time,
        &[Time],
        "date_trunc('second', {0} - INTERVAL '1 day')",
        "date_trunc('second', {0} - INTERVAL '1 day')",
        Some("({0} - 86400000000000 - (({0} % 1000000000) + 1000000000) % 1000000000)"),
    ),
    both(
        Time,
        &[Time],
        "date_trunc('second', {0} + INTERVAL '1 month')",
    ),
    both(Time, &[Time, Time], "greatest({0}, {1})"),
];
