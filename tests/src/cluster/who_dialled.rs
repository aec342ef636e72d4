//! Which of our nodes a connection on loopback comes from: the kernel's tables tell, so that a proxy in front of one
//! node can treat the others differently. Needs nothing but `/proc`, and works for our own children only.

use std::fs;
use std::net::SocketAddr;

/// The place among `pids` of the process that has the other end of a connection accepted on `listener` from `peer`.
pub(super) fn who_dialled(peer: SocketAddr, listener: SocketAddr, pids: &[Option<u32>]) -> Option<usize> {
    let inode = inode(&fs::read_to_string("/proc/net/tcp").ok()?, peer, listener)?;
    let socket = format!("socket:[{inode}]");
    let holds = |pid: u32| {
        let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        files.filter_map(|file| fs::read_link(file.path()).ok()).any(|link| link.as_os_str() == &*socket)
    };
    pids.iter().position(|pid| pid.is_some_and(holds))
}

/// The inode of the socket that is bound to `local` and connected to `remote`.
fn inode(table: &str, local: SocketAddr, remote: SocketAddr) -> Option<u64> {
    let (local, remote) = (in_table(local)?, in_table(remote)?);
    table.lines().skip(1).find_map(|line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let here = (fields.next()? == local) & (fields.next()? == remote);
        fields.nth(6).filter(|_| here)?.parse().ok()
    })
}

/// As the kernel writes an address: the number as it lies in memory, in hexadecimal.
fn in_table(address: SocketAddr) -> Option<String> {
    let SocketAddr::V4(address) = address else { return None };
    Some(format!("{:08X}:{:04X}", u32::from_ne_bytes(address.ip().octets()), address.port()))
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener, TcpStream};

    use super::*;

    #[test]
    fn the_process_at_the_other_end_is_found_among_others() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let _dialled = TcpStream::connect(address).unwrap();
        let (_accepted, peer) = listener.accept().unwrap();
        let pids = [None, Some(1), Some(std::process::id())];
        assert_eq!(who_dialled(peer, address, &pids), Some(2));
        assert_eq!(who_dialled(peer, address, &pids[..1]), None);
        assert_eq!(who_dialled(address, peer, &[]), None);
    }
}
