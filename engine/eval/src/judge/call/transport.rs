//! HTTP, and the only file that knows `ureq`.
//!
//! Invariants:
//! 1. The key goes to the host of `base_url` and nowhere else: no redirect is followed, no proxy is taken from
//!    the environment.
//! 2. A response of more than [`RESPONSE_BYTES_MAX`] is not read to its end.
//! 3. A call ends within a slice of its [`Patience`], whatever the network does: it runs in a thread of its own, and the
//!    caller waits for the thread or the end of its patience. The thread ends at the call's timeout at the latest; on a
//!    cancellation its connection is shut, so that the server can stop working too.

use std::fmt;
use std::io;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use ureq::http::header::{AUTHORIZATION, CONTENT_TYPE, DATE, LOCATION, RETRY_AFTER};
use ureq::http::{HeaderValue, Response, Uri};
use ureq::{Agent, Body, Error, Timeout};

use super::super::limits::{Patience, Stop};
use super::super::settings::{ApiKey, SettingsError};
use super::retry::RetryHeaders;

/// Far above any answer; a server that sends more is no chat completions server.
pub(crate) const RESPONSE_BYTES_MAX: usize = 4 << 20;

/// After the deadline the thread's own timeout is waited for in slices of this.
const SLICE_MIN: Duration = Duration::from_millis(5);

/// A response, with any status.
#[derive(Debug, Clone)]
pub(crate) struct HttpReply {
    pub status: u16,
    pub retry: RetryHeaders,
    pub location: Option<String>,
    pub body: Vec<u8>,
}

/// No response.
#[derive(Debug, Clone)]
pub(crate) enum HttpError {
    /// The caller's patience ended.
    Stop { stop: Stop, sent: bool },
    /// The call's time was up.
    Timeout { sent: bool },
    /// The response is larger than [`RESPONSE_BYTES_MAX`].
    TooLarge,
    /// The connection was not made, or broke.
    Connection { sent: bool, message: String },
}

/// Calls to one server.
pub(crate) struct Transport {
    agent: Agent,
    url: Uri,
    authorization: Option<HeaderValue>,
    timeout: Duration,
}

impl Transport {
    pub fn new(base_url: &str, key: &ApiKey, timeout_ms: u64) -> Result<Self, SettingsError> {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .user_agent(concat!("tracehouse/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        Ok(Self {
            agent,
            url: endpoint(base_url)?,
            authorization: authorization(key)?,
            timeout: Duration::from_millis(timeout_ms),
        })
    }

    /// Sends a body and waits for the response.
    pub fn post(&self, body: String, patience: &Patience<'_>) -> Result<HttpReply, HttpError> {
        let unsent = |stop| HttpError::Stop { stop, sent: false };
        patience.check().map_err(unsent)?;
        let limit = self.timeout.min(patience.left());
        let end = Instant::now() + limit;
        let (sender, receiver) = mpsc::sync_channel(1);
        let (agent, url, key) = (
            self.agent.clone(),
            self.url.clone(),
            self.authorization.clone(),
        );
        let call = move || {
            // Nobody listens any more when the caller went away, which is no fault.
            let _ = sender.send(call(&agent, url, key, body, limit));
        };
        let thread = thread::Builder::new()
            .name("judge-call".to_owned())
            .spawn(call);
        thread.map_err(|error| HttpError::Connection {
            sent: false,
            message: format!("no thread for the call: {error}"),
        })?;
        loop {
            match receiver.recv_timeout(patience.slice().max(SLICE_MIN)) {
                Ok(result) => return result,
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(broken("the call's thread ended"));
                }
                Err(RecvTimeoutError::Timeout) => self.still_wanted(patience, end)?,
            }
        }
    }

    fn still_wanted(&self, patience: &Patience<'_>, end: Instant) -> Result<(), HttpError> {
        if patience.check() == Err(Stop::Cancelled) {
            self.agent.clone().shutdown();
            return Err(HttpError::Stop {
                stop: Stop::Cancelled,
                sent: true,
            });
        }
        // The thread sees its own timeout; this is for what it cannot interrupt, such as the system's resolver.
        match Instant::now() > end + Duration::from_millis(100) {
            true => Err(HttpError::Timeout { sent: true }),
            false => Ok(()),
        }
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Transport({})", self.url)
    }
}

