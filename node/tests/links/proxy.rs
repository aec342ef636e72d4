//! A wire between two nodes that can be cut, or go silent.

use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What the wire does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    /// It carries.
    Whole,
    /// Connections end, and new ones too.
    Cut,
    /// Nothing passes, and nobody is told.
    Silent,
}

pub(crate) struct Proxy {
    pub(crate) address: String,
    wire: Arc<watch::Sender<Wire>>,
}

impl Proxy {
    pub(crate) async fn to(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let wire = Arc::new(watch::Sender::new(Wire::Whole));
        tokio::spawn({
            let wire = wire.clone();
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(carry(stream, target.clone(), wire.subscribe()));
                }
            }
        });
        Self { address, wire }
    }

    pub(crate) fn set(&self, wire: Wire) {
        self.wire.send_replace(wire);
    }
}

async fn carry(mut here: TcpStream, target: String, mut wire: watch::Receiver<Wire>) {
    if *wire.borrow() == Wire::Cut {
        return;
    }
    let Ok(mut there) = TcpStream::connect(target).await else { return };
    tokio::select! {
        _ = wire.wait_for(|wire| *wire != Wire::Whole) => {}
        _ = tokio::io::copy_bidirectional(&mut here, &mut there) => return,
    }
    // What was read and not yet written is lost, so a wire that has been silent ends its connections.
    let _ = wire.wait_for(|wire| *wire != Wire::Silent).await;
}
