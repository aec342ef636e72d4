//! `rookery admin ca`: what the machines of a cluster share.

use std::fs;
use std::path::PathBuf;

use anyhow::{Result, bail, ensure};
use rookery_store::keys::node::NodeName;
use serde_json::json;

use super::arguments::ReachArguments;
use super::show::{say, say_json};
use crate::data_dir::{DataDir, DataDirError, Visibility, write_new};
use crate::link::issue;

pub(super) fn run(issued: Option<(NodeName, PathBuf)>, reach: &ReachArguments) -> Result<()> {
    ensure!(reach.admin.is_none(), "the CA is a file of this machine's data directory: --admin is of no use");
    let config = reach.place().load()?;
    let (data, made_now) = DataDir::open_or_create(&config.node.data, config.store.engine)?;
    data.make_shared(&config.cluster)?;
    let (own, directory) = (config.cluster.ca.is_none(), std::path::absolute(data.path())?);
    let ca = match &config.cluster.ca {
        Some(file) => file.get_ref().clone(),
        None => directory.join("ca/ca.pem"),
    };
    if let Some((node, out)) = issued {
        ensure!(
            own,
            "the configuration names another CA ({}): only its owner can issue certificates",
            ca.display()
        );
        return issue_to(&data, &node, &out, reach.json);
    }
    let mut copied = vec!["rookery.toml", "keys"];
    if own {
        copied.push("ca");
    }
    if reach.json {
        say_json(&json!({
            "data": directory, "cluster": data.marker().cluster, "ca": ca, "made_now": made_now, "copy": copied,
        }));
        return Ok(());
    }
    let made = if made_now { "   (made just now)" } else { "" };
    say(format_args!(
        "data     {}{made}\ncluster  {}\nCA       {}\n",
        directory.display(),
        data.marker().cluster,
        ca.display()
    ));
    say(format_args!(
        "Each other machine of the cluster needs a data directory with the mode 0700 and a copy of these, over a channel\n\
         that keeps them secret:\n\n  cd {} && rsync -a {} OTHER:/var/lib/rookery/\n",
        directory.display(),
        copied.join(" ")
    ));
    if own {
        say(
            "Who has ca/ca.key can add a node to the cluster, who has keys/token.pk8 can be anybody, and who has\n\
             keys/admin.token can do everything that `rookery admin` does. A machine that is not to have ca/ca.key gets\n\
             a certificate instead: `rookery admin ca --issue NODE --out DIR`.",
        );
    } else {
        say(
            "The configuration names its own CA and certificates for links: each node needs one with the name\n\
             NODE.rookery.internal.",
        );
    }
    Ok(())
}

fn issue_to(data: &DataDir, node: &NodeName, out: &std::path::Path, json: bool) -> Result<()> {
    let ca = data.link_ca()?;
    let issued = issue(&ca, node)?;
    let files = [
        ("link.key", &issued.key, Visibility::Owner),
        ("link.pem", &issued.certificate, Visibility::Everyone),
        ("ca.pem", &ca.certificate, Visibility::Everyone),
    ];
    if let Some((taken, ..)) = files.iter().find(|(name, ..)| out.join(name).exists()) {
        bail!("{} is there already: name another directory", out.join(taken).display());
    }
    fs::create_dir_all(out).map_err(DataDirError::refused("make the directory", out))?;
    for (name, text, visibility) in files {
        write_new(&out.join(name), text.as_bytes(), visibility)?;
    }
    if json {
        say_json(&json!({ "node": node, "directory": out, "files": ["ca.pem", "link.pem", "link.key"] }));
        return Ok(());
    }
    say(format_args!(
        "{}: ca.pem, link.pem and link.key for {node}\n\nCopy the directory there over a channel that keeps it secret, \
         and name its files under [cluster]:\n\n  ca = \"ca.pem\"\n  certificate = \"link.pem\"\n  key = \"link.key\"\n\n\
         This certificate is not renewed by itself. The machine needs rookery.toml and keys, too.",
        out.display()
    ));
    Ok(())
}
