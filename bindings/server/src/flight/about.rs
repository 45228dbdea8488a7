//! What the server says of itself and of its SQL: `GetSqlInfo` and `GetXdbcTypeInfo`.

use std::time::Duration;

use arrow_flight::error::FlightError;
use arrow_flight::sql::metadata::{
    SqlInfoData, SqlInfoDataBuilder, XdbcTypeInfo, XdbcTypeInfoData, XdbcTypeInfoDataBuilder,
};
use arrow_flight::sql::{
    Nullable, Searchable, SqlInfo, SqlNullOrdering, SqlOuterJoinsSupportLevel,
    SqlSupportedCaseSensitivity, SqlSupportedGroupBy, SqlSupportedSubqueries,
    SqlSupportedTransaction, SqlSupportedUnions, SupportedSqlGrammar, XdbcDataType,
    XdbcDatetimeSubcode,
};

/// Longest statement, in bytes, as the guard of SQL has it.
pub(super) const STATEMENT_BYTES_MAX: i64 = 256 * 1024;
/// Most tables in a statement, likewise.
const TABLES_MAX: i64 = 100;
/// Digits of a time: `2026-01-31 12:00:00.000000000`.
const TIME_CHARS: i32 = 29;

/// Several members of an enumeration as bits.
fn bits(members: &[i32]) -> i32 {
    members.iter().fold(0, |bits, member| bits | (1 << member))
}

/// What the server is and can.
///
/// # Errors
/// None that can come with these values; the builder's.
pub(super) fn sql_info(prepared_lifetime: Duration) -> Result<SqlInfoData, FlightError> {
    let mut info = SqlInfoDataBuilder::new();
    let lifetime_ms = i32::try_from(prepared_lifetime.as_millis()).unwrap_or(i32::MAX);
    info.append(SqlInfo::FlightSqlServerName, "Tracehouse");
    info.append(SqlInfo::FlightSqlServerVersion, env!("CARGO_PKG_VERSION"));
    info.append(SqlInfo::FlightSqlServerArrowVersion, arrow::ARROW_VERSION);
    info.append(SqlInfo::FlightSqlServerReadOnly, true);
    info.append(SqlInfo::FlightSqlServerSql, true);
    info.append(SqlInfo::FlightSqlServerSubstrait, false);
    info.append(
        SqlInfo::FlightSqlServerTransaction,
        SqlSupportedTransaction::None as i32,
    );
    info.append(SqlInfo::FlightSqlServerCancel, true);
    info.append(SqlInfo::FlightSqlServerBulkIngestion, false);
    info.append(SqlInfo::FlightSqlServerIngestTransactionsSupported, false);
    info.append(SqlInfo::FlightSqlServerStatementTimeout, lifetime_ms);
    info.append(SqlInfo::FlightSqlServerTransactionTimeout, 0);
    names(&mut info);
    statements(&mut info);
    refused(&mut info);
    info.build()
}

fn names(info: &mut SqlInfoDataBuilder) {
    info.append(
        SqlInfo::SqlIdentifierCase,
        SqlSupportedCaseSensitivity::SqlCaseSensitivityLowercase as i32,
    );
    info.append(SqlInfo::SqlIdentifierQuoteChar, "\"");
    info.append(
        SqlInfo::SqlQuotedIdentifierCase,
        // Kept as they are written, for which there is no better word.
        SqlSupportedCaseSensitivity::SqlCaseSensitivityUnknown as i32,
    );
    info.append(SqlInfo::SqlSearchStringEscape, "\\");
    info.append(SqlInfo::SqlExtraNameCharacters, "");
    info.append(SqlInfo::SqlSchemaTerm, "schema");
    info.append(SqlInfo::SqlProcedureTerm, "");
    info.append(SqlInfo::SqlCatalogTerm, "catalog");
    info.append(SqlInfo::SqlCatalogAtStart, true);
}

