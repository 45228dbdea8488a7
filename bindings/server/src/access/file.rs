//! The token file: `NAME ROLE[,ROLE...] sha256:HEX [EXPERIMENT,...] [rate=N/s]` a line; `#` begins a comment.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use super::caller::{Caller, Role};
use super::token::{Entry, Sum};
use crate::error::ServeError;

/// What the sum of a token begins with.
pub(super) const SUM_PREFIX: &str = "sha256:";
const RATE_PREFIX: &str = "rate=";
/// Longest token file: all lines are compared with each request.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Reads a token file. Tokens whose line has no rate get `rate`.
///
/// # Errors
/// When it cannot be read, and when a line is wrong: its number, what is wrong, and what would be right. Sums are not
/// repeated: somebody may have put a token there.
pub(super) fn read(path: &Path, rate: Option<u32>) -> Result<Vec<Entry>, ServeError> {
    let wrong = |why: &dyn std::fmt::Display| {
        ServeError::new(format!("token file {}: {why}", path.display()))
    };
    let length = std::fs::metadata(path)
        .map_err(|error| wrong(&error))?
        .len();
    if length > FILE_BYTES_MAX {
        return Err(wrong(&format!(
            "it has {length} bytes, and may have {FILE_BYTES_MAX}"
        )));
    }
    let text = std::fs::read_to_string(path).map_err(|error| wrong(&error))?;
    parse(&text, rate).map_err(|why| wrong(&why))
}

/// The lines of a token file.
///
/// # Errors
/// What is wrong with the first wrong line.
pub(super) fn parse(text: &str, rate: Option<u32>) -> Result<Vec<Entry>, String> {
    let mut entries: Vec<Entry> = Vec::new();
    let (mut names, mut sums) = (HashSet::new(), HashSet::new());
    for (number, line) in (1..).zip(text.lines()) {
        let entry = parse_line(line, rate).map_err(|why| format!("line {number}: {why}"))?;
        let Some(entry) = entry else { continue };
        if !names.insert(entry.caller.name.clone()) {
            let name = &entry.caller.name;
            return Err(format!("line {number}: the name {name:?} is there twice"));
        }
        if !sums.insert(entry.sum) {
            return Err(format!(
                "line {number}: the token is there twice, under two names"
            ));
        }
        entries.push(entry);
    }
    match entries.is_empty() {
        true => {
            Err("it has no token: a line is NAME ROLE[,ROLE...] sha256:HEX [EXPERIMENT,...]".into())
        }
        false => Ok(entries),
    }
}

fn parse_line(line: &str, rate: Option<u32>) -> Result<Option<Entry>, String> {
    let mut fields = line
        .split_whitespace()
        .take_while(|field| !field.starts_with('#'));
    let Some(name) = fields.next() else {
        return Ok(None);
    };
    let roles = fields
        .next()
        .ok_or("after the name, roles are expected: ingest, read, write, admin")?;
    let roles = roles
        .split(',')
        .map(parse_role)
        .collect::<Result<Vec<_>, _>>()?;
    let sum = fields.next().and_then(parse_sum).ok_or(
        "after the roles, sha256: and the 64 hexadecimal digits of the token's sum are expected",
    )?;
    let (mut experiments, mut own_rate) = (None, None);
    for field in fields {
        match field.strip_prefix(RATE_PREFIX) {
            Some(told) if own_rate.is_none() => own_rate = Some(parse_rate(told)?),
            None if experiments.is_none() && own_rate.is_none() => {
                experiments = Some(parse_experiments(field)?);
            }
            _ => {
                return Err(format!(
                    "{field:?} is too much: after the sum, EXPERIMENT,... and rate=N/s may stand"
                ));
            }
        }
    }
    let caller = Caller::new(name, roles, experiments, own_rate.or(rate));
    Ok(Some(Entry {
        sum,
        caller: Arc::new(caller),
    }))
}

fn parse_role(word: &str) -> Result<Role, String> {
    Role::ALL
        .into_iter()
        .find(|role| role.as_str() == word)
        .ok_or_else(|| format!("{word:?} is no role: ingest, read, write or admin expected"))
}

fn parse_sum(field: &str) -> Option<Sum> {
    let digits = field.strip_prefix(SUM_PREFIX)?;
    let mut sum = Sum::default();
    if digits.len() != 2 * sum.len() || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for (at, byte) in sum.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(sum)
}

fn parse_experiments(field: &str) -> Result<Vec<String>, String> {
    let ids: Vec<String> = field.split(',').map(str::to_string).collect();
    match ids.iter().any(String::is_empty) {
        true => Err(format!("{field:?} has an experiment without a name")),
        false => Ok(ids),
    }
}

fn parse_rate(told: &str) -> Result<u32, String> {
    let number = told
        .strip_suffix("/s")
        .and_then(|number| number.parse().ok());
    number.filter(|rate| *rate > 0).ok_or_else(|| {
        format!("rate={told} is none: rate=N/s expected, N requests a second, 1 or more")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUM: &str = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    #[test]
    fn lines_comments_and_line_ends_are_read() {
        let text = format!(
            "# tokens of the shop\r\n\n  app ingest,read {SUM} 7,8 rate=20/s # of the app\r\n"
        );
        let entries = parse(&text, Some(5)).unwrap();
        let caller = &entries.first().unwrap().caller;
        assert_eq!(caller.name, "app");
        assert_eq!(caller.experiments().unwrap(), ["7", "8"]);
        assert!(caller.check_role(Role::Ingest).is_ok());
        assert!(caller.check_role(Role::Write).is_err());
    }

    #[test]
    fn a_wrong_line_is_named_with_what_is_wrong() {
        let told = |text: &str| parse(text, None).err().unwrap();
        assert!(told("").contains("no token"));
        assert!(told("# nothing\n").contains("no token"));
        assert!(told(&format!("a read {SUM}\nb")).contains("line 2: after the name"));
        assert!(told(&format!("a reader {SUM}")).contains("\"reader\" is no role"));
        assert!(told(&format!("a read, {SUM}")).contains("is no role"));
        let secret = told("a read th_secret");
        assert!(secret.contains("64 hexadecimal digits") && !secret.contains("th_secret"));
        assert!(told("a read sha256:12").contains("64 hexadecimal digits"));
        assert!(told(&format!("a read {SUM}é")).contains("64 hexadecimal digits"));
        assert!(told(&format!("a read {SUM} 1,,2")).contains("without a name"));
        assert!(told(&format!("a read {SUM} 1 2")).contains("too much"));
        assert!(told(&format!("a read {SUM} rate=1/s 2")).contains("too much"));
        assert!(told(&format!("a read {SUM} rate=0/s")).contains("1 or more"));
        assert!(told(&format!("a read {SUM} rate=9")).contains("N/s expected"));
        assert!(told(&format!("a read {SUM}\na read {SUM}")).contains("line 2: the name \"a\""));
        assert!(told(&format!("a read {SUM}\nb read {SUM}")).contains("under two names"));
    }
}
