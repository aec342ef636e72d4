//! The certificate that `--tls` makes: for this machine, trusted by whoever is given the file.

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};

use super::CertificateFiles;
use crate::data_dir::{DataDir, DataDirError, Visibility, write_new};

/// The names it is good for.
pub const SELF_SIGNED_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Where the data directory's own certificate is, made or not.
pub fn self_signed_files(data: &DataDir) -> CertificateFiles {
    let file = |name| data.path().join("tls").join(name);
    CertificateFiles { certificate: file("self-signed.pem"), key: file("self-signed.key") }
}

/// The data directory's own certificate, made if it is not there.
///
/// # Errors
/// When it cannot be made or written.
pub fn self_signed(data: &DataDir) -> Result<CertificateFiles, DataDirError> {
    let files = self_signed_files(data);
    if !files.certificate.exists() {
        let failed = |error: rcgen::Error| DataDirError::Keys {
            what: "a self-signed certificate",
            reason: error.to_string(),
        };
        // A key without its certificate is left from a start that was cut off: the certificate is made for it.
        if !files.key.exists() {
            let key = KeyPair::generate().map_err(failed)?;
            write_new(&files.key, key.serialize_pem().as_bytes(), Visibility::Owner)?;
        }
        let pem = std::fs::read_to_string(&files.key).map_err(DataDirError::refused("read", &files.key))?;
        let key = KeyPair::from_pem(&pem).map_err(failed)?;
        let mut params = CertificateParams::new(SELF_SIGNED_NAMES.map(String::from)).map_err(failed)?;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, format!("rookery {}", data.marker().node));
        let certificate = params.self_signed(&key).map_err(failed)?;
        write_new(&files.certificate, certificate.pem().as_bytes(), Visibility::Everyone)?;
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::config::EngineKind;

    #[test]
    fn it_is_made_once_and_its_key_is_private() {
        let directory = tempfile::tempdir().unwrap();
        let (data, _) = DataDir::open_or_create(directory.path(), EngineKind::Lmdb).unwrap();
        let files = self_signed(&data).unwrap();
        let first = std::fs::read(&files.certificate).unwrap();
        assert_eq!(files.key.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(self_signed(&data).unwrap(), files);
        assert_eq!(std::fs::read(&files.certificate).unwrap(), first);
    }
}
