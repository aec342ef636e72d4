//! TLS 1.3 between nodes: both sides show a certificate of the cluster's own CA, with the name of the node in it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rookery_store::keys::node::NodeName;
use rustls::client::danger::ServerCertVerifier;
use rustls::client::{Resumption, WebPkiServerVerifier, verify_server_name};
use rustls::crypto::aws_lc_rs;
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{CertificateError as Rejected, ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};

use super::ca::{CertificatePem, dns_name};

/// Spoken on links and nowhere else, so that no other TLS of the node is mistaken for one.
const ALPN: &[u8] = b"rookery-link";

/// A certificate with less time left than this is to be exchanged for a new one.
const EXCHANGED_BEFORE_END: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// How far ahead the end of a certificate is looked for: 100 years.
const LIFE_MAX: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// Where a node's certificate for links is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkFiles {
    /// The certificate of the cluster's CA.
    pub ca: PathBuf,
    /// The node's own.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Why a node cannot take part in links.
#[derive(Debug, thiserror::Error)]
pub enum LinkTlsError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Something is no PEM of its kind.
    #[error("the {what} cannot be used")]
    Pem {
        /// CA, certificate or key.
        what: &'static str,
        /// Why not.
        source: rustls_pki_types::pem::Error,
    },
    /// There is no certificate where one should be.
    #[error("there is no certificate in the {0}")]
    Empty(&'static str),
    /// The certificate's time is over, or has not come.
    #[error("the node's certificate for links has expired or is not valid yet: issue a new one")]
    Expired(#[source] rustls::Error),
    /// Another CA signed it.
    #[error("the node's certificate for links is not signed by the cluster's CA")]
    OtherCa(#[source] rustls::Error),
    /// It is another node's.
    #[error("the node's certificate for links is not for {expected}")]
    OtherName {
        /// The name it should have.
        expected: String,
        /// What it has.
        source: rustls::Error,
    },
    /// It cannot be used for another reason, or not with this key.
    #[error("the node's certificate for links cannot be used")]
    Unusable(#[source] rustls::Error),
}

/// A node's part in TLS on links, both when it dials and when it is dialled.
#[derive(Clone)]
pub struct LinkTls {
    name: NodeName,
    verifier: Arc<WebPkiServerVerifier>,
    /// The node's certificate first, then those between it and the CA.
    chain: Vec<CertificateDer<'static>>,
    pub(super) server: Arc<ServerConfig>,
    pub(super) client: Arc<ClientConfig>,
}

impl std::fmt::Debug for LinkTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LinkTls({})", self.name)
    }
}

impl LinkTls {
    /// What the files hold, if it is good now for the node of this name.
    ///
    /// # Errors
    /// When it is not; the error says why.
    pub fn load(files: &LinkFiles, node: &NodeName) -> Result<Self, LinkTlsError> {
        let read = |path: &Path| {
            std::fs::read_to_string(path)
                .map_err(|source| LinkTlsError::Unreadable { path: path.to_path_buf(), source })
        };
        let own = CertificatePem { certificate: read(&files.certificate)?, key: read(&files.key)? };
        Self::from_pem(&read(&files.ca)?, &own, node)
    }

    /// The same from PEM in memory.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn from_pem(ca: &str, own: &CertificatePem, node: &NodeName) -> Result<Self, LinkTlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        for root in certificates("CA's certificate", ca)? {
            roots.add(root).map_err(LinkTlsError::Unusable)?;
        }
        let roots = Arc::new(roots);
        let chain = certificates("node's certificate for links", &own.certificate)?;
        let key = || {
            PrivateKeyDer::from_pem_slice(own.key.as_bytes())
                .map_err(|source| LinkTlsError::Pem { what: "node's key for links", source })
        };

        let unusable = |error: rustls::server::VerifierBuilderError| {
            LinkTlsError::Unusable(rustls::Error::General(error.to_string()))
        };
        let verifier = WebPkiServerVerifier::builder_with_provider(roots.clone(), provider.clone())
            .build()
            .map_err(unusable)?;
        let clients = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone())
            .build()
            .map_err(unusable)?;
        let name = server_name(node).map_err(|source| LinkTlsError::OtherName {
            expected: dns_name(node),
            source: rustls::Error::General(source.to_string()),
        })?;
        let now = UnixTime::now();
        verifier
            .verify_server_cert(&chain[0], &chain[1..], &name, &[], now)
            .map_err(|error| refused(error, node))?;
        clients.verify_client_cert(&chain[0], &chain[1..], now).map_err(|error| refused(error, node))?;

        let mut server = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("the provider has suites for TLS 1.3")
            .with_client_cert_verifier(clients)
            .with_single_cert(chain.clone(), key()?)
            .map_err(LinkTlsError::Unusable)?;
        server.alpn_protocols = vec![ALPN.to_vec()];
        // Links live long and are few: each shows its certificates anew.
        server.send_tls13_tickets = 0;
        let mut client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("the provider has suites for TLS 1.3")
            .with_root_certificates(roots)
            .with_client_auth_cert(chain.clone(), key()?)
            .map_err(LinkTlsError::Unusable)?;
        client.alpn_protocols = vec![ALPN.to_vec()];
        client.resumption = Resumption::disabled();

        Ok(Self { name: node.clone(), verifier, chain, server: Arc::new(server), client: Arc::new(client) })
    }

    /// Whether less than 30 days are left of the node's certificate: time for another.
    pub fn expires_soon(&self) -> bool {
        self.expires_within(EXCHANGED_BEFORE_END)
    }

    fn expires_within(&self, time: Duration) -> bool {
        !self.is_good_at(UnixTime::now().as_secs() + time.as_secs())
    }

    /// When the node's certificate expires, or one between it and the CA: seconds since 1970. One that is good for more
    /// than 100 years is said to expire then.
    pub fn expires_at(&self) -> u64 {
        // What verifies certificates does not tell their times, but it can be asked of any time.
        let mut good = UnixTime::now().as_secs();
        let mut over = good + LIFE_MAX.as_secs();
        while over - good > 1 {
            let between = good.midpoint(over);
            if self.is_good_at(between) {
                good = between;
            } else {
                over = between;
            }
        }
        over
    }

    fn is_good_at(&self, unix_seconds: u64) -> bool {
        let then = UnixTime::since_unix_epoch(Duration::from_secs(unix_seconds));
        let (own, between) = (&self.chain[0], &self.chain[1..]);
        server_name(&self.name)
            .is_ok_and(|name| self.verifier.verify_server_cert(own, between, &name, &[], then).is_ok())
    }
}

