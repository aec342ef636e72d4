//! Whom to trust on encrypted connections to nodes.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use rookery_client::trust;
use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use tokio_rustls::TlsConnector;

/// Trusts the authorities in `ca`, or the system's; and the node whose certificate is the first in `own`, whatever its
/// names are: it is the one that this machine's configuration gives its node.
pub(super) fn connector(ca: Option<&Path>, own: Option<&Path>) -> Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    if let Some(file) = ca.map(Path::to_path_buf).or_else(trust::system_roots) {
        roots.add_parsable_certificates(certificates(&file)?);
    }
    // A file that cannot be read is the node's trouble: it has said so, and may be running with what it has read before.
    let pinned = own.and_then(|file| certificates(file).ok()).map(|mut chain| chain.swap_remove(0));
    Ok(TlsConnector::from(Arc::new(trust::client_config(Some(roots), pinned)?)))
}

/// At least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let read = trust::certificates(path);
    let found = read.with_context(|| format!("cannot read certificates from {}", path.display()))?;
    ensure!(!found.is_empty(), "{} holds no certificate", path.display());
    Ok(found)
}
