//! One configuration for several nodes on one machine: each has ports of its own.

use std::collections::HashMap;
use std::net::SocketAddr;

use super::{Config, ConfigError, Listen};

/// How far apart the ports of one node and the next are.
pub const PORTS_APART: u16 = 10;

impl Config {
    /// The configuration of the `nth` node on this machine, counted from 1: the first has the ports that are written, the
    /// others 10, 20, ... more. A free port stays a free one.
    ///
    /// # Errors
    /// When there is no such port.
    pub fn nth(&self, nth: u32) -> Result<Self, ConfigError> {
        let mut config = self.clone();
        let add = |setting: &'static str, port: &mut u16| {
            let more = nth.saturating_sub(1).saturating_mul(PORTS_APART.into());
            let moved = u32::from(*port) + more;
            *port = u16::try_from(moved).map_err(|_| ConfigError::NoPort { setting, nth, port: moved })?;
            Ok(())
        };
        for (setting, listen) in config.listeners_mut() {
            if let Listen::At(address) = listen
                && address.port() != 0
            {
                let mut port = address.port();
                add(setting, &mut port)?;
                address.set_port(port);
            }
        }
        if let Some(advertised) = &mut config.cluster.link_advertise {
            add("link_advertise", advertised.port_mut())?;
        }
        if let Some(advertised) = &mut config.admin.advertise {
            add("[admin] advertise", advertised.port_mut())?;
        }
        Ok(config)
    }

    /// The configurations of `nodes` nodes on this machine.
    ///
    /// # Errors
    /// When two of them, or two listeners of one, would have the same address.
    pub fn for_nodes(&self, nodes: u32) -> Result<Vec<Self>, ConfigError> {
        let mut taken: HashMap<SocketAddr, (&'static str, u32)> = HashMap::new();
        let mut configs = Vec::new();
        for nth in 1..=nodes {
            let mut config = self.nth(nth)?;
            for (setting, listen) in config.listeners_mut() {
                let Some(address) = listen.address().filter(|address| address.port() != 0) else { continue };
                if let Some(first) = taken.insert(address, (setting, nth)) {
                    return Err(ConfigError::SameAddress { address, first, second: (setting, nth) });
                }
            }
            configs.push(config);
        }
        Ok(configs)
    }

    fn listeners_mut(&mut self) -> [(&'static str, &mut Listen); 7] {
        let listen = &mut self.listen;
        [
            ("websocket", listen.websocket.get_mut()),
            ("tcp", &mut listen.tcp),
            ("websocket_tls", listen.websocket_tls.get_mut()),
            ("tcp_tls", listen.tcp_tls.get_mut()),
            ("http", &mut listen.http),
            ("link", self.cluster.link.get_mut()),
            ("[admin] listen", self.admin.listen.get_mut()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn config(text: &str) -> Config {
        Config::parse(text, Path::new("cluster.toml")).unwrap()
    }

    fn ports(config: &mut Config) -> Vec<u16> {
        config.listeners_mut().iter().filter_map(|(_, listen)| Some(listen.address()?.port())).collect()
    }

    #[test]
    fn each_node_has_ports_ten_above_the_last_ones() {
        let configured = config(
            "[cluster]\nlink_advertise = \"chat.example:9000\"\n[admin]\nadvertise = \"chat.example:9004\"\n",
        );
        let [mut first, _, mut third] = configured.for_nodes(3).unwrap().try_into().unwrap();
        assert_eq!(first, configured);
        assert_eq!(ports(&mut first), [7400, 7401, 7402, 7403, 7404]);
        assert_eq!(ports(&mut third), [7420, 7421, 7422, 7423, 7424]);
        assert_eq!(third.cluster.link_advertise.unwrap().to_string(), "chat.example:9020");
        assert_eq!(third.admin.advertise.unwrap().to_string(), "chat.example:9024");
    }

    #[test]
    fn a_free_port_stays_a_free_one() {
        let mut second = config("[listen]\nwebsocket = \"127.0.0.1:0\"\n").nth(2).unwrap();
        assert_eq!(ports(&mut second)[..2], [0, 7411]);
    }

    #[test]
    fn ports_that_do_not_exist_and_ports_of_two_nodes_are_refused() {
        let error = config("[listen]\ntcp = \"127.0.0.1:65530\"\n").for_nodes(2).unwrap_err();
        assert!(error.to_string().contains("`tcp`") && error.to_string().contains("65540"), "{error}");
        let error = config("[listen]\ntcp = \"127.0.0.1:7420\"\n").for_nodes(3).unwrap_err();
        assert!(matches!(
            error,
            ConfigError::SameAddress { first: ("tcp", 1), second: ("websocket", 3), .. }
        ));
    }
}
