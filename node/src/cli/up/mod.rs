//! `rookery up`: nodes here and now, and what to type next.

mod lines;
mod nodes;
mod process;
mod restarts;
mod terminal;
mod welcome;

use std::ffi::OsString;
use std::io::IsTerminal;

use anyhow::{Context, Result};
use rookery_store::keys::node::NodeName;
use toml::Spanned;

use self::lines::Lines;
use self::nodes::{Life, Node, Nodes};
use self::welcome::Welcome;
use super::InstallRecorder;
use super::arguments::{Place, Up};
use super::serve::{Running, reload_level, say};
use crate::config::{Config, Listen};
use crate::data_dir::DataDir;
use crate::logging;
use crate::shutdown::Signals;
use crate::tls;

/// What nodes are called where the configuration does not say.
const NODE: &str = "rook";

pub(super) async fn run(arguments: Up, recorder: InstallRecorder) -> Result<()> {
    let config = arguments.place.load()?;
    match arguments.nodes.unwrap_or_else(|| config.cluster.nodes.get()) {
        1 => run_one(arguments, config, recorder).await,
        nodes => run_several(arguments, config, nodes).await,
    }
}

/// One node, in this process.
async fn run_one(arguments: Up, mut config: Config, recorder: InstallRecorder) -> Result<()> {
    let Up { place, tls, .. } = arguments;
    let (data, made_now) = DataDir::open_or_create(&config.node.data, config.store.engine)?;
    let name = config.node.id.clone().unwrap_or_else(|| data.marker().node.clone());
    let _up = data.lock_up(std::slice::from_ref(&name))?;
    if tls {
        encrypt(&mut config, &data)?;
    }
    let directory = data.path().to_path_buf();
    let running = Running::start(config, data, std::io::stderr().is_terminal(), recorder).await?;
    let listening = vec![(name, running.node.listening().clone())];
    say(&Welcome { directory: &directory, made_now, listening, place: &place }.text());
    running.until_stopped(&place).await
}

/// Several, each in a process of its own.
async fn run_several(arguments: Up, config: Config, nodes: u32) -> Result<()> {
    let Up { place, tls, .. } = arguments;
    config.for_nodes(nodes)?;
    let first = config.node.id.as_ref().map_or(NODE, NodeName::as_str);
    let names = (1..=nodes)
        .map(|nth| format!("{first}-{nth}").parse())
        .collect::<Result<Vec<NodeName>, _>>()
        .with_context(|| format!("`id` is too long a name for several nodes: {first}"))?;
    let (data, made_now) = DataDir::open_or_create(&config.node.data, config.store.engine)?;
    let _up = data.lock_up(&names)?;
    // Before there are several that would each make them.
    data.make_shared(&config.cluster)?;
    if tls {
        encrypt(&mut config.clone(), &data)?;
    }

    let log = logging::install(&config.log, std::io::stderr().is_terminal())?;
    let signals = Signals::listen()?;
    let nodes = Nodes::new(nodes_of(&names, &config, &place, tls));
    let welcome = || {
        let running = data.running().into_iter().filter(|node| names.contains(&node.name));
        let listening = running.filter_map(|node| Some((node.name, node.listening?))).collect();
        say(&Welcome { directory: data.path(), made_now, listening, place: &place }.text());
    };
    nodes.run(signals, welcome, || reload_level(&log, &place)).await
}

/// What each node's process is started with.
fn nodes_of(names: &[NodeName], config: &Config, place: &Place, tls: bool) -> Vec<Node> {
    let colour = std::io::stderr().is_terminal();
    let width = names.iter().map(|name| name.as_str().len()).max().unwrap_or_default();
    let one = |(at, name): (usize, &NodeName)| {
        let mut arguments: Vec<OsString> = vec!["node".into(), "--name".into(), name.as_str().into()];
        for (option, path) in [("--data", &place.data), ("--config", &place.config)] {
            if let Some(path) = path {
                arguments.extend([option.into(), path.into()]);
            }
        }
        let (nth, up) = ((at + 1).to_string(), std::process::id().to_string());
        arguments.extend(["--nth", &nth, "--up", &up].map(OsString::from));
        for (option, _) in [("--tls", tls), ("--colour", colour)].iter().filter(|(_, wanted)| *wanted) {
            arguments.push(option.into());
        }
        let lines = Lines::new(name.as_str(), at, width, config.log.format, colour);
        Node { name: name.clone(), arguments, lines, life: Life::default() }
    };
    names.iter().enumerate().map(one).collect()
}

/// Moves what is in the clear to TLS, with a certificate of the data directory's own making if there is none.
pub(super) fn encrypt(config: &mut Config, data: &DataDir) -> Result<()> {
    if config.tls.certificate.is_none() {
        let files = tls::self_signed(data)?;
        config.tls.certificate = Some(Spanned::new(0..0, files.certificate));
        config.tls.key = Some(Spanned::new(0..0, files.key));
    }
    let listen = &mut config.listen;
    for (clear, secure) in
        [(listen.websocket.get_mut(), &mut listen.websocket_tls), (&mut listen.tcp, &mut listen.tcp_tls)]
    {
        if secure.get_ref().address().is_none() {
            *secure.get_mut() = *clear;
        }
        *clear = Listen::Off;
    }
    Ok(())
}
