//! What the server under test and the load generator have taken so far, and what the load has done.

use crate::peer::server::Server;
use crate::process;
use crate::report::Report;

/// At one time.
pub(super) struct Usage {
    /// What the load counts.
    pub(super) done: f64,
    server_cpu: f64,
    own_cpu: f64,
}

impl Usage {
    /// `done` is what the load itself counts.
    pub(super) fn read(done: u64, server: &Server) -> anyhow::Result<Self> {
        Ok(Self {
            done: done as f64,
            server_cpu: server.cpu()?.as_secs_f64(),
            own_cpu: process::cpu(std::process::id())?.as_secs_f64(),
        })
    }

    /// Reports what both took in the seconds since `before`, the server also for each `(what, how many)`. Of a server whose
    /// processes nobody has named there is nothing to say.
    pub(super) fn add(
        &self,
        before: &Self,
        seconds: f64,
        (what, count): (&str, f64),
        server: &Server,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        if !server.is_unknown() {
            let cpu = self.server_cpu - before.server_cpu;
            report.add("node: CPU", cpu / seconds, "cores");
            report.add(format!("node: CPU per {what}"), cpu * 1e6 / count.max(1.0), "µs");
        }
        report.add("load generator: CPU", (self.own_cpu - before.own_cpu) / seconds, "cores");
        if !server.is_unknown() {
            report.add("node: RSS at the end", server.rss_bytes()? as f64 / 1e6, "MB");
        }
        Ok(())
    }
}
