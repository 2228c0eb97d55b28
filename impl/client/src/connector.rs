//! TLS connections to nodes, each found by the name in its certificate.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use steadfast_config::{Address, Node, explain_tls, server_name};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Connects to the node that a URL names by `https://NAME.node.steadfast`.
#[derive(Clone)]
pub(crate) struct Connector {
    nodes: Arc<BTreeMap<String, (Address, ServerName<'static>)>>,
    tls: TlsConnector,
    patience: Duration,
    refusals: Refusals,
}

/// The failures of TLS by the name of the node, which HTTP does not pass on.
type Refusals = Arc<Mutex<BTreeMap<String, String>>>;

impl Connector {
    pub(crate) fn new(nodes: &[Node], tls: rustls::ClientConfig, patience: Duration) -> Connector {
        let nodes = nodes.iter().map(|node| {
            let name = server_name(&node.name);
            (name.to_str().into_owned(), (node.address.clone(), name))
        });
        let tls = TlsConnector::from(Arc::new(tls));
        Connector { nodes: Arc::new(nodes.collect()), tls, patience, refusals: Arc::default() }
    }

    /// Why TLS failed on the last connection to a node, if it did. Trying again would not help.
    pub(crate) fn refusal(&self, host: &str) -> Option<String> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner).get(host).cloned()
    }

    async fn connect(self, uri: Uri) -> io::Result<Stream> {
        let host = uri.host().unwrap_or_default();
        let known = self.nodes.get(host).cloned();
        let (address, name) = known.ok_or_else(|| io::Error::other("no such node"))?;
        let tcp = TcpStream::connect((address.host(), address.port()));
        let notes = Notes { host: host.to_owned(), refusals: self.refusals };
        notes.forget();
        let connected = async {
            let tcp = tcp.await?;
            tcp.set_nodelay(true)?;
            let tls = self.tls.connect(name, tcp).await.map_err(|it| notes.explained(it))?;
            Ok(Stream { tls: TokioIo::new(tls), notes })
        };
        timeout(self.patience, connected).await.unwrap_or_else(|_| {
            let why = format!("no connection within {} s", self.patience.as_secs_f32());
            Err(io::Error::new(io::ErrorKind::TimedOut, why))
        })
    }
}

/// Notes the failures of TLS on the connections to a node.
struct Notes {
    host: String,
    refusals: Refusals,
}

impl Notes {
    fn forget(&self) {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.host);
    }

    /// The error in words that say what to do.
    fn explained(&self, error: io::Error) -> io::Error {
        let tls = error.get_ref().and_then(|it| it.downcast_ref::<rustls::Error>());
        if let Some(why) = tls.map(explain_tls) {
            let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
            refusals.insert(self.host.clone(), why.clone());
            return io::Error::new(error.kind(), why);
        }
        error
    }
}

impl tower_service::Service<Uri> for Connector {
    type Response = Stream;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Stream>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().connect(uri))
    }
}

/// A connection to a node.
pub(crate) struct Stream {
    tls: TokioIo<TlsStream<TcpStream>>,
    notes: Notes,
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        let (_, tls) = self.tls.inner().get_ref();
        match tls.alpn_protocol() {
            Some(b"h2") => Connected::new().negotiated_h2(),
            _ => Connected::new(),
        }
    }
}

impl Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.tls).poll_read(context, buffer);
        read.map_err(|it| self.notes.explained(it))
    }
}

impl Write for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tls).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_shutdown(context)
    }
}
