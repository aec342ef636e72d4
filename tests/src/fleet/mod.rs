//! A fleet of real clients, each behind a network of its own, that note all they see.

mod client;
mod leased;
mod settle;

use std::time::Duration;

use anyhow::Result;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rookery_client::UserId;

use crate::history::{Client, Owner, Recorder};
use crate::{Account, Node, Port, Proxy};

pub use client::{FleetClient, HowStopped};
pub use settle::Unsettled;

/// All clients, one for each device.
#[derive(Debug)]
pub struct Fleet {
    clients: Vec<FleetClient>,
    recorder: Recorder,
}

impl Fleet {
    /// A client for each device of `accounts`, in their order, not started yet. Which of the node's listeners a client
    /// uses, and whether it keeps its state on disk, grows from `seed`.
    ///
    /// # Errors
    /// When there are no ports left for proxies.
    pub async fn new(node: &Node, accounts: &[Account], seed: u64) -> Result<Self> {
        let mut rng = StdRng::seed_from_u64(seed);
        let devices =
            accounts.iter().flat_map(|account| account.devices.iter().map(move |it| (account.user, it)));
        let owners = devices.clone().map(|(user, device)| Owner { user, device: device.device }).collect();
        let recorder = Recorder::new(owners);
        let mut clients = Vec::new();
        for (index, (_, device)) in devices.enumerate() {
            let port = if rng.random() { Port::Tcp } else { Port::WebSocket };
            let proxy = Proxy::start(node.address(port)).await?;
            let address = node.url_at(port, proxy.address());
            let on_disk = rng.random_ratio(1, 8);
            let seed = rng.random();
            let recorder = recorder.clone();
            let me = Client(index);
            clients.push(FleetClient::new(
                me,
                device.token.clone(),
                address,
                proxy,
                on_disk,
                seed,
                recorder,
            )?);
        }
        Ok(Self { clients, recorder })
    }

    /// As [`new`](Self::new), and starts every client and waits until it is connected.
    ///
    /// # Errors
    /// As [`new`](Self::new), and when a client does not connect.
    pub async fn start(node: &Node, accounts: &[Account], seed: u64) -> Result<Self> {
        let fleet = Self::new(node, accounts, seed).await?;
        for client in &fleet.clients {
            client.start().await?;
        }
        fleet.connected(Duration::from_secs(60)).await?;
        Ok(fleet)
    }

    /// The clients.
    pub fn clients(&self) -> &[FleetClient] {
        &self.clients
    }

    /// What they note.
    pub fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// The user of a client.
    pub fn user(&self, client: usize) -> UserId {
        self.recorder.progress(|history, _| history.owner(Client(client)).user)
    }

    /// Ends every client in order.
    pub async fn close(&self) {
        for client in &self.clients {
            client.stop(HowStopped::Closed).await;
        }
    }
}
