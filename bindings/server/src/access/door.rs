//! What a request must be before anybody asks whose it is: sent to this server, and not by another site's page.
//!
//! A page in a browser reaches loopback, and a name that its owner lets point to 127.0.0.1 makes it the page of this
//! server. So a server without tokens answers only under names of loopback, and every server refuses what comes from the
//! pages of others. No header lets such pages in.

use http::header::{HOST, ORIGIN};
use http::uri::Authority;
use http::{HeaderMap, HeaderName, Version, request};

use crate::error::ApiError;

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// Checks the names in the head of a request. `loopback_only`: of a server that anybody on the machine may use.
///
/// # Errors
/// 400 for a head that names no host, or two; 403 for another host, and for a page of another site.
pub(crate) fn check(head: &request::Parts, loopback_only: bool) -> Result<(), ApiError> {
    let host = host(head)?;
    if loopback_only && !host.as_ref().is_none_or(is_loopback) {
        return Err(ApiError::forbidden(
            "a server without tokens answers only as localhost: start it with --token-file to be reached by other names",
        ));
    }
    if let Some(origin) = one(&head.headers, &ORIGIN)? {
        let own = host.as_ref().map(Authority::as_str);
        let site = origin.split_once("://").map(|(_, site)| site);
        if !matches!((site, own), (Some(site), Some(own)) if site.eq_ignore_ascii_case(own)) {
            return Err(foreign());
        }
    }
    let is_foreign = matches!(
        one(&head.headers, &FETCH_SITE)?,
        Some("cross-site" | "same-site")
    );
    // A link of another site may be followed: what it opens is not that site's to read.
    if is_foreign && one(&head.headers, &FETCH_MODE)? != Some("navigate") {
        return Err(foreign());
    }
    Ok(())
}

fn foreign() -> ApiError {
    ApiError::forbidden("pages of other sites are not answered")
}

/// The host that the request is for: of its target, else of its header. HTTP/1.0 has none.
fn host(head: &request::Parts) -> Result<Option<Authority>, ApiError> {
    let target = head.uri.authority();
    let told = one(&head.headers, &HOST)?
        .map(|told| {
            told.parse::<Authority>()
                .map_err(|_| ApiError::bad_request("the header Host names no host"))
        })
        .transpose()?;
    match (target, told) {
        (Some(target), Some(told)) if !target.as_str().eq_ignore_ascii_case(told.as_str()) => Err(
            ApiError::bad_request("the header Host is not the host of the request's target"),
        ),
        (Some(target), _) => Ok(Some(target.clone())),
        (None, Some(told)) => Ok(Some(told)),
        (None, None) if head.version == Version::HTTP_11 => {
            Err(ApiError::bad_request("the header Host is needed"))
        }
        (None, None) => Ok(None),
    }
}

fn is_loopback(host: &Authority) -> bool {
    let name = host.host();
    let address = name.trim_start_matches('[').trim_end_matches(']');
    match address.parse::<std::net::IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            name == "localhost" || name.ends_with(".localhost")
        }
    }
}

/// The one value of a header.
fn one<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, ApiError> {
    let mut values = headers.get_all(name).iter();
    let (first, second) = (values.next(), values.next());
    let wrong = |why: &str| ApiError::bad_request(format!("the header {name} {why}"));
    if second.is_some() {
        return Err(wrong("is there twice"));
    }
    first
        .map(|value| value.to_str().map_err(|_| wrong("is no text")))
        .transpose()
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn checked(target: &str, headers: &[(&str, &str)], loopback_only: bool) -> u16 {
        let mut request = Request::builder().uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let head = request.body(()).unwrap().into_parts().0;
        check(&head, loopback_only).map_or_else(|error| error.status.as_u16(), |()| 200)
    }

    #[test]
    fn without_tokens_only_names_of_loopback_are_answered() {
        for host in [
            "localhost:4318",
            "127.0.0.1",
            "127.9.9.9:1",
            "[::1]:4318",
            "a.LOCALHOST.",
        ] {
            assert_eq!(
                checked("/v1/traces", &[("host", host)], true),
                200,
                "{host}"
            );
        }
        for host in [
            "evil.example",
            "10.0.0.1:4318",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
        ] {
            assert_eq!(
                checked("/v1/traces", &[("host", host)], true),
                403,
                "{host}"
            );
            assert_eq!(
                checked("/v1/traces", &[("host", host)], false),
                200,
                "{host}"
            );
        }
        assert_eq!(checked("http://evil.example/healthz", &[], true), 403);
    }

    #[test]
    fn a_request_names_one_host() {
        assert_eq!(checked("/", &[], true), 400);
        assert_eq!(
            checked("/", &[("host", "localhost"), ("host", "localhost")], true),
            400
        );
        assert_eq!(
            checked("http://localhost/", &[("host", "other")], false),
            400
        );
        assert_eq!(checked("/", &[("host", "a b")], false), 400);
    }

    #[test]
    fn pages_of_other_sites_are_refused_and_own_ones_are_not() {
        let host = ("host", "localhost:4318");
        for origin in [
            "http://evil.example",
            "null",
            "http://localhost",
            "http://localhost:8080",
        ] {
            assert_eq!(
                checked("/", &[host, ("origin", origin)], false),
                403,
                "{origin}"
            );
        }
        assert_eq!(
            checked("/", &[host, ("origin", "http://localhost:4318")], true),
            200
        );
        let cross = ("sec-fetch-site", "cross-site");
        assert_eq!(checked("/", &[host, cross], true), 403);
        assert_eq!(
            checked("/", &[host, cross, ("sec-fetch-mode", "navigate")], true),
            200
        );
        assert_eq!(
            checked("/", &[host, ("sec-fetch-site", "same-origin")], true),
            200
        );
    }
}
