//! Making certificates.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use time::{Duration, OffsetDateTime};

use crate::peer::{CLIENT_NAME, node_name};
use crate::{Address, ClusterId, InitError, NodeName};

/// How long the authority of a cluster is valid. All certificates of the cluster end with it.
pub const CA_YEARS: u32 = 20;
/// How long certificates of nodes and clients are valid; [`renew`](fn@crate::renew) makes the next ones.
pub const LEAF_YEARS: u32 = 2;

/// Certificates are valid from this long before they were made, because clocks differ.
const CLOCK_TOLERANCE: Duration = Duration::days(1);

/// The name of the authority of a cluster.
pub(crate) fn authority_name(cluster: ClusterId) -> String {
    format!("steadfast cluster {cluster}")
}

/// The owner of a certificate that is to be made.
pub(crate) enum Owner<'a> {
    Node(&'a NodeName, &'a Address),
    Client,
}

/// A certificate and its private key, PEM.
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// Makes the authority of a cluster.
pub(crate) fn authority(
    cluster: ClusterId,
) -> Result<(Pair, Issuer<'static, KeyPair>), rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = valid_for(CA_YEARS);
    params.distinguished_name = named(&authority_name(cluster));
    // It signs certificates of nodes and clients and no further authorities.
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let certificate = params.self_signed(&key)?.pem();
    let pair = Pair { certificate, key: key.serialize_pem() };
    Ok((pair, Issuer::new(params, key)))
}

/// Makes a key and its certificate.
pub(crate) fn pair(issuer: &Issuer<'_, KeyPair>, owner: &Owner<'_>) -> Result<Pair, InitError> {
    let key = KeyPair::generate()?;
    Ok(Pair { certificate: signed(issuer, owner, &key)?, key: key.serialize_pem() })
}

/// Signs a certificate for a key.
pub(crate) fn signed(
    issuer: &Issuer<'_, KeyPair>,
    owner: &Owner<'_>,
    key: &KeyPair,
) -> Result<String, InitError> {
    let mut params = valid_for(LEAF_YEARS);
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let client = ExtendedKeyUsagePurpose::ClientAuth;
    match owner {
        Owner::Node(name, address) => {
            params.distinguished_name = named(&format!("steadfast node {name}"));
            params.subject_alt_names = vec![dns(&node_name(name))?, host(address)?];
            // A node also connects to its peers.
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, client];
        }
        Owner::Client => {
            params.distinguished_name = named("steadfast client");
            params.subject_alt_names = vec![dns(CLIENT_NAME)?];
            params.extended_key_usages = vec![client];
        }
    }
    Ok(params.signed_by(key, issuer)?.pem())
}

fn valid_for(years: u32) -> CertificateParams {
    let now = OffsetDateTime::now_utc();
    let mut params = CertificateParams::default();
    params.not_before = now - CLOCK_TOLERANCE;
    params.not_after = now + Duration::days(365 * i64::from(years));
    params
}

fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

fn dns(name: &str) -> Result<SanType, rcgen::Error> {
    Ok(SanType::DnsName(name.try_into()?))
}

/// The name by which programs that know only the address, such as curl, verify a node.
fn host(address: &Address) -> Result<SanType, rcgen::Error> {
    match address.ip() {
        Some(ip) => Ok(SanType::IpAddress(ip)),
        None => dns(address.host()),
    }
}
