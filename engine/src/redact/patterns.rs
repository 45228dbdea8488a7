//! Shapes of secrets: built-in patterns, and the user's rules compiled under caps.
//!
//! All are of the `regex` crate, so that time is linear in the text. The built-in ones begin with fixed
//! letters: a text without any of them costs one fast search.

use regex::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};

use super::settings::{Redaction, RedactionRule};
use crate::error::{Error, Result};

/// Largest compiled form of one pattern, in bytes.
const COMPILED_BYTES_MAX: usize = 1 << 20;
/// Deepest nesting of a user's pattern.
const NEST_MAX: u32 = 50;

/// How much of a match is to be hidden; `None` when it is no secret after all.
type Judge = fn(&str) -> Option<usize>;

/// Secrets: name, pattern, judge. `(?-u:\b)` is the boundary of ASCII words, which is fast.
const SECRETS: [(&str, &str, Judge); 22] = [
    (
        "private_key",
        r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?s:.*?)(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\z)",
        all,
    ),
    ("anthropic_key", r"(?-u:\b)sk-ant-[A-Za-z0-9_-]{20,}", all),
    ("openai_key", r"(?-u:\b)sk-[A-Za-z0-9_-]{20,}", with_digit),
    ("stripe_key", r"(?-u:\b)(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{16,}", all),
    ("langfuse_key", r"(?-u:\b)pk-lf-[0-9a-f-]{20,}", all),
    ("langsmith_key", r"(?-u:\b)lsv2_(?:pt|sk)_[A-Za-z0-9_]{20,}", all),
    ("aws_access_key", r"(?-u:\b)(?:AKIA|ASIA)[A-Z0-9]{16}(?-u:\b)", all),
    (
        "aws_secret_key",
        r#"(?:aws_secret_access_key|AWS_SECRET_ACCESS_KEY)["']?[ \t]{0,8}[=:][ \t]{0,8}["']?[A-Za-z0-9/+=]{30,}"#,
        all,
    ),
    ("github_token", r"(?-u:\b)gh[pousr]_[A-Za-z0-9]{36,}", all),
    ("github_pat", r"(?-u:\b)github_pat_[A-Za-z0-9_]{22,}", all),
    ("gitlab_token", r"(?-u:\b)glpat-[A-Za-z0-9_-]{20,}", all),
    ("slack_token", r"(?-u:\b)xox[abeoprs]-[A-Za-z0-9-]{10,}", all),
    ("google_key", r"(?-u:\b)AIza[A-Za-z0-9_-]{35}", all),
    ("google_token", r"(?-u:\b)ya29\.[A-Za-z0-9_-]{20,}", all),
    ("huggingface_token", r"(?-u:\b)hf_[A-Za-z0-9]{30,}", all),
    ("groq_key", r"(?-u:\b)gsk_[A-Za-z0-9]{40,}", all),
    ("xai_key", r"(?-u:\b)xai-[A-Za-z0-9]{40,}", all),
    ("npm_token", r"(?-u:\b)npm_[A-Za-z0-9]{36,}", all),
    ("sendgrid_key", r"(?-u:\b)SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}", all),
    ("jwt", r"(?-u:\b)eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*", all),
    ("bearer_token", r"(?-u:\b)(?:Bearer|bearer|BEARER) {1,8}[A-Za-z0-9._~+/=-]{16,}", with_digit),
    (
        "authorization",
        r#"(?:Authorization|authorization|AUTHORIZATION)["']?[ \t]{0,8}[:=][ \t]{0,8}["']?(?:Basic|basic|Token|token|Bearer|bearer) {1,8}[A-Za-z0-9._~+/=-]{8,}"#,
        all,
    ),
];

const EMAIL: &str =
    r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,6}\.[A-Za-z]{2,24}(?-u:\b)";
const CARD: &str = r"(?-u:\b)[0-9](?:[ -]?[0-9]){12,18}(?-u:\b)";

/// Patterns that are looked for together.
#[derive(Debug)]
pub(super) struct Patterns {
    any: RegexSet,
    each: Vec<Pattern>,
    /// A byte that every match has.
    needle: Option<u8>,
}

#[derive(Debug)]
struct Pattern {
    regex: Regex,
    judge: Judge,
    replacement: String,
}

