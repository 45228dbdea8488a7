//! What keys and tokens of well-known services look like, and how they may be wrapped.
//!
//! A secret stands alone or right behind anything that is no letter or digit, or behind an escape of
//! whatever language the text was written in: `\n`, `\u0022`, `%22`, `&quot;`, a colour of a terminal. Which
//! one it was cannot be told from a text that is cut short or is part of another, so all are tried.

use regex::Captures;

use super::patterns::{Found, Judge, PART};
use crate::otlp::decode_base64;

/// A secret: what it is called, what it looks like, and who decides in the end.
pub(super) struct Shape {
    pub name: &'static str,
    /// With names of `FORMS` for these characters in any of their written forms. Of a pattern that has a group
    /// `SECRET(`, only that group is hidden.
    pub pattern: &'static str,
    pub judge: Judge,
}

/// What may stand right before a secret. Escapes come first, so that their digits are not taken for its own.
const BEFORE: &str = concat!(
    r"(?:\A",
    // \x22, \u0022, \U00000022, \u{22}, \042, and \n, however many backslashes there are
    r"|BACKSLASH(?:x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|[0-7]{1,3}|[A-Za-z])",
    // sequences of terminals, with the escape character itself or written out
    r"|(?:\x1b|\x{9b}|BACKSLASHe|BACKSLASH0?33|BACKSLASHx1[Bb]|BACKSLASHu001[Bb]|\^BRACKET|PERCENT1[Bb])",
    r"(?:BRACKET?(?:[0-9;:?]|PERCENT3[Bb]){0,32}|[()*+])[A-Za-z0-9]",
    r"|BRACKET(?:[0-9;:?]|PERCENT3[Bb]){1,32}[A-Za-z]",
    // %22, %2522, and =3D of quoted-printable
    r"|PERCENT[0-9A-Fa-f]{2}|=[0-9A-F]{2}",
    // &#34; and &quot; end in what is no letter, unless that is left out
    r"|&#x?[0-9A-Fa-f]{1,6}|&(?:quot|apos|amp|lt|gt|nbsp)",
    r"|[^A-Za-z0-9]",
);
/// What is left of an escape when a text was cut in the middle of it.
const CUT_ESCAPE: &str = r"|(?:\A|[^A-Za-z0-9])(?:[nrt]|[ux]?[0-9][0-9A-Fa-f]{1,3})";

/// Forms of characters around and inside secrets, by the names that patterns use. Later ones stand in earlier.
const FORMS: [(&str, &str); 8] = [
    (
        "QUOTE",
        r#"(?:BACKSLASH{0,16}(?:["'`]|PERCENT2[27])|BACKSLASH{1,16}(?:u00(?:22|27)|x2[27])|&(?:quot|apos|#34|#39|#x22|#x27);?)"#,
    ),
    (
        "SPACE",
        r"(?:[ \t+]|PERCENT20|&nbsp;|&#32;|BACKSLASH{1,16}(?:t|u0020))",
    ),
    (
        "EQUALS",
        r"(?:=>|:=|[:=]|PERCENT3[AaDd]|&#(?:58|61|x3[AaDd]);?|BACKSLASH{1,16}u003[AaDd])",
    ),
    ("COLON", r"(?::|PERCENT3[Aa])"),
    (
        "SOLIDUS",
        r"(?:BACKSLASH{0,16}/|PERCENT2[Ff]|&#(?:47|x2[Ff]);?|BACKSLASH{1,16}u002[Ff])",
    ),
    ("BACKSLASH", r"(?:\\|PERCENT5[Cc])"),
    ("BRACKET", r"(?:\[|PERCENT5[Bb])"),
    ("PERCENT", r"%(?:25){0,4}"),
];

/// A pattern with the names above written out. `SECRET(` opens the group that is hidden.
pub(super) fn written_out(pattern: &str) -> String {
    let written = FORMS
        .iter()
        .fold(pattern.to_string(), |text, (name, form)| {
            text.replace(name, form)
        });
    written.replace("SECRET(", &format!("(?P<{PART}>"))
}

/// The pattern of a secret where one may begin.
pub(super) fn bounded(shape: &str) -> String {
    bounded_by(&format!("{BEFORE}{CUT_ESCAPE})"), shape)
}

/// The shape with bounds for what is nothing but digits: those before it may be its own.
pub(super) fn bounded_digits(shape: &str) -> String {
    bounded_by(&format!("{BEFORE})"), shape)
}

