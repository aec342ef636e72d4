//! Who may have how many connections.
//!
//! An address is what one party is likely to hold: an IPv4 address, or the /64 an IPv6 party is given whole. The map
//! has an entry only for addresses with unauthenticated connections, so it is bounded by the connections there may be.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use super::bans::{BANNED, Bans};

/// How many connections there may be.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// In all.
    pub connections_max: usize,
    /// Not yet authenticated, from one address.
    pub unauthenticated_per_ip_max: usize,
}

/// Why a connection is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The node has as many as it may.
    #[error("this node has as many connections as it may")]
    NodeFull,
    /// The address has too many that have not authenticated.
    #[error("too many connections from this address have not authenticated yet")]
    AddressFull,
    /// The address has been banned.
    #[error("{BANNED}")]
    Banned,
}

impl Refused {
    /// For a metric's label.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::NodeFull => "node_full",
            Self::AddressFull => "address_full",
            Self::Banned => "banned",
        }
    }
}

/// Counts connections. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Admission {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    limits: Limits,
    bans: Option<Bans>,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    connections: usize,
    unauthenticated: HashMap<IpAddr, usize>,
}

/// One connection among all; gives its place back when dropped.
#[derive(Debug)]
pub struct ConnectionPermit {
    shared: Arc<Shared>,
}

/// One unauthenticated connection of its address; gives its place back when dropped.
#[derive(Debug)]
pub struct AdmissionTicket {
    shared: Arc<Shared>,
    address: IpAddr,
}

impl Admission {
    /// With these limits and no connections yet.
    pub fn new(limits: Limits) -> Self {
        Self { shared: Arc::new(Shared { limits, bans: None, counts: Mutex::default() }) }
    }

    /// As [`new`](Self::new), and not for those who are banned.
    pub fn with_bans(limits: Limits, bans: Bans) -> Self {
        Self { shared: Arc::new(Shared { limits, bans: Some(bans), counts: Mutex::default() }) }
    }

    /// Lets a connection in, or says why not.
    ///
    /// # Errors
    /// When a limit has been reached.
    pub fn admit(&self, address: IpAddr) -> Result<(ConnectionPermit, AdmissionTicket), Refused> {
        if self.shared.bans.as_ref().is_some_and(|bans| bans.is_banned(address)) {
            return Err(Refused::Banned);
        }
        let address = party(address);
        let mut counts = self.shared.counts();
        let limits = self.shared.limits;
        if counts.connections >= limits.connections_max {
            return Err(Refused::NodeFull);
        }
        if counts.unauthenticated.get(&address).copied().unwrap_or(0) >= limits.unauthenticated_per_ip_max {
            return Err(Refused::AddressFull);
        }
        *counts.unauthenticated.entry(address).or_default() += 1;
        counts.connections += 1;
        let shared = || self.shared.clone();
        Ok((ConnectionPermit { shared: shared() }, AdmissionTicket { shared: shared(), address }))
    }

    /// Connections there are.
    pub fn connections(&self) -> usize {
        self.shared.counts().connections
    }
}

impl Shared {
    fn counts(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.counts.lock().expect("nothing panics while it holds this lock")
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        self.shared.counts().connections -= 1;
    }
}

impl Drop for AdmissionTicket {
    fn drop(&mut self) {
        let mut counts = self.shared.counts();
        let Some(count) = counts.unauthenticated.get_mut(&self.address) else { return };
        *count -= 1;
        if *count == 0 {
            counts.unauthenticated.remove(&self.address);
        }
    }
}

/// The address that stands for all that one party is likely to hold.
fn party(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let prefix = u128::from(address) & (u128::MAX << 64);
            IpAddr::V6(prefix.into())
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(connections_max: usize, unauthenticated_per_ip_max: usize) -> Admission {
        Admission::new(Limits { connections_max, unauthenticated_per_ip_max })
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_is_full_until_one_of_its_connections_authenticates_or_closes() {
        let admission = admission(10, 2);
        let first = admission.admit(ip("192.0.2.1")).unwrap();
        let (_second_permit, second_ticket) = admission.admit(ip("192.0.2.1")).unwrap();
        assert_eq!(admission.admit(ip("192.0.2.1")).unwrap_err(), Refused::AddressFull);
        let _other = admission.admit(ip("192.0.2.2")).unwrap();
        drop(second_ticket);
        let third = admission.admit(ip("192.0.2.1")).unwrap();
        assert_eq!(admission.admit(ip("192.0.2.1")).unwrap_err(), Refused::AddressFull);
        drop((first, third));
        assert_eq!(admission.connections(), 2);
        admission.admit(ip("192.0.2.1")).unwrap();
    }

    #[test]
    fn all_of_an_ipv6_64_is_one_address_and_the_next_64_another() {
        let admission = admission(10, 1);
        let _one = admission.admit(ip("2001:db8:0:1::1")).unwrap();
        assert_eq!(admission.admit(ip("2001:db8:0:1:ffff::9")).unwrap_err(), Refused::AddressFull);
        let _next = admission.admit(ip("2001:db8:0:2::1")).unwrap();
    }

    #[test]
    fn an_ipv4_address_is_the_same_through_an_ipv6_socket() {
        let admission = admission(10, 1);
        let _one = admission.admit(ip("::ffff:192.0.2.1")).unwrap();
        assert_eq!(admission.admit(ip("192.0.2.1")).unwrap_err(), Refused::AddressFull);
        let _two = admission.admit(ip("::ffff:192.0.2.2")).unwrap();
    }

    #[test]
    fn a_full_node_takes_a_connection_only_when_another_has_closed() {
        let admission = admission(1, 8);
        let (permit, ticket) = admission.admit(ip("192.0.2.1")).unwrap();
        drop(ticket);
        assert_eq!(admission.admit(ip("192.0.2.2")).unwrap_err(), Refused::NodeFull);
        drop(permit);
        admission.admit(ip("192.0.2.2")).unwrap();
    }

    #[test]
    fn addresses_without_unauthenticated_connections_take_no_memory() {
        let admission = admission(1000, 8);
        let permits: Vec<ConnectionPermit> =
            (0..100).map(|last| admission.admit(IpAddr::from([192, 0, 2, last])).unwrap().0).collect();
        assert_eq!(admission.connections(), 100);
        assert!(admission.shared.counts().unauthenticated.is_empty());
        drop(permits);
        assert_eq!(admission.connections(), 0);
    }
}
