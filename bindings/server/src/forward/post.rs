//! One request to a target: compressed, with its headers. The only file that knows `ureq`.

use std::io::Write;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use ureq::Agent;

use super::FORWARDED_BY;
use super::answer::Reply;
use super::target::Target;
use crate::error::ServeError;

/// A request that takes longer is given up and sent again: what exporters wait by default, three times.
const TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// More of an answer is not read.
const ANSWER_BYTES_MAX: u64 = 64 << 10;

/// Sends to one target.
#[derive(Debug)]
pub(super) struct Poster {
    agent: Agent,
    target: Target,
    database_id: String,
}

impl Poster {
    pub(super) fn new(target: Target, database_id: String) -> Self {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .timeout_global(Some(TIMEOUT))
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .user_agent(concat!("tracehouse/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        Self {
            agent,
            target,
            database_id,
        }
    }

    /// What ends a request that is under way.
    pub(super) fn breaker(&self) -> Breaker {
        Breaker(self.agent.clone())
    }

    /// Sends a request in protobuf and waits for the answer.
    pub(super) fn post(&self, request: &[u8]) -> Reply {
        let body = match gzip(request) {
            Ok(body) => body,
            Err(error) => return Reply::None(error.to_string()),
        };
        let mut post = self
            .agent
            .post(self.target.uri.clone())
            .header(CONTENT_TYPE, "application/x-protobuf")
            .header(CONTENT_ENCODING, "gzip")
            .header(FORWARDED_BY, &self.database_id);
        for (name, value) in &self.target.headers {
            post = post.header(name, value);
        }
        let mut response = match post.send(&body) {
            Ok(response) => response,
            Err(error) => return Reply::None(error.to_string()),
        };
        let retry_after = response.headers().get(RETRY_AFTER);
        let retry_after = retry_after
            .and_then(|value| value.to_str().ok())
            .map(str::to_string);
        let status = response.status();
        let limited = response.body_mut().with_config().limit(ANSWER_BYTES_MAX);
        match limited.read_to_vec() {
            Ok(body) => Reply::Response {
                status: status.as_u16(),
                retry_after,
                body,
            },
            // The status says enough; only of a success the rest says how much of it there was.
            Err(_) if !status.is_success() => Reply::Response {
                status: status.as_u16(),
                retry_after,
                body: Vec::new(),
            },
            Err(error) => Reply::None(format!("the answer cannot be read: {error}")),
        }
    }
}

/// Ends requests from another thread.
#[derive(Debug, Clone)]
pub(super) struct Breaker(Agent);

impl Breaker {
    /// Ends what is under way; nothing more is sent.
    pub(super) fn end(&self) {
        self.0.clone().shutdown();
    }
}

fn gzip(bytes: &[u8]) -> Result<Vec<u8>, ServeError> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    written.map_err(|error| ServeError::new(format!("cannot compress: {error}")))
}
