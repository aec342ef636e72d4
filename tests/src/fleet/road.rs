//! How a client of a fleet gets to whatever node it wants: through its own bad network, or straight.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rookery_client::{DialFuture, Dialer, NetworkDialer, NodeAddress, TlsOptions};

use crate::Proxy;

/// Dials the nodes that the configuration or a node names. With a proxy, all connections go through it.
#[derive(Debug, Clone)]
pub(super) struct Road {
    network: NetworkDialer,
    proxy: Option<Arc<Proxy>>,
}

impl Road {
    pub(super) fn new(proxy: Option<Arc<Proxy>>) -> Self {
        Self { network: NetworkDialer::new(TlsOptions::System), proxy }
    }
}

impl Dialer for Road {
    fn dial(&self, node: &NodeAddress) -> DialFuture {
        let Some(proxy) = &self.proxy else { return self.network.dial(node) };
        match through(node, proxy) {
            Ok(node) => self.network.dial(&node),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }
}

/// The proxy's address, dressed as the node's, after telling it where to lead. A client dials one node at a time.
fn through(node: &NodeAddress, proxy: &Proxy) -> io::Result<NodeAddress> {
    let host = node.host().parse().map_err(|_| io::Error::other("nodes of tests have IP addresses"))?;
    proxy.aim(SocketAddr::new(host, node.port()));
    let (text, real) = (node.to_string(), format!("{}:{}", node.host(), node.port()));
    text.replacen(&real, &proxy.address().to_string(), 1).parse().map_err(io::Error::other)
}
