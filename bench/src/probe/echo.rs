//! The loopback: small messages there and back over WebSocket, with nothing in between.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use anyhow::Context as _;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{accept_async, client_async};

use super::TIME;

/// Connections, each with one message on its way there or back.
pub(super) const CONNECTIONS: usize = 200;

/// Bytes of a message.
const MESSAGE_BYTES: usize = 128;

/// Round trips per second, over all connections. Both ends are in this process.
pub(super) async fn round_trips() -> anyhow::Result<f64> {
    let listener = TcpListener::bind("127.0.0.1:0").await.context("cannot listen on the loopback")?;
    let address = listener.local_addr()?;
    let mut tasks = JoinSet::new();
    let (trips, over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    for _ in 0..CONNECTIONS {
        let (stream, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        let (stream, accepted) = (stream?, accepted?.0);
        stream.set_nodelay(true)?;
        accepted.set_nodelay(true)?;
        tasks.spawn(answer(accepted));
        tasks.spawn(ask(stream, trips.clone(), over.clone()));
    }
    // Those who connect first go round while others connect.
    let (begun, before) = (Instant::now(), trips.load(Ordering::Relaxed));
    sleep(TIME).await;
    let (seconds, counted) = (begun.elapsed().as_secs_f64(), trips.load(Ordering::Relaxed) - before);
    over.store(true, Ordering::Relaxed);
    while let Some(ended) = tasks.join_next().await {
        ended.context("an end of the loopback does not panic")??;
    }
    Ok(counted as f64 / seconds)
}

/// Sends one message after another, until it is over.
async fn ask(stream: TcpStream, trips: Arc<AtomicU64>, over: Arc<AtomicBool>) -> anyhow::Result<()> {
    let (mut socket, _) = client_async("ws://127.0.0.1/", stream).await?;
    let message = Message::binary(vec![0x5a; MESSAGE_BYTES]);
    while !over.load(Ordering::Relaxed) {
        socket.send(message.clone()).await?;
        socket.next().await.context("the loopback was closed")??;
        trips.fetch_add(1, Ordering::Relaxed);
    }
    socket.close(None).await?;
    Ok(())
}

/// Sends back what comes, until the other side closes.
async fn answer(stream: TcpStream) -> anyhow::Result<()> {
    let mut socket = accept_async(stream).await?;
    while let Some(message) = socket.next().await {
        match message? {
            message if message.is_binary() => socket.send(message).await?,
            _ => return Ok(()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn messages_go_round() {
        assert!(round_trips().await.expect("the loopback works") > 0.0);
    }
}
