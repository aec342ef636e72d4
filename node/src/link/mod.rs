//! Links to the cluster's other nodes.

mod ca;
mod tls;

pub use ca::{CaError, CertificatePem, dns_name, issue, make_ca};
pub use tls::{LinkFiles, LinkTls, LinkTlsError};
