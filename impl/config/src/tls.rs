//! The settings of rustls: TLS 1.3 with certificates on both ends, on the provider `ring`.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::ServerName;
use rustls::server::WebPkiClientVerifier;
use rustls::version::TLS13;
use rustls::{ClientConfig as TlsClientConfig, ServerConfig};
use steadfast_wire::Channel;

use crate::peer::node_name;
use crate::{ClientConfig, ConfigError, Credentials, NodeConfig, NodeName};

/// The protocols of clients, the preferred one first.
const HTTP: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// How a node accepts connections. It demands a certificate that the authority of the cluster signed; the
/// caller must refuse clients ([`peer_role`](crate::peer_role)) that negotiated a protocol for peers.
///
/// # Errors
/// A file cannot be read, or rustls refuses it.
pub fn server_config(config: &NodeConfig) -> Result<ServerConfig, ConfigError> {
    let files = &config.credentials;
    let loaded = files.load()?;
    let refused = |source| refused(files, source);
    let verifier = WebPkiClientVerifier::builder_with_provider(loaded.roots, provider())
        .build()
        .map_err(|it| refused(rustls::Error::General(it.to_string())))?;
    let mut tls = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(refused)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(loaded.chain, loaded.key)
        .map_err(refused)?;
    let peers = [Channel::Log, Channel::Contents].map(Channel::alpn);
    tls.alpn_protocols = HTTP.into_iter().chain(peers).map(<[u8]>::to_vec).collect();
    Ok(tls)
}

/// How a node connects to a peer on this channel, under the peer's [`server_name`].
///
/// # Errors
/// As [`server_config`].
pub fn peer_client_config(
    config: &NodeConfig,
    channel: Channel,
) -> Result<TlsClientConfig, ConfigError> {
    connecting(&config.credentials, &[channel.alpn()])
}

/// How a client connects to a node, under the node's [`server_name`].
///
/// # Errors
/// As [`server_config`].
pub fn client_config(config: &ClientConfig) -> Result<TlsClientConfig, ConfigError> {
    connecting(&config.credentials, &HTTP)
}

/// The name that the certificate of this node must have, whatever its address.
#[must_use]
pub fn server_name(node: &NodeName) -> ServerName<'static> {
    // A label of at most 32 letters, digits and hyphens makes a DNS name.
    ServerName::try_from(node_name(node)).expect("the name of a node is a DNS label")
}

fn connecting(files: &Credentials, alpn: &[&[u8]]) -> Result<TlsClientConfig, ConfigError> {
    let loaded = files.load()?;
    let mut tls = TlsClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(|source| refused(files, source))?
        .with_root_certificates(loaded.roots)
        .with_client_auth_cert(loaded.chain, loaded.key)
        .map_err(|source| refused(files, source))?;
    tls.alpn_protocols = alpn.iter().map(|it| it.to_vec()).collect();
    Ok(tls)
}

fn refused(files: &Credentials, source: rustls::Error) -> ConfigError {
    ConfigError::Tls { path: files.certificate.clone(), source }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}
