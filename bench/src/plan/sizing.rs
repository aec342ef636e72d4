//! From demand and costs to machines. Every line says how it comes about, so that it can be done again on paper.

use clap::Args as ClapArgs;

use super::{Costs, Line, quantity};

const SECONDS_A_DAY: f64 = 86_400.0;

/// Who is to be served.
#[derive(Debug, ClapArgs)]
pub(super) struct Demand {
    /// People with an account.
    #[arg(long, value_name = "N", value_parser = amount)]
    pub(super) users: f64,
    /// Connections at the busiest time.
    #[arg(long, value_name = "N", value_parser = amount)]
    pub(super) connections: f64,
    /// Messages a day.
    #[arg(long, value_name = "N", value_parser = amount)]
    pub(super) messages: f64,
    /// How often a connection is made anew, a day.
    #[arg(long, value_name = "TIMES", default_value = "20", value_parser = amount)]
    pub(super) connects: f64,
    /// The busiest minute, as a multiple of a day's mean.
    #[arg(long, value_name = "FACTOR", default_value = "3", value_parser = amount)]
    pub(super) peak: f64,
}

/// What nodes run on.
#[derive(Debug, ClapArgs)]
pub(super) struct Machines {
    /// Processors of a node's machine, of the kind the costs were measured on.
    #[arg(long, value_name = "N", default_value = "32", value_parser = amount)]
    pub(super) node_cores: f64,
    /// A node's memory, in GB of 10^9 bytes.
    #[arg(long, value_name = "GB", default_value = "128", value_parser = amount)]
    pub(super) node_memory: f64,
    /// Share of a node that may be in use at the busiest time: the rest is for what others leave behind when they die.
    #[arg(long, value_name = "SHARE", default_value = "0.5", value_parser = share)]
    pub(super) node_full: f64,
    /// What a node's machine costs a month, in a currency of your choice.
    #[arg(long, value_name = "MONEY", value_parser = amount)]
    pub(super) node_price: Option<f64>,
}

/// What the store runs on. The defaults of what FoundationDB does are those of its documentation, pages "Performance" and
/// "Known limitations": nobody has measured them here.
#[derive(Debug, ClapArgs)]
pub(super) struct Storage {
    /// Days for which messages are kept.
    #[arg(long, value_name = "DAYS", default_value = "30", value_parser = amount)]
    pub(super) retention: f64,
    /// Copies of all that is stored.
    #[arg(long, value_name = "N", default_value = "3", value_parser = amount)]
    pub(super) replicas: f64,
    /// Writes a second that one processor of FoundationDB does (ssd engine).
    #[arg(long, value_name = "N", default_value = "20000", value_parser = amount)]
    pub(super) fdb_writes: f64,
    /// Share of a FoundationDB processor that may be in use at the busiest time.
    #[arg(long, value_name = "SHARE", default_value = "0.75", value_parser = share)]
    pub(super) fdb_full: f64,
    /// Processors of one FoundationDB cluster, at most.
    #[arg(long, value_name = "N", default_value = "500", value_parser = amount)]
    pub(super) fdb_cores: f64,
    /// Keys and values of one FoundationDB cluster, before replication, in TB of 10^12 bytes, at most.
    #[arg(long, value_name = "TB", default_value = "100", value_parser = amount)]
    pub(super) fdb_size: f64,
    /// What a processor of FoundationDB costs a month, with its memory and network.
    #[arg(long, value_name = "MONEY", value_parser = amount)]
    pub(super) fdb_core_price: Option<f64>,
    /// What a TB of disk costs a month.
    #[arg(long, value_name = "MONEY", value_parser = amount)]
    pub(super) disk_price: Option<f64>,
}

/// A number from the command line that something can be multiplied with: more than nothing, `1e9` allowed.
fn amount(text: &str) -> Result<f64, String> {
    let amount = text.parse::<f64>().ok().filter(|amount| (1e-3..=1e18).contains(amount));
    amount.ok_or_else(|| "a number from 0.001 to 1e18, such as 500000 or 5e8".into())
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse::<f64>().ok().filter(|share| (0.01..=1.0).contains(share));
    share.ok_or_else(|| "a share, from 0.01 to 1".into())
}

/// The plan.
pub(super) struct Sizing {
    /// For people to read, in order.
    pub(super) lines: Vec<Line>,
}

