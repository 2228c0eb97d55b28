//! Certificates and keys as files.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::certificates::authority_name;
use crate::peer::role;
use crate::{ClusterId, ConfigError, NodeName, Role, file};

/// Where a certificate, its key and the authority of the cluster are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The certificate, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM; readable by its owner only.
    pub key: PathBuf,
    /// The certificate of the authority of the cluster, PEM.
    pub authority: PathBuf,
}

/// Credentials in memory.
pub(crate) struct Loaded {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
    pub(crate) roots: Arc<RootCertStore>,
}

impl Credentials {
    /// Refuses credentials that are not those of this node.
    pub(crate) fn check_node(
        &self,
        cluster: ClusterId,
        name: &NodeName,
    ) -> Result<(), ConfigError> {
        self.check(cluster, &Role::Node(name.clone()))
    }

    /// Refuses credentials that are not those of a client.
    pub(crate) fn check_client(&self, cluster: ClusterId) -> Result<(), ConfigError> {
        self.check(cluster, &Role::Client)
    }

    fn check(&self, cluster: ClusterId, expected: &Role) -> Result<(), ConfigError> {
        let now = OffsetDateTime::now_utc();
        let wrong = |path: &Path, why| ConfigError::Credential { path: path.to_owned(), why };
        let authority = certificate(&self.authority)?;
        let authority = parsed(&authority, &self.authority)?;
        check_validity(&authority, &self.authority, now, true)?;
        let name = authority_name(cluster);
        let found = common_name(&authority);
        if found != name {
            let why = format!(
                "it is the authority of another cluster, named {found:?}; expected {name:?}"
            );
            return Err(wrong(&self.authority, why));
        }
        let own = certificate(&self.certificate)?;
        let own = parsed(&own, &self.certificate)?;
        if own.issuer() != authority.subject() {
            let why = "another authority signed this certificate, so it belongs to another cluster";
            return Err(wrong(&self.certificate, why.to_owned()));
        }
        let found = role(&own).map_err(|it| wrong(&self.certificate, it.to_string()))?;
        if found != *expected {
            let why = format!("this certificate is of {}, not of {}", of(&found), of(expected));
            return Err(wrong(&self.certificate, why));
        }
        check_validity(&own, &self.certificate, now, false)?;
        check_mode(&self.key)
    }

    /// Reads the files for rustls.
    pub(crate) fn load(&self) -> Result<Loaded, ConfigError> {
        let mut roots = RootCertStore::empty();
        roots
            .add(certificate(&self.authority)?)
            .map_err(|source| ConfigError::Tls { path: self.authority.clone(), source })?;
        let text = file::text(&self.key)?;
        let key = PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|error| {
            let why = format!("it holds no private key in PEM form: {error}");
            ConfigError::Credential { path: self.key.clone(), why }
        })?;
        Ok(Loaded { chain: vec![certificate(&self.certificate)?], key, roots: roots.into() })
    }
}

fn of(role: &Role) -> String {
    match role {
        Role::Node(name) => format!("node {name}"),
        Role::Client => "a client".to_owned(),
    }
}

/// The only certificate in a file.
fn certificate(path: &Path) -> Result<CertificateDer<'static>, ConfigError> {
    let text = file::text(path)?;
    let wrong = |why: String| ConfigError::Credential { path: path.to_owned(), why };
    let mut all = CertificateDer::pem_slice_iter(text.as_bytes());
    match (all.next(), all.next()) {
        (Some(Ok(certificate)), None) => Ok(certificate),
        (None, _) => Err(wrong("it holds no certificate in PEM form".to_owned())),
        (Some(Err(error)), _) => Err(wrong(format!("it is damaged: {error}"))),
        (Some(_), Some(_)) => Err(wrong("it holds several certificates; expected one".to_owned())),
    }
}

fn parsed<'a>(
    certificate: &'a CertificateDer<'_>,
    path: &Path,
) -> Result<X509Certificate<'a>, ConfigError> {
    let parsed = X509Certificate::from_der(certificate).map(|(_, it)| it);
    parsed.map_err(|error| ConfigError::Credential {
        path: path.to_owned(),
        why: format!("the certificate is damaged: {error}"),
    })
}

fn common_name(certificate: &X509Certificate<'_>) -> String {
    let name = certificate.subject().iter_common_name().next();
    name.and_then(|it| it.as_str().ok()).unwrap_or_default().to_owned()
}

fn check_validity(
    certificate: &X509Certificate<'_>,
    path: &Path,
    now: OffsetDateTime,
    is_authority: bool,
) -> Result<(), ConfigError> {
    let validity = certificate.validity();
    let (from, until) = (validity.not_before.to_datetime(), validity.not_after.to_datetime());
    if now < from {
        return Err(ConfigError::NotYetValid { path: path.to_owned(), from: date(from) });
    }
    if now > until {
        let since = date(until);
        return Err(ConfigError::Expired { path: path.to_owned(), since, is_authority });
    }
    Ok(())
}

/// A moment as text.
pub(crate) fn date(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_else(|_| at.unix_timestamp().to_string())
}

fn check_mode(path: &Path) -> Result<(), ConfigError> {
    let metadata = std::fs::metadata(path)
        .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    let mode = metadata.permissions().mode() & 0o777;
    match mode & 0o007 {
        0 => Ok(()),
        _ => Err(ConfigError::Exposed { path: path.to_owned(), mode }),
    }
}