/// The address of chat completions under `base_url`.
fn endpoint(base_url: &str) -> Result<Uri, SettingsError> {
    let wrong = |what: &str| {
        SettingsError::new(format!(
            "base_url {what}; give one such as https://api.openai.com/v1 or http://localhost:8000/v1"
        ))
    };
    let base = base_url.trim();
    // The text itself is not shown before it is known to hold no password.
    if base.contains(['@', '?', '#']) {
        return Err(wrong(
            "has a user, a query or a fragment (the key goes into api_key)",
        ));
    }
    if base.trim_end_matches('/').ends_with("/chat/completions") {
        return Err(wrong("ends in /chat/completions, which is added to it"));
    }
    let url = format!("{}/chat/completions", base.trim_end_matches('/'));
    let url: Uri = url
        .parse()
        .map_err(|_| wrong(&format!("{base:?} is no URL")))?;
    let known = matches!(url.scheme_str(), Some("http" | "https"));
    match known && url.host().is_some_and(|host| !host.is_empty()) {
        true => Ok(url),
        false => Err(wrong(&format!(
            "{base:?} has no http:// or https:// and a host"
        ))),
    }
}

fn authorization(key: &ApiKey) -> Result<Option<HeaderValue>, SettingsError> {
    let Some(key) = key.reveal() else {
        return Ok(None);
    };
    let header = HeaderValue::from_str(&format!("Bearer {key}"));
    let mut header =
        header.map_err(|_| SettingsError::new("api_key does not fit into a header"))?;
    header.set_sensitive(true);
    Ok(Some(header))
}

fn call(
    agent: &Agent,
    url: Uri,
    key: Option<HeaderValue>,
    body: String,
    limit: Duration,
) -> Result<HttpReply, HttpError> {
    let mut request = agent.post(url).header(CONTENT_TYPE, "application/json");
    if let Some(key) = key {
        request = request.header(AUTHORIZATION, key);
    }
    let request = request.config().timeout_global(Some(limit)).build();
    let response = request.send(body).map_err(error_of)?;
    reply(response)
}

fn reply(mut response: Response<Body>) -> Result<HttpReply, HttpError> {
    let text = |name: &str| {
        let value = response.headers().get(name)?;
        value.to_str().ok().map(str::to_owned)
    };
    let retry = RetryHeaders {
        retry_after: text(RETRY_AFTER.as_str()),
        retry_after_ms: text("retry-after-ms"),
        date: text(DATE.as_str()),
    };
    let location = text(LOCATION.as_str());
    let status = response.status();
    let limited = response
        .body_mut()
        .with_config()
        .limit(RESPONSE_BYTES_MAX as u64);
    let body = match limited.read_to_vec() {
        Ok(body) => body,
        // The status says enough when it is no success.
        Err(_) if !status.is_success() => Vec::new(),
        Err(error) => return Err(error_of(error)),
    };
    Ok(HttpReply {
        status: status.as_u16(),
        retry,
        location,
        body,
    })
}

fn error_of(error: Error) -> HttpError {
    // A limit that was passed while a body is read comes wrapped.
    let sent = !matches!(
        &error,
        Error::HostNotFound
            | Error::ConnectionFailed
            | Error::Tls(_)
            | Error::Rustls(_)
            | Error::TlsRequired
            | Error::BadUri(_)
            | Error::Http(_)
            | Error::Timeout(Timeout::Resolve | Timeout::Connect)
    ) && !refused(&error);
    match error {
        Error::Timeout(_) => HttpError::Timeout { sent },
        Error::BodyExceedsLimit(_) => HttpError::TooLarge,
        error => HttpError::Connection {
            sent,
            message: error.to_string(),
        },
    }
}

/// Whether no connection was made. A connection that ends without an answer may have carried the request.
fn refused(error: &Error) -> bool {
    use io::ErrorKind::{AddrNotAvailable, ConnectionRefused, HostUnreachable, NetworkUnreachable};
    match error {
        Error::Io(error) => matches!(
            error.kind(),
            ConnectionRefused | HostUnreachable | NetworkUnreachable | AddrNotAvailable
        ),
        _ => false,
    }
}

fn broken(message: &str) -> HttpError {
    HttpError::Connection {
        sent: true,
        message: message.to_owned(),
    }
}