impl Sizing {
    pub(super) fn new(demand: &Demand, costs: &Costs, machines: &Machines, storage: &Storage) -> Self {
        let mut sizing = Self { lines: Vec::new() };
        let mean = demand.messages / SECONDS_A_DAY;
        sizing.add("messages, a day's mean", mean, "/s", "messages / 86,400 s".into());
        let busiest = sizing.add(
            "messages, busiest",
            mean * demand.peak,
            "/s",
            format!("mean × {}", quantity(demand.peak)),
        );
        let connects = sizing.add(
            "connects, busiest",
            demand.connections * demand.connects * demand.peak / SECONDS_A_DAY,
            "/s",
            format!("connections × {} a day × {}", quantity(demand.connects), quantity(demand.peak)),
        );
        let nodes = sizing.nodes(demand, costs, machines, busiest, connects);
        let (clusters, cores, disk) = sizing.store(demand, costs, storage, busiest);
        sizing.cells(demand, clusters, nodes);
        sizing.traffic(costs, busiest, nodes);
        sizing.money(machines, storage, (nodes, cores, disk));
        sizing
    }

    /// Nodes, the more of what processors and memory ask for.
    fn nodes(
        &mut self,
        demand: &Demand,
        costs: &Costs,
        machines: &Machines,
        messages: f64,
        connects: f64,
    ) -> f64 {
        let cores = self.add(
            "nodes: processors at work, busiest",
            messages * costs.message_cpu_s + connects * costs.connect_cpu_s,
            "",
            "messages/s × CPU per message + connects/s × CPU per connect".into(),
        );
        let memory = self.add(
            "nodes: memory of connections",
            demand.connections * costs.connection_bytes / 1e12,
            "TB",
            "connections × memory of one".into(),
        );
        let by_cores = cores / (machines.node_cores * machines.node_full);
        let by_memory = memory * 1e3 / (machines.node_memory * machines.node_full);
        let what = if by_cores >= by_memory { "processors bind" } else { "memory binds" };
        let reason = format!(
            "{} by processors, {} by memory, {} full: {what}",
            quantity(by_cores.ceil()),
            quantity(by_memory.ceil()),
            quantity(machines.node_full)
        );
        self.add("nodes", by_cores.max(by_memory).ceil(), "", reason)
    }

    /// FoundationDB clusters, the more of what writes and size ask for; with all their processors, and disk in TB.
    fn store(&mut self, demand: &Demand, costs: &Costs, storage: &Storage, messages: f64) -> (f64, f64, f64) {
        let writes = self.add(
            "FoundationDB: writes, busiest",
            messages * costs.writes,
            "/s",
            "messages/s × store writes per message".into(),
        );
        let cores = self.add(
            "FoundationDB: processors",
            (writes * storage.replicas / (storage.fdb_writes * storage.fdb_full)).ceil(),
            "",
            format!(
                "writes/s × {} replicas / ({} × {})",
                quantity(storage.replicas),
                quantity(storage.fdb_writes),
                quantity(storage.fdb_full)
            ),
        );
        let kept = self.add(
            "FoundationDB: keys and values",
            demand.messages * storage.retention * costs.stored_bytes / 1e12,
            "TB",
            format!("messages × {} days × bytes per message", quantity(storage.retention)),
        );
        let disk = self.add(
            "FoundationDB: disk",
            kept * storage.replicas,
            "TB",
            "replicas of these, without slack".into(),
        );
        let (by_cores, by_size) = (cores / storage.fdb_cores, kept / storage.fdb_size);
        let what = if by_cores >= by_size { "processors bind" } else { "size binds" };
        let reason = format!(
            "{} by processors ({} each), {} by size ({} TB each): {what}",
            quantity(by_cores.ceil()),
            quantity(storage.fdb_cores),
            quantity(by_size.ceil()),
            quantity(storage.fdb_size)
        );
        let clusters = self.add("FoundationDB: clusters", by_cores.max(by_size).ceil(), "", reason);
        (clusters, cores, disk)
    }

    /// A cell is a cluster of Rookery on a FoundationDB cluster.
    fn cells(&mut self, demand: &Demand, clusters: f64, nodes: f64) {
        self.add("cells", clusters, "", "one for each FoundationDB cluster".into());
        self.add("a cell: users", demand.users / clusters, "", "users / cells".into());
        self.add("a cell: connections", demand.connections / clusters, "", "connections / cells".into());
        self.add("a cell: nodes", (nodes / clusters).ceil(), "", "nodes / cells".into());
    }

    fn traffic(&mut self, costs: &Costs, messages: f64, nodes: f64) {
        let bits = messages * costs.traffic_bytes * 8.0;
        let all = self.add(
            "clients: traffic, busiest",
            bits / 1e9,
            "Gbit/s",
            "messages/s × bytes per message, both ways".into(),
        );
        self.add("a node: clients' traffic", all / nodes, "Gbit/s", "traffic / nodes".into());
    }

