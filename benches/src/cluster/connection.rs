//! A connection of a load generator: the same TLS and the same HTTP library for both systems.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use rustls::pki_types::ServerName;
use steadfast_config::{ClientConfig, client_config};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::Result;
use super::etcd::messages::{
    PutRequest, RangeRequest, RangeResponse, StatusRequest, StatusResponse,
};

/// How a system is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Files over HTTP/1.1.
    Files,
    /// etcd's gRPC over HTTP/2.
    Grpc,
}

/// The way to a node.
#[derive(Clone)]
pub(crate) struct Endpoint {
    dialect: Dialect,
    port: u16,
    tls: TlsConnector,
}

impl Endpoint {
    /// The node that listens on this port of loopback, with the certificates of this cluster.
    pub(crate) fn new(dialect: Dialect, port: u16, config: &ClientConfig) -> Result<Endpoint> {
        let mut tls = client_config(config)?;
        let alpn: &[u8] = match dialect {
            Dialect::Files => b"http/1.1",
            Dialect::Grpc => b"h2",
        };
        tls.alpn_protocols = vec![alpn.to_vec()];
        Ok(Endpoint { dialect, port, tls: TlsConnector::from(Arc::new(tls)) })
    }

    /// Connects within this time.
    pub(crate) async fn connect(&self, patience: Duration) -> Result<Connection> {
        tokio::time::timeout(patience, self.connected()).await?
    }

    /// A TLS connection to another port, with the settings of this endpoint.
    pub(crate) async fn open_tls(&self, port: u16) -> Result<TlsStream<TcpStream>> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(self.tls.connect(ServerName::from(address.ip()), stream).await?)
    }

    async fn connected(&self) -> Result<Connection> {
        let stream = TokioIo::new(self.open_tls(self.port).await?);
        let sender = match self.dialect {
            Dialect::Files => {
                let (sender, connection) = http1::handshake(stream).await?;
                tokio::spawn(connection);
                Sender::Http1(sender)
            }
            Dialect::Grpc => {
                let (sender, connection) =
                    http2::Builder::new(TokioExecutor::new()).handshake(stream).await?;
                tokio::spawn(connection);
                Sender::Http2(sender)
            }
        };
        Ok(Connection { sender, authority: format!("127.0.0.1:{}", self.port) })
    }
}

enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

/// A connection, with one request at a time.
pub(crate) struct Connection {
    sender: Sender,
    authority: String,
}

/// An answer that has arrived whole.
struct Answer {
    status: StatusCode,
    body: Bytes,
    trailers: HeaderMap,
}

impl Connection {
    /// Writes a value, and returns once it is acknowledged.
    pub(crate) async fn put(&mut self, key: &str, value: Bytes) -> Result<()> {
        match self.sender {
            Sender::Http1(_) => {
                self.http(Method::PUT, &format!("/files/{key}"), value).await?;
            }
            Sender::Http2(_) => {
                let request = PutRequest { key: Bytes::copy_from_slice(key.as_bytes()), value };
                self.grpc("/etcdserverpb.KV/Put", &request).await?;
            }
        }
        Ok(())
    }

    /// Reads a value, linearizably.
    pub(crate) async fn get(&mut self, key: &str) -> Result<Bytes> {
        if let Sender::Http1(_) = self.sender {
            return self.http(Method::GET, &format!("/files/{key}"), Bytes::new()).await;
        }
        let request = RangeRequest { key: Bytes::copy_from_slice(key.as_bytes()) };
        let answer = self.grpc("/etcdserverpb.KV/Range", &request).await?;
        let found = RangeResponse::decode(answer)?.kvs.pop();
        Ok(found.ok_or_else(|| format!("etcd has no {key}"))?.value)
    }

    /// The state of an etcd member.
    pub(crate) async fn etcd_status(&mut self) -> Result<StatusResponse> {
        let answer = self.grpc("/etcdserverpb.Maintenance/Status", &StatusRequest {}).await?;
        Ok(StatusResponse::decode(answer)?)
    }

    /// A resource of one of our nodes, as text.
    pub(crate) async fn text(&mut self, uri: &str) -> Result<String> {
        let body = self.http(Method::GET, uri, Bytes::new()).await?;
        Ok(String::from_utf8(body.to_vec())?)
    }

    async fn http(&mut self, method: Method, uri: &str, value: Bytes) -> Result<Bytes> {
        let request = Request::builder().method(method).uri(uri).header("host", &self.authority);
        let answer = self.send(request.body(Full::new(value))?).await?;
        if !answer.status.is_success() {
            let why = String::from_utf8_lossy(&answer.body);
            return Err(format!("a node answers {}: {why}", answer.status).into());
        }
        Ok(answer.body)
    }

    async fn grpc(&mut self, method: &str, message: &impl Message) -> Result<Bytes> {
        let length = message.encoded_len();
        let mut body = Vec::with_capacity(5 + length);
        // Not compressed, and the length.
        body.push(0);
        body.extend(u32::try_from(length)?.to_be_bytes());
        message.encode(&mut body)?;
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("https://{}{method}", self.authority))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        let mut answer = self.send(request.body(Full::new(body.into()))?).await?;
        match answer.trailers.get("grpc-status").map(http::HeaderValue::as_bytes) {
            Some(b"0") if answer.body.len() >= 5 => Ok(answer.body.split_off(5)),
            status => {
                let status = String::from_utf8_lossy(status.unwrap_or(b"none"));
                let why = answer.trailers.get("grpc-message").and_then(|it| it.to_str().ok());
                Err(format!("etcd answers with status {status}: {}", why.unwrap_or("")).into())
            }
        }
    }

    async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Answer> {
        let answer = match &mut self.sender {
            Sender::Http1(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
            Sender::Http2(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
        };
        let (head, body) = answer.into_parts();
        let body = body.collect().await?;
        // An answer without a body has its trailers in the head.
        let trailers = body.trailers().cloned().unwrap_or(head.headers);
        Ok(Answer { status: head.status, body: body.to_bytes(), trailers })
    }
}
