//! The certificates for links: the cluster's own CA, and one that it signs for each node.
//!
//! Only the node that holds a name's lock writes its certificate. The CA is made by whoever comes first, under a lock.

use std::fs::{self, File};
use std::path::Path;

use rookery_store::keys::node::NodeName;

use super::secret_file::{Visibility, make_private, replace};
use super::{DataDir, DataDirError, lock};
use crate::config::ClusterConfig;
use crate::link::{CaError, CertificatePem, LinkFiles, LinkTls, issue, make_ca};

impl DataDir {
    /// The node's files for links: those that the configuration names, else this directory's own.
    ///
    /// # Errors
    /// When there are none and they cannot be made.
    pub fn link_files(&self, config: &ClusterConfig, node: &NodeName) -> Result<LinkFiles, DataDirError> {
        match (&config.ca, &config.certificate, &config.key) {
            (Some(ca), Some(certificate), Some(key)) => Ok(LinkFiles {
                ca: ca.get_ref().clone(),
                certificate: certificate.get_ref().clone(),
                key: key.get_ref().clone(),
            }),
            _ => self.link_certificate(node),
        }
    }

    /// The node's certificate for links, issued by this directory's CA if there is none that is good for a while yet.
    /// One that is not, and cannot be issued again, is used until its end. For the node that holds the lock of that
    /// name, when it starts.
    ///
    /// # Errors
    /// When there is none and it cannot be made.
    pub fn link_certificate(&self, node: &NodeName) -> Result<LinkFiles, DataDirError> {
        let own = lock::node_directory(&self.path, node);
        let files = LinkFiles {
            ca: self.path.join("ca/ca.pem"),
            certificate: own.join("link.pem"),
            key: own.join("link.key"),
        };
        if !LinkTls::load(&files, node).is_ok_and(|tls| !tls.expires_soon())
            && let Err(error) = self.issue_link_certificate(node, &files)
        {
            if LinkTls::load(&files, node).is_err() {
                return Err(error);
            }
            let error: &dyn std::error::Error = &error;
            tracing::warn!(error, "the certificate for links cannot be issued again");
        }
        Ok(files)
    }

    fn issue_link_certificate(&self, node: &NodeName, files: &LinkFiles) -> Result<(), DataDirError> {
        let issued = issue(&self.link_ca()?, node).map_err(failed("a certificate for links"))?;
        make_private(&lock::node_directory(&self.path, node), "make the directory")?;
        // The key first: one that does not fit the certificate is found at the next start, and both are made anew.
        replace(&files.key, issued.key.as_bytes(), Visibility::Owner)?;
        replace(&files.certificate, issued.certificate.as_bytes(), Visibility::Everyone)
    }

    /// Makes what the cluster's nodes on all machines have in common, as far as it is not there: keys, admin token and,
    /// unless the configuration names another, the CA.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn make_shared(&self, config: &ClusterConfig) -> Result<(), DataDirError> {
        self.token_keys()?;
        self.admin_token()?;
        if config.ca.is_none() {
            self.make_link_ca()?;
        }
        Ok(())
    }

    /// The cluster's CA, made if it is not there.
    ///
    /// # Errors
    /// When it cannot be read or made.
    pub fn link_ca(&self) -> Result<CertificatePem, DataDirError> {
        self.make_link_ca()?;
        let read = |path: &Path| fs::read_to_string(path).map_err(DataDirError::refused("read", path));
        let directory = self.path.join("ca");
        Ok(CertificatePem {
            certificate: read(&directory.join("ca.pem"))?,
            key: read(&directory.join("ca.key"))?,
        })
    }

    fn make_link_ca(&self) -> Result<(), DataDirError> {
        let directory = self.path.join("ca");
        let certificate = directory.join("ca.pem");
        if certificate.exists() {
            return Ok(());
        }
        make_private(&directory, "make the directory")?;
        let lock = File::open(&directory).and_then(|directory| directory.lock().map(|()| directory));
        let _lock = lock.map_err(DataDirError::refused("lock", &directory))?;
        // Another process may have been first. Its certificate was the last thing it wrote.
        if certificate.exists() {
            return Ok(());
        }
        let made = make_ca().map_err(failed("the CA for links"))?;
        replace(&directory.join("ca.key"), made.key.as_bytes(), Visibility::Owner)?;
        replace(&certificate, made.certificate.as_bytes(), Visibility::Everyone)
    }
}

