//! The cluster's own certificate authority: made once, it signs a certificate for each node, good for links alone.
//!
//! Nothing is read or written here. What a node loads is checked in [`LinkTls`](super::LinkTls).

use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose,
};
use rookery_store::keys::node::NodeName;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a CA is good for.
const CA_LIFE: Duration = Duration::from_secs(10 * 365 * DAY.as_secs());

/// How long a node's certificate is good for.
const NODE_LIFE: Duration = Duration::from_secs(2 * 365 * DAY.as_secs());

/// Certificates begin this long before they are made, for machines whose clocks are behind.
const BACKDATED: Duration = DAY;

/// A certificate and its private key, both as PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct CertificatePem {
    /// The certificate.
    pub certificate: String,
    /// Its key: nobody else's business.
    pub key: String,
}

impl std::fmt::Debug for CertificatePem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CertificatePem")
    }
}

/// Why a certificate could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    /// The name cannot stand in a certificate.
    #[error(
        "the node's name {0} is no part of a DNS name: each part between dots has 1 to 63 characters and does not end in '-'"
    )]
    Name(NodeName),
    /// The CA's key cannot be read.
    #[error("the key of the cluster's CA cannot be used")]
    Key(#[source] rcgen::Error),
    /// Anything else.
    #[error("the certificate could not be made")]
    Made(#[source] rcgen::Error),
}

/// A new CA for a cluster: ECDSA P-256, 10 years.
///
/// # Errors
/// When the system has no randomness.
pub fn make_ca() -> Result<CertificatePem, CaError> {
    let key = KeyPair::generate().map_err(CaError::Made)?;
    let mut params = authority();
    (params.not_before, params.not_after) = lifetime(CA_LIFE);
    let certificate = params.self_signed(&key).map_err(CaError::Made)?;
    Ok(CertificatePem { certificate: certificate.pem(), key: key.serialize_pem() })
}

/// A new key and certificate for a node: ECDSA P-256, 2 years, of use to both sides of a link.
///
/// # Errors
/// When the CA's key cannot be used or the name cannot stand in a certificate.
pub fn issue(ca: &CertificatePem, node: &NodeName) -> Result<CertificatePem, CaError> {
    let issuer = Issuer::new(authority(), KeyPair::from_pem(&ca.key).map_err(CaError::Key)?);
    let name = dns_name(node);
    if rustls_pki_types::DnsName::try_from(name.as_str()).is_err() {
        return Err(CaError::Name(node.clone()));
    }
    let key = KeyPair::generate().map_err(CaError::Made)?;
    let mut params = CertificateParams::new([name]).map_err(CaError::Made)?;
    params.distinguished_name = common_name(&format!("rookery node {node}"));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    (params.not_before, params.not_after) = lifetime(NODE_LIFE);
    let certificate = params.signed_by(&key, &issuer).map_err(CaError::Made)?;
    Ok(CertificatePem { certificate: certificate.pem(), key: key.serialize_pem() })
}

/// The name in the certificate of a node.
pub fn dns_name(node: &NodeName) -> String {
    format!("{node}.rookery.internal")
}

/// What every CA says of itself but for its key, which tells one from another: so that its key is enough to sign with.
pub(super) fn authority() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = common_name("rookery cluster CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn common_name(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

fn lifetime<Time: From<SystemTime>>(life: Duration) -> (Time, Time) {
    let now = SystemTime::now();
    ((now - BACKDATED).into(), (now + life).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_no_dns_name_is_refused() {
        let ca = make_ca().unwrap();
        for name in ["a-", "a..b", &"x".repeat(64)] {
            assert!(matches!(issue(&ca, &name.parse().unwrap()), Err(CaError::Name(_))), "{name}");
        }
        for name in ["node-1", "a.b", "a_b", &"x".repeat(63)] {
            issue(&ca, &name.parse().unwrap()).unwrap();
        }
    }

    #[test]
    fn a_key_that_is_none_is_refused() {
        let mut ca = make_ca().unwrap();
        ca.key = "rubbish".to_owned();
        assert!(matches!(issue(&ca, &"a".parse().unwrap()), Err(CaError::Key(_))));
    }
}
