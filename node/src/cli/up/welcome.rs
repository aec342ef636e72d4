//! What `rookery up` says when its nodes are ready.

use std::path::Path;

use rookery_store::keys::node::NodeName;

use crate::cli::arguments::Place;
use crate::data_dir::Listening;

/// What is there, and what to type next.
pub(super) struct Welcome<'a> {
    pub(super) directory: &'a Path,
    pub(super) made_now: bool,
    pub(super) listening: Vec<(NodeName, Listening)>,
    pub(super) place: &'a Place,
}

impl Welcome<'_> {
    pub(super) fn text(&self) -> String {
        let made = if self.made_now { "   (made just now)" } else { "" };
        let mut text = format!("Rookery is up.\n\n  data     {}{made}\n", self.directory.display());
        match &self.listening[..] {
            [(_, listening)] => text += &one(listening),
            several => several.iter().for_each(|(name, listening)| text += &one_of_several(name, listening)),
        }
        let gap = if self.listening.len() > 1 { "\n" } else { "" };
        if let Some(ca) = self.listening.iter().find_map(|(_, listening)| listening.ca.as_ref()) {
            text += &format!(
                "{gap}  trust    {}   (the certificate; other machines need a copy)\n",
                ca.display()
            );
        }
        let (add, chat) = (self.place.command("user add"), self.place.command("chat"));
        let nodes = if self.listening.len() > 1 { "nodes" } else { "node" };
        text += &format!(
            "\nNext, in another terminal:\n\n  {add} alice\n  {add} bob\n  {chat} alice\n\nand in a third:\n\n  \
             {chat} bob\n\nCtrl-C stops the {nodes}.\n"
        );
        text
    }
}

/// A line for each address.
fn one(listening: &Listening) -> String {
    let mut text = String::new();
    for url in &listening.clients {
        text += &format!("  clients  {url}\n");
    }
    if let Some(http) = &listening.http {
        text += &format!("  metrics  {http}   (/healthz /readyz /metrics)\n");
    }
    if let Some(admin) = &listening.admin {
        text += &format!("  admin    {admin}\n");
    }
    text
}

/// A line with the node's addresses for clients, and one with those for operators.
fn one_of_several(name: &NodeName, listening: &Listening) -> String {
    let mut text = format!("\n  {:<8} clients  {}\n", name.as_str(), listening.clients.join("   "));
    let operators = [("metrics", &listening.http), ("admin", &listening.admin)];
    let operators = operators.iter().filter_map(|(label, url)| Some(format!("{label}  {}", url.as_ref()?)));
    let operators = operators.collect::<Vec<_>>().join("   ");
    if !operators.is_empty() {
        text += &format!("  {:<8} {operators}\n", "");
    }
    text
}