/// The name a node's certificate must carry.
pub(super) fn server_name(
    node: &NodeName,
) -> Result<ServerName<'static>, rustls_pki_types::InvalidDnsNameError> {
    ServerName::try_from(dns_name(node))
}

/// Whether a certificate that the CA has signed is this node's.
pub(super) fn is_of(certificate: &CertificateDer<'_>, node: &NodeName) -> bool {
    let Ok(name) = server_name(node) else { return false };
    ParsedCertificate::try_from(certificate).is_ok_and(|parsed| verify_server_name(&parsed, &name).is_ok())
}

fn certificates(what: &'static str, pem: &str) -> Result<Vec<CertificateDer<'static>>, LinkTlsError> {
    let chain = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|source| LinkTlsError::Pem { what, source })?;
    if chain.is_empty() { Err(LinkTlsError::Empty(what)) } else { Ok(chain) }
}

fn refused(error: rustls::Error, node: &NodeName) -> LinkTlsError {
    match &error {
        rustls::Error::InvalidCertificate(why) => match why {
            Rejected::Expired
            | Rejected::ExpiredContext { .. }
            | Rejected::NotValidYet
            | Rejected::NotValidYetContext { .. } => LinkTlsError::Expired(error),
            Rejected::UnknownIssuer | Rejected::BadSignature => LinkTlsError::OtherCa(error),
            Rejected::NotValidForName | Rejected::NotValidForNameContext { .. } => {
                LinkTlsError::OtherName { expected: dns_name(node), source: error }
            }
            _ => LinkTlsError::Unusable(error),
        },
        _ => LinkTlsError::Unusable(error),
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

    use super::super::ca::{authority, issue, make_ca};
    use super::*;

    const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

    fn name(text: &str) -> NodeName {
        text.parse().unwrap()
    }

    #[test]
    fn a_certificate_of_the_ca_is_good_for_its_node_for_two_years() {
        let ca = make_ca().unwrap();
        let own = issue(&ca, &name("a.b-1")).unwrap();
        let tls = LinkTls::from_pem(&ca.certificate, &own, &name("a.b-1")).unwrap();
        assert!(!tls.expires_within(YEAR));
        assert!(!tls.expires_within(2 * YEAR - Duration::from_secs(60)));
        assert!(tls.expires_within(2 * YEAR + Duration::from_secs(60)));
        let end = (UnixTime::now().as_secs() + 2 * YEAR.as_secs()) as f64;
        assert!((tls.expires_at() as f64 - end).abs() < 60.0);
    }

    #[test]
    fn a_certificate_with_another_between_it_and_the_ca_is_good_as_long() {
        let (root_key, between_key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let mut root = CertificateParams::default();
        root.distinguished_name.push(DnType::CommonName, "a root");
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = root.self_signed(&root_key).unwrap().pem();
        let between = authority().signed_by(&between_key, &Issuer::new(root, root_key)).unwrap().pem();
        let issuer = CertificatePem { certificate: between.clone(), key: between_key.serialize_pem() };
        let mut own = issue(&issuer, &name("a")).unwrap();
        own.certificate += &between;
        let tls = LinkTls::from_pem(&ca, &own, &name("a")).unwrap();
        assert!(!tls.expires_within(YEAR));
    }

    #[test]
    fn a_certificate_of_another_ca_is_refused() {
        let (ca, other) = (make_ca().unwrap(), make_ca().unwrap());
        let own = issue(&other, &name("a")).unwrap();
        let refused = LinkTls::from_pem(&ca.certificate, &own, &name("a")).unwrap_err();
        assert!(matches!(refused, LinkTlsError::OtherCa(_)), "{refused:?}");
    }

    #[test]
    fn a_certificate_of_another_node_is_refused() {
        let ca = make_ca().unwrap();
        let own = issue(&ca, &name("b")).unwrap();
        let refused = LinkTls::from_pem(&ca.certificate, &own, &name("a")).unwrap_err();
        assert!(matches!(refused, LinkTlsError::OtherName { .. }), "{refused:?}");
    }

    #[test]
    fn an_expired_certificate_is_refused() {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([dns_name(&name("a"))]).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2020, 1, 2);
        let ca = make_ca().unwrap();
        let issuer = Issuer::new(authority(), KeyPair::from_pem(&ca.key).unwrap());
        let certificate = params.signed_by(&key, &issuer).unwrap().pem();
        let own = CertificatePem { certificate, key: key.serialize_pem() };
        let refused = LinkTls::from_pem(&ca.certificate, &own, &name("a")).unwrap_err();
        assert!(matches!(refused, LinkTlsError::Expired(_)), "{refused:?}");
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let ca = make_ca().unwrap();
        let (own, other) = (issue(&ca, &name("a")).unwrap(), issue(&ca, &name("a")).unwrap());
        let mixed = CertificatePem { certificate: own.certificate, key: other.key };
        let refused = LinkTls::from_pem(&ca.certificate, &mixed, &name("a")).unwrap_err();
        assert!(matches!(refused, LinkTlsError::Unusable(_)), "{refused:?}");
    }

    #[test]
    fn files_that_are_missing_or_hold_rubbish_are_named() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let files = LinkFiles { ca: at("ca.pem"), certificate: at("link.pem"), key: at("link.key") };
        let missing = LinkTls::load(&files, &name("a")).unwrap_err();
        assert!(missing.to_string().contains("link.pem"), "{missing}");
        for file in [&files.ca, &files.certificate, &files.key] {
            std::fs::write(file, "rubbish").unwrap();
        }
        assert!(matches!(LinkTls::load(&files, &name("a")).unwrap_err(), LinkTlsError::Empty(_)));
        let ca = make_ca().unwrap();
        std::fs::write(&files.ca, &ca.certificate).unwrap();
        std::fs::write(&files.certificate, issue(&ca, &name("a")).unwrap().certificate).unwrap();
        let key = LinkTls::load(&files, &name("a")).unwrap_err();
        assert!(matches!(key, LinkTlsError::Pem { what: "node's key for links", .. }), "{key:?}");
    }

    #[test]
    fn a_name_is_that_of_the_certificate_and_no_other() {
        let ca = make_ca().unwrap();
        let own = issue(&ca, &name("a")).unwrap();
        let tls = LinkTls::from_pem(&ca.certificate, &own, &name("a")).unwrap();
        assert!(is_of(&tls.chain[0], &name("a")));
        for other in ["b", "a.a", "aa"] {
            assert!(!is_of(&tls.chain[0], &name(other)));
        }
    }
}