fn bounded_by(before: &str, shape: &str) -> String {
    let before = written_out(before);
    match shape.contains(PART) {
        true => format!("{before}(?:{shape})"),
        false => format!("{before}(?P<{PART}>{shape})"),
    }
}

const fn shape(name: &'static str, pattern: &'static str) -> Shape {
    Shape {
        name,
        pattern,
        judge: all,
    }
}

const fn judged(name: &'static str, pattern: &'static str, judge: Judge) -> Shape {
    Shape {
        name,
        pattern,
        judge,
    }
}

pub(super) const SECRETS: [Shape; 76] = [
    shape(
        "private_key",
        r"-----BEGIN[A-Z0-9 +%]{0,60}PRIVATESPACEKEY(?:SPACEBLOCK)?-----(?s:.*?)(?:-----END[A-Z0-9 +%]{0,60}PRIVATESPACEKEY(?:SPACEBLOCK)?-----|\z)",
    ),
    shape("age_key", r"AGE-SECRET-KEY-1[0-9A-Z]{58}"),
    shape("anthropic_key", r"sk-ant-[A-Za-z0-9_-]{20,}"),
    judged("openai_key", r"(?:sk|sess)-[A-Za-z0-9_-]{20,}", with_digit),
    shape(
        "stripe_key",
        r"(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9+/]{24,}",
    ),
    shape("langfuse_key", r"pk-lf-[0-9a-f-]{20,}"),
    shape("langsmith_key", r"lsv2_(?:pt|sk)_[A-Za-z0-9_]{20,}"),
    judged(
        "aws_access_key",
        r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16,}",
        twenty_characters,
    ),
    shape(
        "aws_secret_key",
        r"(?i-u:aws_secret_access_key|SecretAccessKey)QUOTE?SPACE{0,8}EQUALSSPACE{0,8}QUOTE?SECRET([A-Za-z0-9/+=]{30,})",
    ),
    shape("github_token", r"gh[pousr]_[A-Za-z0-9]{36,}"),
    shape("github_pat", r"github_pat_[A-Za-z0-9_]{22,}"),
    shape(
        "gitlab_token",
        r"(?:glpat|gldt|glrt|glcbt|glptt|glft|glimt|glagent|glsoat|gloas)-[A-Za-z0-9_.-]{20,}",
    ),
    shape(
        "slack_token",
        r"xox[abeoprs](?:\.xox[bp])?-[A-Za-z0-9-]{10,}|xapp-[0-9]-[A-Za-z0-9-]{10,}",
    ),
    shape(
        "slack_webhook",
        r"hooks\.slack\.comSOLIDUS(?:services|workflows)SOLIDUSSECRET([A-Z0-9]{5,}SOLIDUS[A-Z0-9]{5,}SOLIDUS[A-Za-z0-9]{16,})",
    ),
    shape(
        "google_key",
        r"AIza[A-Za-z0-9_-]{35}|GOCSPX-[A-Za-z0-9_-]{28}",
    ),
    shape("google_token", r"ya29\.[A-Za-z0-9_-]{20,}"),
    shape("huggingface_token", r"(?:hf|api_org)_[A-Za-z0-9]{30,}"),
    shape("groq_key", r"gsk_[A-Za-z0-9]{40,}"),
    shape("xai_key", r"xai-[A-Za-z0-9]{40,}"),
    shape("npm_token", r"npm_[A-Za-z0-9]{36,}"),
    shape(
        "sendgrid_key",
        r"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
    ),
    shape(
        "azure_key",
        r"[A-Za-z0-9]{52}JQQJ9[9DH][A-Za-z0-9][A-L][A-Za-z0-9]{16}[A-Za-z][A-Za-z0-9]{7}(?:[A-Za-z0-9]{2}==)?",
    ),
    shape(
        "azure_secret",
        r"[A-Za-z0-9_~.-]{3}[78]Q~[A-Za-z0-9_~.-]{31,34}",
    ),
    shape(
        "azure_account_key",
        r"(?i-u:AccountKey|SharedAccessKey|SharedAccessSignature)EQUALSSECRET((?:[A-Za-z0-9+/=]|PERCENT(?i-u:2B|2F|3D)){40,})",
    ),
    judged(
        "azure_signature",
        r"sigEQUALSSECRET((?:[A-Za-z0-9+/]|PERCENT(?i-u:2B|2F)){40,}(?:=|PERCENT3[Dd])?)",
        with_digit,
    ),
    shape("replicate_token", r"r8_[A-Za-z0-9]{37,}"),
    shape("databricks_token", r"dapi[0-9a-f]{32}(?:-[0-9])?"),
    shape("twilio_key", r"SK[0-9a-f]{32}"),
    shape(
        "telegram_token",
        r"(?:bot)?[0-9]{8,10}COLONAA[A-Za-z0-9_-]{32,}",
    ),
    judged(
        "discord_token",
        r"[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,}",
        with_digit,
    ),
    shape(
        "discord_webhook",
        r"discord(?:app)?\.comSOLIDUSapiSOLIDUS(?:v[0-9]{1,2}SOLIDUS)?webhooksSOLIDUSSECRET([0-9]{16,20}SOLIDUS[A-Za-z0-9_-]{60,})",
    ),
    shape("heroku_key", r"HRKU-[A-Za-z0-9_-]{30,}"),
    shape("digitalocean_token", r"do[opr]_v1_[0-9a-f]{64}"),
    shape(
        "cloudflare_token",
        r"cf(?:ut|at|k)_[A-Za-z0-9_-]{40,}|v1\.0-[0-9a-f]{24}-[0-9a-f]{100,}",
    ),
    shape("vault_token", r"hv[sbr]\.[A-Za-z0-9_-]{24,}"),
    shape(
        "doppler_token",
        r"dp\.(?:pt|st|ct|sa|scim|audit)\.(?:[a-z0-9_-]{2,35}\.)?[A-Za-z0-9]{40,}",
    ),
    shape("pypi_token", r"pypi-[A-Za-z0-9_-]{50,}"),
    shape("docker_token", r"dckr_(?:pat|oat)_[A-Za-z0-9_-]{27,}"),
    shape("postman_key", r"PMAK-[0-9a-f]{24}-[0-9a-f]{34}"),
    shape("linear_key", r"lin_(?:api|oauth)_[A-Za-z0-9]{32,}"),
    shape("notion_token", r"(?:secret|ntn)_[A-Za-z0-9]{40,}"),
    shape("airtable_token", r"pat[A-Za-z0-9]{14}\.[0-9a-f]{64}"),
    shape("sentry_token", r"sntry[su]_[A-Za-z0-9+/=_-]{40,}"),
    shape(
        "sentry_dsn",
        r"https?COLONSOLIDUSSOLIDUSSECRET([0-9a-f]{32}(?:COLON[0-9a-f]{32})?)(?:@|PERCENT40)",
    ),
    shape(
        "newrelic_key",
        r"NRAK-[A-Z0-9]{27,}|NRII-[A-Za-z0-9_-]{32,}|[0-9a-f]{32,36}(?:FFFF)?NRAL",
    ),
    shape("datadog_key", r"dd(?:p|app|pat)_[A-Za-z0-9]{32,}"),
    shape("perplexity_key", r"pplx-[A-Za-z0-9]{40,}"),
    shape("fireworks_key", r"fw_[A-Za-z0-9]{22,}"),
    shape("tavily_key", r"tvly-[A-Za-z0-9-]{20,}"),
    shape("together_key", r"tgp_v1_[A-Za-z0-9_-]{30,}"),
    shape("pinecone_key", r"pcsk_[A-Za-z0-9_]{40,}"),
    shape("nvidia_key", r"nvapi-[A-Za-z0-9_-]{40,}"),
    shape("elevenlabs_key", r"sk_[0-9a-f]{48}"),
    shape("cerebras_key", r"csk-[a-z0-9]{40,}"),
    judged("voyage_key", r"pa-[A-Za-z0-9_-]{40,}", with_digit),
    shape("jina_key", r"jina_[A-Za-z0-9]{40,}"),
    shape("firecrawl_key", r"fc-[0-9a-f]{32}"),
    shape("e2b_key", r"e2b_[0-9a-f]{40}"),
    shape("logfire_token", r"pylf_v[0-9]_[a-z]{2,8}_[A-Za-z0-9]{40,}"),
    shape("posthog_key", r"ph[xc]_[A-Za-z0-9]{40,}"),
    shape("figma_token", r"fig[dou]r?_[A-Za-z0-9_-]{40,}"),
    shape("shopify_token", r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}"),
    shape("square_token", r"sq0[a-z]{3}-[A-Za-z0-9_-]{22,}"),
    shape("mailgun_key", r"key-[0-9a-f]{32}|[0-9a-f]{32}-us[0-9]{1,2}"),
    shape(
        "grafana_token",
        r"glsa_[A-Za-z0-9]{32}_[0-9a-f]{8}|glc_[A-Za-z0-9+/=]{32,}",
    ),
    shape(
        "terraform_token",
        r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,}",
    ),
    shape("atlassian_token", r"AT[AC]TT3[A-Za-z0-9_=-]{60,}"),
    shape(
        "supabase_key",
        r"sbp_[0-9a-f]{40}|sb_secret_[A-Za-z0-9_-]{20,}",
    ),
    shape(
        "planetscale_token",
        r"pscale_(?:tkn|pw|oauth)_[A-Za-z0-9_.=-]{32,}",
    ),
    shape("tailscale_key", r"tskey-[a-z]{3,10}-[A-Za-z0-9-]{20,}"),
    shape(
        "rubygems_key",
        r"rubygems_[0-9a-f]{48}|pul-[0-9a-f]{40}|dt0[a-z][0-9]{2}\.[A-Z0-9]{24}\.[A-Z0-9]{64}|nfp_[A-Za-z0-9]{36,}",
    ),
    shape(
        "jwt",
        r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",
    ),
    judged(
        "bearer_token",
        r"(?:Bearer|bearer|BEARER)SPACE{1,8}(?:[A-Za-z0-9._~+/=-]|PERCENT(?i-u:2B|2F|3D)){16,}",
        with_digit,
    ),
    judged(
        "basic_auth",
        r"(?:Basic|basic|BASIC)SPACE{1,8}SECRET((?:[A-Za-z0-9+/]|PERCENT(?i-u:2B|2F)){8,}(?:=|PERCENT3[Dd]){0,2})",
        credentials,
    ),
    shape(
        "authorization",
        r"(?i-u:authorization)QUOTE?SPACE{0,8}(?:EQUALS|,)SPACE{0,8}QUOTE?SECRET((?i-u:Basic|Token|Bearer|Digest|Negotiate|ApiKey|Api-Key|Key|SSWS|GenieKey)SPACE{1,8}(?:[A-Za-z0-9._~+/=-]|PERCENT(?i-u:2B|2F|3D)){8,})",
    ),
    judged(
        "url_password",
        r#"[A-Za-z][A-Za-z0-9+.-]{1,24}COLONSOLIDUSSOLIDUS[^\s/@:"'<>%\\]*(?::SECRET([^\s/"'<>\\?#]+)@|PERCENT3[Aa](?P<encoded>[^\s/"'<>\\?#&@]+?)PERCENT40)"#,
        url_password,
    ),
];