fn statements(info: &mut SqlInfoDataBuilder) {
    info.append(SqlInfo::SqlAllTablesAreSelectable, true);
    info.append(
        SqlInfo::SqlNullOrdering,
        SqlNullOrdering::SqlNullsSortedAtEnd as i32,
    );
    info.append(SqlInfo::SqlSupportsColumnAliasing, true);
    info.append(SqlInfo::SqlNullPlusNullIsNull, true);
    info.append(SqlInfo::SqlSupportsTableCorrelationNames, true);
    info.append(SqlInfo::SqlSupportsDifferentTableCorrelationNames, false);
    info.append(SqlInfo::SqlSupportsExpressionsInOrderBy, true);
    info.append(SqlInfo::SqlSupportsOrderByUnrelated, true);
    info.append(
        SqlInfo::SqlSupportedGroupBy,
        bits(&[
            SqlSupportedGroupBy::SqlGroupByUnrelated as i32,
            SqlSupportedGroupBy::SqlGroupByBeyondSelect as i32,
        ]),
    );
    info.append(SqlInfo::SqlSupportsLikeEscapeClause, true);
    info.append(SqlInfo::SqlSupportsNonNullableColumns, true);
    info.append(
        SqlInfo::SqlSupportedGrammar,
        bits(&[SupportedSqlGrammar::SqlMinimumGrammar as i32]),
    );
    info.append(
        SqlInfo::SqlOuterJoinsSupportLevel,
        SqlOuterJoinsSupportLevel::SqlFullOuterJoins as i32,
    );
    info.append(
        SqlInfo::SqlSupportedSubqueries,
        bits(&[
            SqlSupportedSubqueries::SqlSubqueriesInComparisons as i32,
            SqlSupportedSubqueries::SqlSubqueriesInExists as i32,
            SqlSupportedSubqueries::SqlSubqueriesInIns as i32,
            SqlSupportedSubqueries::SqlSubqueriesInQuantifieds as i32,
        ]),
    );
    info.append(SqlInfo::SqlCorrelatedSubqueriesSupported, true);
    info.append(
        SqlInfo::SqlSupportedUnions,
        bits(&[
            SqlSupportedUnions::SqlUnion as i32,
            SqlSupportedUnions::SqlUnionAll as i32,
        ]),
    );
    info.append(SqlInfo::SqlMaxStatementLength, STATEMENT_BYTES_MAX);
    info.append(SqlInfo::SqlMaxTablesInSelect, TABLES_MAX);
}

fn refused(info: &mut SqlInfoDataBuilder) {
    for never in [
        SqlInfo::SqlDdlCatalog,
        SqlInfo::SqlDdlSchema,
        SqlInfo::SqlDdlTable,
        SqlInfo::SqlSupportsIntegrityEnhancementFacility,
        SqlInfo::SqlSelectForUpdateSupported,
        SqlInfo::SqlStoredProceduresSupported,
        SqlInfo::SqlTransactionsSupported,
        SqlInfo::SqlDataDefinitionCausesTransactionCommit,
        SqlInfo::SqlBatchUpdatesSupported,
        SqlInfo::SqlSavepointsSupported,
        SqlInfo::SqlNamedParametersSupported,
    ] {
        // Named parameters in the sense of JDBC are those of stored procedures.
        info.append(never, false);
    }
    for none in [
        SqlInfo::SqlSchemasSupportedActions,
        SqlInfo::SqlCatalogsSupportedActions,
        SqlInfo::SqlSupportedPositionedCommands,
    ] {
        info.append(none, 0);
    }
}

/// The types of columns.
///
/// # Errors
/// None that can come with these values; the builder's.
pub(super) fn types() -> Result<XdbcTypeInfoData, FlightError> {
    let mut types = XdbcTypeInfoDataBuilder::new();
    types.append(of_type("VARCHAR", XdbcDataType::XdbcVarchar, None, true));
    types.append(of_type("BIGINT", XdbcDataType::XdbcBigint, Some(19), false));
    types.append(of_type("DOUBLE", XdbcDataType::XdbcDouble, Some(15), false));
    types.append(of_type("BOOLEAN", XdbcDataType::XdbcBit, Some(1), false));
    types.append(of_type(
        "TIMESTAMP",
        XdbcDataType::XdbcTimestamp,
        Some(TIME_CHARS),
        true,
    ));
    types.append(of_type("DATE", XdbcDataType::XdbcDate, Some(10), true));
    types.build()
}

fn of_type(name: &str, xdbc: XdbcDataType, size: Option<i32>, is_quoted: bool) -> XdbcTypeInfo {
    let quote = is_quoted.then(|| "'".to_string());
    let is_text = xdbc == XdbcDataType::XdbcVarchar;
    let is_number = matches!(xdbc, XdbcDataType::XdbcBigint | XdbcDataType::XdbcDouble);
    let is_time = xdbc == XdbcDataType::XdbcTimestamp;
    XdbcTypeInfo {
        type_name: name.into(),
        data_type: xdbc,
        column_size: size,
        literal_prefix: quote.clone(),
        literal_suffix: quote,
        create_params: None,
        nullable: Nullable::NullabilityNullable,
        case_sensitive: is_text,
        // LIKE is of texts.
        searchable: match is_text {
            true => Searchable::Full,
            false => Searchable::Basic,
        },
        unsigned_attribute: is_number.then_some(false),
        fixed_prec_scale: false,
        auto_increment: is_number.then_some(false),
        local_type_name: Some(name.into()),
        minimum_scale: is_time.then_some(0),
        maximum_scale: is_time.then_some(9),
        sql_data_type: match xdbc {
            XdbcDataType::XdbcTimestamp | XdbcDataType::XdbcDate => XdbcDataType::XdbcDatetime,
            other => other,
        },
        datetime_subcode: is_time.then_some(XdbcDatetimeSubcode::XdbcSubcodeTimestampWithTimezone),
        num_prec_radix: is_number.then_some(10),
        interval_precision: None,
    }
}
