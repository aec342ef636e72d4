//! Whom a client trusts, and TLS made of it, with an explicit provider: nothing process-wide is installed.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::NodeAddress;
use crate::trust::{self, client_config, system_roots};

/// Whom to trust on encrypted connections.
#[derive(Debug, Clone, Default)]
pub enum TlsOptions {
    /// The authorities that this system trusts, from `SSL_CERT_FILE` or the usual places.
    #[default]
    System,
    /// The authorities in a PEM file, and nobody else. A self-signed certificate is its own authority.
    Ca(PathBuf),
    /// The server whose certificate is the first in a PEM file, whatever its name and dates.
    Pinned(PathBuf),
}

/// Why encrypted connections cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is unreadable or has no certificate.
    #[error("{}: no certificate can be read from it", .path.display())]
    Certificates {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Option<rustls_pki_types::pem::Error>,
    },
    /// This system has no list of authorities.
    #[error(
        "no list of trusted authorities was found on this system: name a CA file, or pin the certificate"
    )]
    NoSystemRoots,
    /// Unusable settings.
    #[error("TLS cannot be set up")]
    Setup(#[from] rustls::Error),
}

/// TLS, ready to connect.
pub(crate) struct Tls(TlsConnector);

impl Tls {
    pub(crate) fn new(options: &TlsOptions) -> Result<Self, TlsError> {
        let config = match options {
            TlsOptions::System => {
                let path = system_roots().ok_or(TlsError::NoSystemRoots)?;
                client_config(Some(roots(&path)?), None)?
            }
            TlsOptions::Ca(path) => client_config(Some(roots(path)?), None)?,
            TlsOptions::Pinned(path) => client_config(None, Some(certificates(path)?.swap_remove(0)))?,
        };
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    pub(crate) async fn connect(
        &self,
        node: &NodeAddress,
        socket: TcpStream,
    ) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(node.host().to_owned()).map_err(io::Error::other)?;
        self.0.connect(name, socket).await
    }
}

fn roots(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates(path)?);
    Ok(roots)
}

/// At least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let fail = |source| TlsError::Certificates { path: path.to_path_buf(), source };
    let found = trust::certificates(path).map_err(|error| fail(Some(error)))?;
    if found.is_empty() { Err(fail(None)) } else { Ok(found) }
}
