//! Renewing the certificates of a cluster.

use std::path::{Path, PathBuf};

use rcgen::{Issuer, KeyPair};
use time::{Duration, OffsetDateTime};

use crate::certificates::{LEAF_YEARS, Owner, signed};
use crate::client::nodes_in;
use crate::credentials::date;
use crate::durable::replace;
use crate::{Address, ConfigError, InitError, NodeName, file};

/// The certificates that were renewed.
#[derive(Clone, Debug)]
pub struct Renewed {
    /// The files, to be copied to the machines of their nodes and clients.
    pub certificates: Vec<PathBuf>,
    /// The moment until which they are valid.
    pub until: String,
}

/// Makes the next certificates of all nodes and of the client in the directory that `init` made, expired or not.
/// Keys and the authority stay, so nodes with old and with renewed certificates trust each other. Each
/// certificate is replaced in one step. Nodes and clients load theirs when they start.
///
/// # Errors
/// A file is missing or damaged, or cannot be written. Certificates that were renewed before the failure stay
/// renewed, and a further call renews the rest.
pub fn renew(directory: &Path) -> Result<Renewed, InitError> {
    let issuer = issuer(directory)?;
    let client = directory.join("client");
    let mut signatures = Vec::new();
    for (name, address) in nodes(&client)? {
        let path = directory.join(name.as_str());
        signatures.push(next(&issuer, &Owner::Node(&name, &address), &path)?);
    }
    signatures.push(next(&issuer, &Owner::Client, &client)?);
    for (path, certificate) in &signatures {
        replace(path, certificate)?;
    }
    let until = OffsetDateTime::now_utc() + Duration::days(365 * i64::from(LEAF_YEARS));
    let certificates = signatures.into_iter().map(|(path, _)| path).collect();
    Ok(Renewed { certificates, until: date(until) })
}

fn issuer(directory: &Path) -> Result<Issuer<'static, KeyPair>, InitError> {
    let (certificate, key) = (directory.join("ca.pem"), directory.join("ca-key.pem"));
    let parsed = Issuer::from_ca_cert_pem(&file::text(&certificate)?, key_pair(&key)?);
    parsed.map_err(|error| damaged(&certificate, &error))
}

/// The nodes that the client knows.
fn nodes(client: &Path) -> Result<Vec<(NodeName, Address)>, InitError> {
    let nodes = nodes_in(client)?;
    Ok(nodes.into_iter().map(|it| (it.name, it.address)).collect())
}

/// The next certificate for the key in a directory, with the path where it belongs.
fn next(
    issuer: &Issuer<'_, KeyPair>,
    owner: &Owner<'_>,
    directory: &Path,
) -> Result<(PathBuf, String), InitError> {
    let key = key_pair(&directory.join("key.pem"))?;
    Ok((directory.join("cert.pem"), signed(issuer, owner, &key)?))
}

fn key_pair(path: &Path) -> Result<KeyPair, InitError> {
    KeyPair::from_pem(&file::text(path)?).map_err(|error| damaged(path, &error))
}

fn damaged(path: &Path, error: &rcgen::Error) -> InitError {
    let why = format!("it is damaged: {error}");
    ConfigError::Credential { path: path.to_owned(), why }.into()
}