impl Patterns {
    /// The patterns of a setting, those that are cheap to look for first.
    ///
    /// # Errors
    /// `InvalidInput` naming the rule that cannot be compiled.
    pub(super) fn of(setting: &Redaction) -> Result<Vec<Self>> {
        let mut all_patterns = Vec::new();
        if setting.secrets {
            all_patterns.push(Self::compile(&SECRETS, None)?);
        }
        if setting.emails {
            all_patterns.push(Self::compile(&[("email", EMAIL, all)], Some(b'@'))?);
        }
        if setting.cards {
            all_patterns.push(Self::compile(&[("card", CARD, card)], None)?);
        }
        if !setting.rules.is_empty() {
            let rules: Vec<(&str, &str, Judge)> = setting.rules.iter().map(of_rule).collect();
            all_patterns.push(Self::compile(&rules, None)?);
        }
        Ok(all_patterns)
    }

    fn compile(patterns: &[(&str, &str, Judge)], needle: Option<u8>) -> Result<Self> {
        let mut each = Vec::with_capacity(patterns.len());
        for (name, pattern, judge) in patterns {
            let regex =
                RegexBuilder::new(pattern).size_limit(COMPILED_BYTES_MAX).nest_limit(NEST_MAX).build();
            let wrong = |e: regex::Error| Error::invalid_input(format!("redaction rule {name:?}: {e}"));
            let regex = regex.map_err(wrong)?;
            each.push(Pattern { regex, judge: *judge, replacement: replacement(name) });
        }
        let texts = patterns.iter().map(|(_, pattern, _)| pattern);
        let any = RegexSetBuilder::new(texts)
            .size_limit(COMPILED_BYTES_MAX * patterns.len().max(1))
            .nest_limit(NEST_MAX)
            .build()
            .map_err(|e| Error::invalid_input(format!("redaction rules: {e}")))?;
        Ok(Self { any, each, needle })
    }

    /// The text without what matches, and how much that was; `None` when nothing does.
    pub(super) fn replace(&self, text: &str, count: &mut u64) -> Option<String> {
        if self.needle.is_some_and(|byte| memchr::memchr(byte, text.as_bytes()).is_none()) {
            return None;
        }
        if !self.any.is_match(text) {
            return None;
        }
        let mut changed: Option<String> = None;
        for index in self.any.matches(text).iter() {
            let Some(pattern) = self.each.get(index) else { continue };
            changed = pattern.replace(changed.as_deref().unwrap_or(text), count).or(changed);
        }
        changed
    }
}

impl Pattern {
    fn replace(&self, text: &str, count: &mut u64) -> Option<String> {
        let mut out = String::new();
        let mut copied = 0;
        for found in self.regex.find_iter(text).filter(|found| !found.is_empty()) {
            let Some(length) = (self.judge)(found.as_str()) else { continue };
            out.push_str(text.get(copied..found.start()).unwrap_or_default());
            out.push_str(&self.replacement);
            copied = found.start() + length;
            *count += 1;
        }
        if copied == 0 {
            return None;
        }
        out.push_str(text.get(copied..).unwrap_or_default());
        Some(out)
    }
}

/// What stands for a match.
fn replacement(name: &str) -> String {
    format!("[REDACTED:{name}]")
}

fn of_rule(rule: &RedactionRule) -> (&str, &str, Judge) {
    (&rule.name, &rule.pattern, all)
}

fn all(found: &str) -> Option<usize> {
    Some(found.len())
}

/// Words of prose have no digits, keys do.
fn with_digit(found: &str) -> Option<usize> {
    found.bytes().any(|byte| byte.is_ascii_digit()).then_some(found.len())
}

/// The longest beginning, cut where a group of digits ends, whose check digit is right.
fn card(found: &str) -> Option<usize> {
    let bytes = found.as_bytes();
    let ends_group = |end: &usize| bytes.get(*end).is_none_or(|next| !next.is_ascii_digit());
    (1..=found.len()).rev().filter(ends_group).find(|end| {
        let digits: Vec<u32> =
            bytes.iter().take(*end).filter(|b| b.is_ascii_digit()).map(|b| u32::from(b - b'0')).collect();
        let ends_in_digit = end.checked_sub(1).and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
        (13..=19).contains(&digits.len()) && ends_in_digit && has_check_digit(&digits)
    })
}

/// The sum of Luhn, which every card number has.
fn has_check_digit(digits: &[u32]) -> bool {
    let doubled = |digit: u32| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let sum: u32 =
        digits.iter().rev().enumerate().map(|(at, d)| if at % 2 == 1 { doubled(*d) } else { *d }).sum();
    sum.is_multiple_of(10) && digits.iter().any(|digit| *digit != 0)
}
