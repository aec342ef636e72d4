//! TLS: which certificate, and how it is exchanged for a new one while the node runs.

mod self_signed;

use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

pub use self_signed::{SELF_SIGNED_NAMES, self_signed, self_signed_files};

/// A certificate and its key, as PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The chain, the node's own first.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read, or holds no PEM of the kind.
    #[error("cannot read the {what} {}", path.display())]
    Unreadable {
        /// Certificate or key.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: rustls_pki_types::pem::Error,
    },
    /// The certificate file holds none.
    #[error("{} holds no certificate", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// They do not belong together, or the key is of no use.
    #[error("the certificate {} cannot be used with the key {}", certificate.display(), key.display())]
    Mismatch {
        /// The certificate.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
        /// Why not.
        source: rustls::Error,
    },
}

/// The certificate in use; exchanged by [`reload`](Self::reload) without touching connections.
pub struct Certificate {
    files: CertificateFiles,
    current: RwLock<Arc<CertifiedKey>>,
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Certificate({})", self.files.certificate.display())
    }
}

impl Certificate {
    /// The one in the files.
    ///
    /// # Errors
    /// When they cannot be read or do not belong together.
    pub fn load(files: CertificateFiles) -> Result<Arc<Self>, CertificateError> {
        let current = RwLock::new(Arc::new(read(&files)?));
        Ok(Arc::new(Self { files, current }))
    }

    /// Reads the files again. On an error the old one stays.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn reload(&self) -> Result<(), CertificateError> {
        let read = Arc::new(read(&self.files)?);
        *self.current.write().expect("nothing panics while it holds this lock") = read;
        Ok(())
    }

    /// How a listener does TLS: 1.2 and 1.3, with whichever certificate is current at each handshake. `alpn` is what
    /// clients may ask for, if they ask.
    pub fn server_config(self: &Arc<Self>, alpn: &[&str]) -> Arc<ServerConfig> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .expect("the provider has suites for TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_cert_resolver(self.clone());
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        Arc::new(config)
    }

    fn current(&self) -> Arc<CertifiedKey> {
        self.current.read().expect("nothing panics while it holds this lock").clone()
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}

fn read(files: &CertificateFiles) -> Result<CertifiedKey, CertificateError> {
    let unreadable = |what, path: &Path| {
        let path = path.to_path_buf();
        move |source| CertificateError::Unreadable { what, path, source }
    };
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(unreadable("certificate", &files.certificate))?;
    if chain.is_empty() {
        return Err(CertificateError::Empty { path: files.certificate.clone() });
    }
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(unreadable("key", &files.key))?;
    CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider()).map_err(|source| {
        CertificateError::Mismatch { certificate: files.certificate.clone(), key: files.key.clone(), source }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::EngineKind;
    use crate::data_dir::DataDir;

    fn made() -> (tempfile::TempDir, CertificateFiles) {
        let directory = tempfile::tempdir().unwrap();
        let (data, _) = DataDir::open_or_create(directory.path(), EngineKind::Lmdb).unwrap();
        let files = self_signed(&data).unwrap();
        (directory, files)
    }

    #[test]
    fn a_reload_takes_the_new_certificate() {
        let (directory, files) = made();
        let certificate = Certificate::load(files.clone()).unwrap();
        let old = certificate.current().cert[0].clone();
        let (_other, others) = made();
        std::fs::copy(others.certificate, files.certificate).unwrap();
        std::fs::copy(others.key, files.key).unwrap();
        certificate.reload().unwrap();
        assert_ne!(certificate.current().cert[0], old);
        drop(directory);
    }

    #[test]
    fn a_reload_that_fails_keeps_the_old_certificate() {
        let (_directory, files) = made();
        let certificate = Certificate::load(files.clone()).unwrap();
        let old = certificate.current().cert[0].clone();
        std::fs::write(files.certificate, "rubbish").unwrap();
        assert!(matches!(certificate.reload(), Err(CertificateError::Empty { .. })));
        assert_eq!(certificate.current().cert[0], old);
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let (_directory, files) = made();
        let (_other, others) = made();
        let mixed = CertificateFiles { certificate: files.certificate, key: others.key };
        assert!(matches!(Certificate::load(mixed), Err(CertificateError::Mismatch { .. })));
    }
}
