//! `rookery chat`: the client's chat, given this machine's node and a token unless told otherwise.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use rookery_actors::{Clock, SystemClock};
use rookery_client::chat::{self, ChatError, ChatOptions};
use rookery_client::{LocalStoreError, NodeAddress, TlsOptions, TokenError, TokenProvider};

use super::arguments::{Chat, Place};
use super::local::Local;
use crate::config::Config;
use crate::data_dir::{DataDir, Listening, client_state};

/// How long a token of our own making is good for: one connection's handshake, by any clock.
const LIFETIME: Duration = Duration::from_secs(10 * 60);

pub(super) async fn run(arguments: Chat) -> Result<()> {
    let Chat { name, json, servers, token, token_file, device, ca, place } = arguments;
    let config = place.load()?;
    let token = match (token_file, token) {
        (Some(file), _) => from_file(file)?,
        (None, Some(token)) => TokenProvider::fixed(token.0.trim()),
        (None, None) => {
            let local = Local::open(&place).await?;
            let user = local.user(&place, &name).await?;
            let tokens = local.issuer(user, &device).await;
            local.store.close().await;
            let (issuer, bearer) = tokens?;
            TokenProvider::from_fn(move || {
                let token = issuer.issue(bearer, SystemClock.now_ms(), LIFETIME).map_err(TokenError::new);
                std::future::ready(token)
            })
        }
    };
    let running: Vec<Listening> = DataDir::open(&config.node.data, config.store.engine)
        .map(|data| data.listening())
        .unwrap_or_default();
    if let Some(file) = &ca {
        // Found here it is said once; a connection would be tried again and again.
        std::fs::File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
    }
    // All nodes of a data directory that made a certificate have the same one.
    let own = || running.iter().find_map(|node| node.ca.clone()).filter(|_| servers.is_empty());
    let trusted = ca.or_else(own);
    let options = ChatOptions {
        nodes: if servers.is_empty() { local_nodes(&config, &running, &place)? } else { servers },
        token,
        data_dir: client_state(&config.node.data, &name, &device),
        tls: trusted.map_or(TlsOptions::System, TlsOptions::Ca),
        me: Some(name.clone()),
        open: None,
    };
    let ended = if json {
        Box::pin(chat::run_json(options, tokio::io::stdin(), tokio::io::stdout())).await
    } else {
        Box::pin(chat::run_terminal(options)).await
    };
    ended.map_err(|error| match error {
        ChatError::LocalStore(LocalStoreError::InUse(_)) => anyhow!(
            "a chat of {name}'s device \"{device}\" is running already: end it, or add --device NAME to chat as another \
             device"
        ),
        error => error.into(),
    })
}

/// Where this machine's nodes are, or the first will be when it is started.
fn local_nodes(config: &Config, running: &[Listening], place: &Place) -> Result<Vec<NodeAddress>> {
    let best = running.iter().filter_map(|node| node.clients.first());
    let nodes = best.map(|url| url.parse()).collect::<Result<Vec<_>, _>>()?;
    if !nodes.is_empty() {
        return Ok(nodes);
    }
    let listen = &config.listen;
    let configured = [
        ("ws", *listen.websocket.get_ref()),
        ("wss", *listen.websocket_tls.get_ref()),
        ("tcp", listen.tcp),
        ("tls", *listen.tcp_tls.get_ref()),
    ];
    for (scheme, address) in configured {
        if let Some(address) = address.address().filter(|address| address.port() != 0) {
            return Ok(vec![format!("{scheme}://{address}").parse()?]);
        }
    }
    bail!(
        "no node is running here: start one with `{}`, or name another with --server URL",
        place.command("up")
    )
}

/// The file's token, read again for each connection so that it may be renewed. It must be there from the beginning.
fn from_file(file: PathBuf) -> Result<TokenProvider> {
    let read =
        move || std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()));
    read()?;
    Ok(TokenProvider::from_fn(move || {
        let token = read().map(|token| token.trim().to_owned());
        std::future::ready(token.map_err(|error| TokenError::new(format!("{error:#}"))))
    }))
}
