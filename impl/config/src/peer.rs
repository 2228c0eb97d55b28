//! The role that a certificate gives to its owner.

use rustls::pki_types::CertificateDer;
use thiserror::Error;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use crate::NodeName;

/// The domain in which certificates name nodes. It names no machine.
const NODE_DOMAIN: &str = ".node.steadfast";
/// The name in the certificate of a client.
pub(crate) const CLIENT_NAME: &str = "client.steadfast";

/// The owner of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// A node: peer and server.
    Node(NodeName),
    /// A client.
    Client,
}

/// A certificate gives no role.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PeerError {
    /// There is no certificate.
    #[error("the peer has no certificate")]
    Missing,
    /// It cannot be parsed.
    #[error("the certificate of the peer is damaged")]
    Damaged,
    /// It names no role, or several.
    #[error(
        "the certificate of the peer names {0:?}; expected one NAME{NODE_DOMAIN}, or {CLIENT_NAME}"
    )]
    Names(Vec<String>),
}

/// The DNS name of a node in its certificate.
pub(crate) fn node_name(name: &NodeName) -> String {
    format!("{name}{NODE_DOMAIN}")
}

/// The role of the peer of a connection whose handshake is complete, from
/// `connection.peer_certificates()`. rustls has verified by then that the authority of the cluster signed it.
///
/// # Errors
/// There is no certificate, or it does not give exactly one role.
pub fn peer_role(certificates: Option<&[CertificateDer<'_>]>) -> Result<Role, PeerError> {
    let own = certificates.and_then(|it| it.first()).ok_or(PeerError::Missing)?;
    let (_, certificate) = X509Certificate::from_der(own).map_err(|_| PeerError::Damaged)?;
    role(&certificate)
}

pub(crate) fn role(certificate: &X509Certificate<'_>) -> Result<Role, PeerError> {
    let names = certificate.subject_alternative_name().map_err(|_| PeerError::Damaged)?;
    let names: Vec<&str> = names.map_or_else(Vec::new, |it| {
        let dns = |name: &GeneralName<'_>| matches!(name, GeneralName::DNSName(_));
        let dns = it.value.general_names.iter().filter(|it| dns(it));
        dns.map(|it| if let GeneralName::DNSName(name) = it { *name } else { "" }).collect()
    });
    let node = |it: &&str| it.strip_suffix(NODE_DOMAIN).and_then(|it| it.parse().ok());
    let mut roles = names.iter().filter_map(|it| match *it == CLIENT_NAME {
        true => Some(Role::Client),
        false => node(it).map(Role::Node),
    });
    match (roles.next(), roles.next()) {
        (Some(role), None) => Ok(role),
        _ => Err(PeerError::Names(names.into_iter().map(str::to_owned).collect())),
    }
}
