//! TLS 1.2 and 1.3 by rustls, with a certificate that can be exchanged while the server runs.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::error::ServeError;

/// The protocols of a port, as TLS names them.
pub(crate) const HTTP_PROTOCOLS: &[&[u8]] = &[b"h2", b"http/1.1"];
/// Those of the port for gRPC, which is HTTP/2.
pub(crate) const GRPC_PROTOCOLS: &[&[u8]] = &[b"h2"];

/// TLS of a port.
#[derive(Debug)]
pub(crate) struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    protocols: &'static [&'static [u8]],
    config: RwLock<Arc<ServerConfig>>,
}

impl Tls {
    /// Reads the certificate and its key.
    ///
    /// # Errors
    /// When a file cannot be read, has none, or the two do not go together.
    pub(crate) fn open(
        (certificate, key): &(PathBuf, PathBuf),
        protocols: &'static [&'static [u8]],
    ) -> Result<Self, ServeError> {
        let config = read(certificate, key, protocols)?;
        Ok(Self {
            certificate: certificate.clone(),
            key: key.clone(),
            protocols,
            config: RwLock::new(config),
        })
    }

    /// Reads the files again, for connections from now on.
    ///
    /// # Errors
    /// As [`Tls::open`]; the certificate stays as it was then.
    pub(crate) fn reload(&self) -> Result<(), ServeError> {
        let config = read(&self.certificate, &self.key, self.protocols)?;
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    /// What does the handshake of one connection.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let config = self.config.read().unwrap_or_else(PoisonError::into_inner);
        config.clone().into()
    }
}

fn read(
    certificate: &Path,
    key: &Path,
    protocols: &[&[u8]],
) -> Result<Arc<ServerConfig>, ServeError> {
    let wrong = |path: &Path, why: &dyn std::fmt::Display| {
        ServeError::new(format!("TLS: {}: {why}", path.display()))
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .map_err(|error| wrong(certificate, &error))?;
    if chain.is_empty() {
        return Err(wrong(
            certificate,
            &"there is no certificate in it (PEM expected)",
        ));
    }
    let own = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, &error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| ServeError::new(format!("TLS: {error}")))?
        .with_no_client_auth()
        .with_single_cert(chain, own)
        .map_err(|error| wrong(certificate, &format!("{error} (key {})", key.display())))?;
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Ok(Arc::new(config))
}