    fn money(&mut self, machines: &Machines, storage: &Storage, (nodes, cores, disk): (f64, f64, f64)) {
        let parts = [
            ("nodes", nodes, machines.node_price),
            ("FoundationDB's processors", cores, storage.fdb_core_price),
            ("disk", disk, storage.disk_price),
        ];
        let mut all = 0.0;
        for (what, count, price) in parts {
            let Some(price) = price else { continue };
            let reason = format!("{} × {}", quantity(count), quantity(price));
            all += self.add(format!("a month: {what}"), count * price, "", reason);
        }
        if all > 0.0 {
            self.add(
                "a month",
                all,
                "",
                "those whose prices are given; network and people are not in it".into(),
            );
        }
    }

    fn add(&mut self, name: impl Into<String>, value: f64, unit: &'static str, reason: String) -> f64 {
        self.lines.push(Line::new(name, value, unit, reason));
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn costs() -> Costs {
        Costs {
            message_cpu_s: 20e-6,
            writes: 5.0,
            stored_bytes: 500.0,
            traffic_bytes: 600.0,
            connect_cpu_s: 100e-6,
            connection_bytes: 20_000.0,
            lines: Vec::new(),
        }
    }

    fn demand() -> Demand {
        Demand { users: 4e6, connections: 1e6, messages: 864e6, connects: 8.64, peak: 2.0 }
    }

    fn machines() -> Machines {
        Machines { node_cores: 1.0, node_memory: 20.0, node_full: 0.5, node_price: None }
    }

    fn storage() -> Storage {
        Storage {
            retention: 100.0,
            replicas: 3.0,
            fdb_writes: 20_000.0,
            fdb_full: 0.75,
            fdb_cores: 10.0,
            fdb_size: 100.0,
            fdb_core_price: None,
            disk_price: None,
        }
    }

    fn of(sizing: &Sizing, name: &str) -> f64 {
        sizing.lines.iter().find(|line| line.name == name).expect("there is such a line").value
    }

    #[test]
    fn what_binds_decides() {
        // 20,000 messages/s and 200 connects/s: 0.42 processors. 20 GB of connections in halves of 20 GB.
        let sizing = Sizing::new(&demand(), &costs(), &machines(), &storage());
        assert_eq!(of(&sizing, "messages, busiest"), 20_000.0);
        assert_eq!(of(&sizing, "connects, busiest"), 200.0);
        assert!((of(&sizing, "nodes: processors at work, busiest") - 0.42).abs() < 1e-9);
        assert_eq!(of(&sizing, "nodes"), 2.0, "memory binds");
        let slow = Costs { message_cpu_s: 100e-6, ..costs() };
        assert_eq!(
            of(&Sizing::new(&demand(), &slow, &machines(), &storage()), "nodes"),
            5.0,
            "processors bind"
        );

        // 100,000 writes/s in three replicas at 15,000 a processor; 43.2 TB.
        assert_eq!(of(&sizing, "FoundationDB: processors"), 20.0);
        assert_eq!(of(&sizing, "cells"), 2.0, "processors bind");
        let long = Storage { retention: 1_000.0, ..storage() };
        assert_eq!(of(&Sizing::new(&demand(), &costs(), &machines(), &long), "cells"), 5.0, "size binds");
        assert_eq!(of(&sizing, "a cell: connections"), 500_000.0);
        assert!((of(&sizing, "clients: traffic, busiest") - 0.096).abs() < 1e-9);
    }

    #[test]
    fn money_is_told_where_prices_are_given() {
        let is_told = |sizing: &Sizing| sizing.lines.iter().any(|line| line.name.starts_with("a month"));
        assert!(!is_told(&Sizing::new(&demand(), &costs(), &machines(), &storage())));
        let machines = Machines { node_price: Some(500.0), ..machines() };
        let storage = Storage { disk_price: Some(10.0), ..storage() };
        let sizing = Sizing::new(&demand(), &costs(), &machines, &storage);
        assert_eq!(of(&sizing, "a month: nodes"), 1_000.0);
        assert!((of(&sizing, "a month") - (1_000.0 + 129.6 * 10.0)).abs() < 1e-6);
    }

    #[test]
    fn amounts_are_more_than_nothing() {
        assert_eq!(amount("2e9"), Ok(2e9));
        for text in ["0", "-1", "nan", "inf", "many", "1e19"] {
            assert!(amount(text).is_err(), "{text}");
        }
        assert!(share("0").is_err() && share("1.1").is_err() && share("0.5") == Ok(0.5));
    }
}