fn failed(what: &'static str) -> impl FnOnce(CaError) -> DataDirError {
    move |error| DataDirError::Keys { what, reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::config::EngineKind;

    fn made() -> (tempfile::TempDir, DataDir) {
        let directory = tempfile::tempdir().unwrap();
        let (data, _) = DataDir::open_or_create(directory.path(), EngineKind::Lmdb).unwrap();
        (directory, data)
    }

    fn name(name: &str) -> NodeName {
        name.parse().unwrap()
    }

    #[test]
    fn the_ca_and_a_certificate_are_made_once_and_their_keys_are_private() {
        let (_directory, data) = made();
        let files = data.link_certificate(&name("rook-1")).unwrap();
        LinkTls::load(&files, &name("rook-1")).unwrap();
        let before = fs::read(&files.certificate).unwrap();
        let ca = data.link_ca().unwrap();
        assert_eq!(data.link_certificate(&name("rook-1")).unwrap(), files);
        assert_eq!(fs::read(&files.certificate).unwrap(), before);
        assert!(data.link_ca().unwrap() == ca);
        for key in [files.key, data.path().join("ca/ca.key")] {
            assert_eq!(key.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn those_who_start_at_once_agree_on_one_ca() {
        let (_directory, data) = made();
        let together = std::sync::Barrier::new(8);
        let cas: Vec<CertificatePem> = std::thread::scope(|threads| {
            let start = || {
                together.wait();
                data.link_ca().unwrap()
            };
            let started: Vec<_> = (0..8).map(|_| threads.spawn(start)).collect();
            started.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(cas.iter().all(|ca| *ca == cas[0]));
    }

    #[test]
    fn a_certificate_that_is_damaged_anothers_or_of_another_ca_is_exchanged() {
        let (_directory, data) = made();
        let files = data.link_certificate(&name("rook-1")).unwrap();
        let good = |files: &LinkFiles| LinkTls::load(files, &name("rook-1")).is_ok();
        let (_other, others) = made();
        let foreign = others.link_certificate(&name("rook-1")).unwrap();
        let wrong = data.link_certificate(&name("rook-2")).unwrap();
        for (certificate, key) in [
            (&foreign.certificate, &foreign.key),
            (&wrong.certificate, &wrong.key),
            (&files.certificate, &wrong.key),
        ] {
            let pair = [certificate, key].map(|file| fs::read(file).unwrap());
            fs::write(&files.certificate, &pair[0]).unwrap();
            fs::write(&files.key, &pair[1]).unwrap();
            assert!(!good(&files));
            data.link_certificate(&name("rook-1")).unwrap();
            assert!(good(&files));
        }
    }

    #[test]
    fn a_certificate_with_less_than_a_month_left_is_exchanged_and_one_with_more_is_not() {
        let (_directory, data) = made();
        let ca = data.link_ca().unwrap();
        let files = data.link_certificate(&name("rook-1")).unwrap();
        for (days_left, exchanged) in [(29, true), (31, false)] {
            let short = lasting(&ca, &name("rook-1"), days_left);
            fs::write(&files.certificate, &short.certificate).unwrap();
            fs::write(&files.key, &short.key).unwrap();
            LinkTls::load(&files, &name("rook-1")).unwrap();
            data.link_certificate(&name("rook-1")).unwrap();
            assert_eq!(fs::read_to_string(&files.certificate).unwrap() != short.certificate, exchanged);
        }
    }

    /// What `issue` makes, but for so many days.
    fn lasting(ca: &CertificatePem, node: &NodeName, days: u64) -> CertificatePem {
        use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair};
        let mut authority = CertificateParams::default();
        authority.distinguished_name = DistinguishedName::new();
        authority.distinguished_name.push(DnType::CommonName, "rookery cluster CA");
        let issuer = Issuer::new(authority, KeyPair::from_pem(&ca.key).unwrap());
        let mut params = CertificateParams::new([crate::link::dns_name(node)]).unwrap();
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let end = std::time::SystemTime::now() + std::time::Duration::from_secs(days * 24 * 60 * 60);
        params.not_after = end.into();
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        CertificatePem { certificate: certificate.pem(), key: key.serialize_pem() }
    }

    #[test]
    fn a_first_start_that_was_cut_off_between_key_and_certificate_is_taken_up_again() {
        let (_directory, data) = made();
        data.link_ca().unwrap();
        fs::remove_file(data.path().join("ca/ca.pem")).unwrap();
        let files = data.link_certificate(&name("rook-1")).unwrap();
        LinkTls::load(&files, &name("rook-1")).unwrap();
    }

    #[test]
    fn the_directory_of_another_machine_is_the_same_cluster_and_another_node() {
        let (_directory, first) = made();
        first.make_shared(&ClusterConfig::default()).unwrap();
        first.link_certificate(&name("chat1")).unwrap();
        let other = tempfile::tempdir().unwrap();
        for directory in ["keys", "ca"] {
            fs::create_dir(other.path().join(directory)).unwrap();
            for file in fs::read_dir(first.path().join(directory)).unwrap() {
                let file = file.unwrap();
                fs::copy(file.path(), other.path().join(directory).join(file.file_name())).unwrap();
            }
        }
        fs::copy(first.path().join("rookery.toml"), other.path().join("rookery.toml")).unwrap();

        let (second, made_now) = DataDir::open_or_create(other.path(), EngineKind::Lmdb).unwrap();
        assert!(!made_now);
        assert_eq!(second.marker().cluster, first.marker().cluster);
        assert_eq!(second.token_keys().unwrap().public(), first.token_keys().unwrap().public());
        assert_eq!(second.admin_token().unwrap(), first.admin_token().unwrap());
        assert!(second.link_ca().unwrap() == first.link_ca().unwrap());
        let _running = second.lock(&name("chat2")).unwrap();
        assert_eq!(second.running()[0].name, name("chat2"));
        let own = second.link_certificate(&name("chat2")).unwrap();
        // The first machine takes the second's node for one of the cluster's.
        LinkTls::load(&LinkFiles { ca: first.path().join("ca/ca.pem"), ..own }, &name("chat2")).unwrap();
    }

    #[test]
    fn a_machine_without_the_cas_key_goes_on_with_the_certificate_it_was_given() {
        let (_directory, data) = made();
        let (ca, files) = (data.link_ca().unwrap(), data.link_certificate(&name("rook-1")).unwrap());
        fs::remove_file(data.path().join("ca/ca.key")).unwrap();
        data.make_shared(&ClusterConfig::default()).unwrap();
        assert_eq!(data.link_certificate(&name("rook-1")).unwrap(), files);
        // Also when it is about to end.
        let short = lasting(&ca, &name("rook-1"), 29);
        fs::write(&files.certificate, &short.certificate).unwrap();
        fs::write(&files.key, &short.key).unwrap();
        assert_eq!(data.link_certificate(&name("rook-1")).unwrap(), files);
        assert!(LinkTls::load(&files, &name("rook-1")).unwrap().expires_soon());
        let error = data.link_certificate(&name("rook-2")).unwrap_err();
        assert!(error.to_string().ends_with("/ca/ca.key"), "{error}");
    }

    #[test]
    fn files_that_the_configuration_names_go_first() {
        let (_directory, data) = made();
        let text = "[cluster]\nca = \"a\"\ncertificate = \"b\"\nkey = \"c\"\n";
        let config = crate::config::Config::parse(text, Path::new("/etc/cluster.toml")).unwrap();
        let files = data.link_files(&config.cluster, &name("rook-1")).unwrap();
        assert_eq!(files.certificate, Path::new("/etc/b"));
        assert!(!data.path().join("ca").exists());
        let own = data.link_files(&ClusterConfig::default(), &name("rook-1")).unwrap();
        assert!(own.certificate.exists());
    }
}
