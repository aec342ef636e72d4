//! Whom a client trusts, and TLS made of it, with an explicit provider: nothing process-wide is installed.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::NodeAddress;

/// Where systems keep the certificates they trust.
const SYSTEM_ROOTS: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

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
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder =
            ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
        let config = match options {
            TlsOptions::System => {
                let path = system_roots().ok_or(TlsError::NoSystemRoots)?;
                builder.with_root_certificates(roots(&path)?).with_no_client_auth()
            }
            TlsOptions::Ca(path) => builder.with_root_certificates(roots(path)?).with_no_client_auth(),
            TlsOptions::Pinned(path) => {
                let pinned = certificates(path)?.swap_remove(0);
                let verifier = Arc::new(Pin { pinned, provider });
                builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()
            }
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

fn system_roots() -> Option<PathBuf> {
    let named = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    named.into_iter().chain(SYSTEM_ROOTS.map(PathBuf::from)).find(|path| path.is_file())
}

fn roots(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates(path)?);
    Ok(roots)
}

/// At least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let fail = |source| TlsError::Certificates { path: path.to_path_buf(), source };
    let found = CertificateDer::pem_file_iter(path).map_err(|error| fail(Some(error)))?;
    let found: Vec<_> = found.collect::<Result<_, _>>().map_err(|error| fail(Some(error)))?;
    if found.is_empty() { Err(fail(None)) } else { Ok(found) }
}

/// Trusts one certificate, and the holder of its key.
#[derive(Debug)]
struct Pin {
    pinned: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pin {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if *end_entity == self.pinned {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
