//! A fleet of real clients, each behind a network of its own, that note all they see.

mod client;
mod entry;
mod groups;
mod leased;
mod quarrel;
mod recall;
mod road;
mod settle;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rookery_client::UserId;

use crate::deadline;
use crate::history::{Client, Owner, Recorder};
use crate::{Account, Network, Port, Proxy, Service};

pub use client::{Access, FleetClient, HowStopped};
pub use groups::GroupAnswer;
pub use settle::Unsettled;

use self::road::Road;

/// What lies between clients and nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Networks {
    /// A proxy of its own for each client, in clear weather at first.
    Bad,
    /// Nothing: for measurements.
    Good,
}

/// All clients, one for each device.
#[derive(Debug)]
pub struct Fleet {
    clients: Vec<FleetClient>,
    recorder: Recorder,
    /// Between two looks at whether it has come to rest.
    look_every: Duration,
}

impl Fleet {
    /// A client for each device of `accounts`, in their order, not started yet. Which of the nodes' listeners a client
    /// uses, and whether it keeps its state on disk, grows from `seed`.
    ///
    /// # Errors
    /// When there are no ports left for proxies.
    pub async fn new(
        service: &impl Service,
        accounts: &[Account],
        seed: u64,
        networks: Networks,
    ) -> Result<Self> {
        let mut rng = StdRng::seed_from_u64(seed);
        let devices =
            accounts.iter().flat_map(|account| account.devices.iter().map(move |it| (account.user, it)));
        let owners = devices.clone().map(|(user, device)| Owner { user, device: device.device }).collect();
        let recorder = Recorder::new(owners);
        let mut clients = Vec::new();
        for (index, (_, device)) in devices.enumerate() {
            let port = if rng.random() { Port::Tcp } else { Port::WebSocket };
            let addresses = service.addresses(port);
            let proxy = match networks {
                // Whoever dials says where it leads.
                Networks::Bad => Some(Arc::new(Proxy::start((Ipv4Addr::LOCALHOST, 0).into()).await?)),
                Networks::Good => None,
            };
            let on_disk = rng.random_ratio(1, 8);
            let seed = rng.random();
            let access = Access {
                token: device.token.clone(),
                addresses,
                dialer: Arc::new(Road::new(proxy.clone())),
                network: proxy.map(|proxy| proxy as Arc<dyn Network>),
                began_unix_ms: None,
            };
            clients.push(FleetClient::new(Client(index), access, on_disk, seed, recorder.clone())?);
        }
        Ok(Self { clients, recorder, look_every: deadline::LOOK_EVERY })
    }

    /// Clients of a world without sockets and files, not started yet: their state is kept in memory.
    ///
    /// # Errors
    /// Never: nothing is opened.
    pub fn simulated(clients: Vec<(Owner, Access)>, seed: u64) -> Result<Self> {
        let mut rng = StdRng::seed_from_u64(seed);
        let (owners, accesses): (Vec<_>, Vec<_>) = clients.into_iter().unzip();
        let recorder = Recorder::new(owners);
        let client =
            |(index, access)| FleetClient::new(Client(index), access, false, rng.random(), recorder.clone());
        let clients = accesses.into_iter().enumerate().map(client).collect::<Result<_>>()?;
        Ok(Self { clients, recorder, look_every: Duration::from_millis(500) })
    }

    /// As [`new`](Self::new), and starts every client and waits until it is connected.
    ///
    /// # Errors
    /// As [`new`](Self::new), and when a client does not connect.
    pub async fn start(service: &impl Service, accounts: &[Account], seed: u64) -> Result<Self> {
        let fleet = Self::new(service, accounts, seed, Networks::Bad).await?;
        fleet.start_all().await?;
        Ok(fleet)
    }

    /// Starts every client and waits until it is connected.
    ///
    /// # Errors
    /// When a client does not connect.
    pub async fn start_all(&self) -> Result<()> {
        for client in &self.clients {
            client.start().await?;
        }
        self.connected(Duration::from_secs(60)).await?;
        Ok(())
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
