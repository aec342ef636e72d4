//! The admin API over TLS.

use std::sync::Arc;

use rookery_node::config::EngineKind;
use rookery_node::data_dir::DataDir;
use rookery_node::tls::self_signed;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::http::ask_over;
use crate::node::Admin;

#[tokio::test]
async fn with_a_certificate_it_is_encrypted_and_only_then_answers() {
    let made = tempfile::tempdir().unwrap();
    let (data, _) = DataDir::open_or_create(made.path(), EngineKind::Memory).unwrap();
    let files = self_signed(&data).unwrap();
    let more =
        format!("certificate = \"{}\"\nkey = \"{}\"\n", files.certificate.display(), files.key.display());
    let admin = Admin::start_with(EngineKind::Memory, &more).await;
    assert!(admin.node.listening().admin.as_ref().unwrap().starts_with("https://"));

    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&files.certificate).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(admin.address()).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TlsConnector::from(Arc::new(client)).connect(name, stream).await.unwrap();
    let answer = ask_over(stream, &admin.request("GET", "/v1/status", &Value::Null)).await;
    assert_eq!(answer.status, 200);

    let mut plain = TcpStream::connect(admin.address()).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut plain, b"GET /v1/status HTTP/1.0\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    // It may be reset as well as closed.
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
}
