//! `rookery up`: a node here and now, and what to type next.

use anyhow::Result;
use toml::Spanned;

use super::InstallRecorder;
use super::arguments::{Place, Up};
use super::serve::{Running, say};
use crate::config::{Config, Listen};
use crate::data_dir::{DataDir, Listening};
use crate::tls;

pub(super) async fn run(arguments: Up, recorder: InstallRecorder) -> Result<()> {
    let Up { place, tls } = arguments;
    let mut config = place.load()?;
    let (data, made_now) = DataDir::open_or_create(&config.node.data, config.store.engine)?;
    if tls {
        encrypt(&mut config, &data)?;
    }
    let directory = data.path().to_path_buf();
    let running = Running::start(config, data, recorder).await?;
    let made = if made_now { "   (made just now)" } else { "" };
    say(&format!("Rookery is up.\n\n  data     {}{made}", directory.display()));
    say(&welcome(running.node.listening(), &place));
    running.until_stopped(&place).await
}

/// Moves what is in the clear to TLS, with a certificate of the node's own making if there is none.
fn encrypt(config: &mut Config, data: &DataDir) -> Result<()> {
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

fn welcome(listening: &Listening, place: &Place) -> String {
    let mut text = String::new();
    for url in &listening.clients {
        text += &format!("  clients  {url}\n");
    }
    if let Some(http) = &listening.http {
        text += &format!("  admin    {http}   (/healthz /readyz /metrics)\n");
    }
    if let Some(ca) = &listening.ca {
        text += &format!("  trust    {}   (the certificate; other machines need a copy)\n", ca.display());
    }
    let (add, chat) = (place.command("user add"), place.command("chat"));
    text += &format!(
        "\nNext, in another terminal:\n\n  {add} alice\n  {add} bob\n  {chat} alice\n\nand in a third:\n\n  {chat} bob\n\n\
         Ctrl-C stops the node.\n"
    );
    text
}
