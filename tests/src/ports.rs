//! Ports for nodes: below those the system gives to outgoing connections, so that a node that was killed finds its own
//! again, and no client that knocks at it connects to itself.

use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::sync::atomic::{AtomicU16, Ordering};

const RANGE: Range<u16> = 15_000..32_000;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// A port on loopback that nobody listens on. Never the same twice in a process.
///
/// # Panics
/// When all are taken.
pub fn free_port() -> u16 {
    let span = RANGE.end - RANGE.start;
    // Another process that tests at the same time begins elsewhere.
    let begin = (std::process::id().wrapping_mul(7919) % u32::from(span)) as u16;
    for _ in 0..span {
        let step = NEXT.fetch_add(1, Ordering::Relaxed) % span;
        let port = RANGE.start + (begin + step) % span;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("every port in {RANGE:?} is taken");
}