/// All of it.
pub(super) fn all(found: &Found<'_>) -> Option<Range> {
    Some(found.range())
}

type Range = std::ops::Range<usize>;

/// Words of prose have no digits, keys do.
fn with_digit(found: &Found<'_>) -> Option<Range> {
    found
        .text()
        .bytes()
        .any(|byte| byte.is_ascii_digit())
        .then(|| found.range())
}

/// Longer runs of capitals and digits are something else.
fn twenty_characters(found: &Found<'_>) -> Option<Range> {
    (found.text().len() == 20).then(|| found.range())
}

/// Base64 of a name and a password; words of prose are none.
fn credentials(found: &Found<'_>) -> Option<Range> {
    let text = percent_decoded(found.text());
    let bytes = decode_base64(text.trim_end_matches('='))?;
    let is_text = bytes.iter().all(|byte| *byte >= b' ' && *byte != 0x7f);
    (is_text && bytes.contains(&b':')).then(|| found.range())
}

fn percent_decoded(text: &str) -> String {
    let mut text = text.to_string();
    while text.contains("%25") {
        text = text.replace("%25", "%");
    }
    let pairs = [
        ("%2B", "+"),
        ("%2b", "+"),
        ("%2F", "/"),
        ("%2f", "/"),
        ("%3D", "="),
        ("%3d", "="),
    ];
    pairs
        .iter()
        .fold(text, |text, (from, to)| text.replace(from, to))
}

/// The password of `scheme://user:password@host`.
fn url_password(found: &Found<'_>) -> Option<Range> {
    let captures: &Captures<'_> = found.captures;
    let encoded = captures.name("encoded").map(|group| group.range());
    encoded.or_else(|| captures.name(PART).map(|group| group.range()))
}
