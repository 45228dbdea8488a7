//! A target: where spans are sent, and with what headers.

use std::net::{SocketAddr, ToSocketAddrs};

use http::{HeaderName, HeaderValue, Uri};
use sha2::{Digest, Sha256};

use super::FEED_PREFIX;
use crate::error::ServeError;

/// Where OTLP/HTTP takes traces, when a target names no path.
const TRACES_PATH: &str = "/v1/traces";
/// Longest part of an address in the name of its feed: names have 128 characters.
const NAME_CHARS_MAX: usize = 80;
/// Headers that the sender sets itself.
const OWN_HEADERS: [&str; 4] = ["content-type", "content-encoding", "content-length", "host"];

/// An OTLP/HTTP endpoint.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) uri: Uri,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
}

impl Target {
    /// The targets of `urls` with their headers. A header `NAME=VALUE` is for the only target; where there are more, it says
    /// which: `URL NAME=VALUE`. So no key of one goes to another.
    ///
    /// # Errors
    /// For what is no target or no header, for a target that is given twice, and for a header of none or of an unsaid one.
    pub(super) fn all(urls: &[String], headers: &[String]) -> Result<Vec<Self>, ServeError> {
        let mut by_target: Vec<Vec<&str>> = vec![Vec::new(); urls.len()];
        for header in headers {
            let (of, header) = match header.split_once(' ') {
                Some((url, rest)) if url.starts_with("http") => (Some(url), rest.trim_start()),
                _ => (None, header.as_str()),
            };
            let at = match (of, urls.len()) {
                (Some(of), _) => urls.iter().position(|url| url == of),
                (None, 1) => Some(0),
                (None, _) => None,
            };
            let Some(of) = at.and_then(|at| by_target.get_mut(at)) else {
                let name = header.split('=').next().unwrap_or_default();
                return Err(ServeError::new(format!(
                    "the header {name} of forwarding is for no target: write it as 'URL NAME=VALUE', with a URL that is \
                     given as a target"
                )));
            };
            of.push(header);
        }
        let mut targets: Vec<Self> = Vec::with_capacity(urls.len());
        for (url, headers) in urls.iter().zip(by_target) {
            let target = Self::parse(url, &headers)?;
            if targets.iter().any(|other| other.uri == target.uri) {
                let shown = target.shown();
                return Err(ServeError::new(format!(
                    "{shown} is given twice as a target"
                )));
            }
            targets.push(target);
        }
        Ok(targets)
    }

    /// # Errors
    /// For what is no `http://` or `https://` address, and for headers that cannot be.
    pub(super) fn parse(url: &str, headers: &[&str]) -> Result<Self, ServeError> {
        let url = url.trim();
        // The text itself is not shown before it is known to hold no password.
        if url.contains(['@', '#']) {
            return Err(ServeError::new(
                "a target has a user or a fragment: give keys as a header of forwarding",
            ));
        }
        let wrong = || {
            ServeError::new(format!(
                "{url:?} is no target: give an OTLP/HTTP endpoint such as http://localhost:4318 or https://host/v1/traces"
            ))
        };
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
        if !is_http || uri.host().is_none_or(str::is_empty) {
            return Err(wrong());
        }
        let uri = match uri.path() {
            "" | "/" if uri.query().is_none() => {
                let base = url.trim_end_matches('/');
                format!("{base}{TRACES_PATH}")
                    .parse()
                    .map_err(|_| wrong())?
            }
            _ => uri,
        };
        let headers = headers.iter().map(|header| parse_header(header));
        Ok(Self {
            uri,
            headers: headers.collect::<Result<_, _>>()?,
        })
    }

    /// The address, without what may be a key.
    pub(super) fn shown(&self) -> String {
        let scheme = self.uri.scheme_str().unwrap_or_default();
        let authority = self
            .uri
            .authority()
            .map_or("", |authority| authority.as_str());
        format!("{scheme}://{authority}{}", self.uri.path())
    }

    /// The name of its feed: one for each address, query included, the same in every process.
    pub(super) fn feed_name(&self) -> String {
        let shown = self.shown();
        if self.uri.query().is_none() && shown.chars().count() <= NAME_CHARS_MAX {
            return format!("{FEED_PREFIX}{shown}");
        }
        let hash = Sha256::digest(self.uri.to_string());
        let digits: String = hash
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let begun: String = shown.chars().take(NAME_CHARS_MAX).collect();
        format!("{FEED_PREFIX}{begun} #{digits}")
    }

    /// # Errors
    /// When it is one of the server's own addresses: each span would come back.
    pub(super) fn check_other(&self, own: &[SocketAddr]) -> Result<(), ServeError> {
        let (Some(host), scheme) = (self.uri.host(), self.uri.scheme_str()) else {
            return Ok(());
        };
        let port = self.uri.port_u16().unwrap_or(match scheme {
            Some("https") => 443,
            _ => 80,
        });
        let host = host.trim_start_matches('[').trim_end_matches(']');
        // A name that is not known now may be later.
        let resolved = (host, port).to_socket_addrs().into_iter().flatten();
        for address in resolved {
            let is_own = |own: &SocketAddr| {
                let is_here = own.ip() == address.ip()
                    || own.ip().is_unspecified() && address.ip().is_loopback();
                own.port() == port && is_here
            };
            if own.iter().any(is_own) {
                return Err(ServeError::new(format!(
                    "{} is this server itself: spans would go round",
                    self.shown()
                )));
            }
        }
        Ok(())
    }
}

fn parse_header(header: &str) -> Result<(HeaderName, HeaderValue), ServeError> {
    let (name, value) = header
        .split_once('=')
        .ok_or_else(|| ServeError::new("a header of forwarding has to be NAME=VALUE"))?;
    let name = name.trim();
    let wrong = |what: &str| ServeError::new(format!("the header {name:?} of forwarding {what}"));
    if OWN_HEADERS.iter().any(|own| own.eq_ignore_ascii_case(name)) {
        return Err(wrong("is set by forwarding itself"));
    }
    let parsed = name
        .parse()
        .map_err(|_| wrong("has no name that HTTP allows"))?;
    let mut value = HeaderValue::from_str(value.trim())
        .map_err(|_| wrong("has a value that HTTP does not allow"))?;
    value.set_sensitive(true);
    Ok((parsed, value))
}
