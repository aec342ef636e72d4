//! A command's way to the data directory and its store, beside a running node or without one.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use rookery_protocol::{Handle, UserId};
use rookery_store::{Store, StoreConfig, queries};

use super::arguments::Place;
use crate::config::{Config, EngineKind};
use crate::data_dir::DataDir;
use crate::store;

impl Place {
    /// The configuration, with the data directory of the arguments.
    pub(super) fn load(&self) -> Result<Config> {
        let mut config = Config::find(self.config.as_deref())?;
        if let Some(data) = &self.data {
            config.node.data.clone_from(data);
        }
        Ok(config)
    }

    /// The beginning of a command line for the same place: program and options.
    pub(super) fn command(&self, command: &str) -> String {
        let program = std::env::args_os().next().map_or_else(|| "rookery".into(), PathBuf::from);
        let mut line = format!("{} {command}", quoted(&program.to_string_lossy()));
        for (option, value) in [("--data", &self.data), ("--config", &self.config)] {
            if let Some(value) = value {
                line += &format!(" {option} {}", quoted(&value.to_string_lossy()));
            }
        }
        line
    }
}

/// As a shell takes it for one word.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+:@%,=".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// An existing data directory and its store.
pub(super) struct Local {
    pub(super) data: DataDir,
    pub(super) store: Store,
}

impl Local {
    pub(super) async fn open(place: &Place) -> Result<Self> {
        let config = place.load()?;
        if config.store.engine == EngineKind::Memory {
            bail!("engine = \"memory\" keeps everything inside the node: other commands cannot reach it");
        }
        let data = DataDir::open(&config.node.data, config.store.engine)?;
        let engine = store::open(&config.store, &data).await?;
        Ok(Self { data, store: Store::start(engine, StoreConfig::default()) })
    }

    /// The user of that name.
    pub(super) async fn user(&self, place: &Place, name: &Handle) -> Result<UserId> {
        let snapshot = self.store.snapshot().await?;
        let user = queries::user_by_handle(&*snapshot, name).await?;
        user.with_context(|| {
            format!("no user \"{name}\": add it with `{} {name}`", place.command("user add"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_quoted_only_where_a_shell_would_take_it_apart() {
        assert_eq!(quoted("target/release/rookery"), "target/release/rookery");
        assert_eq!(quoted("my data"), "'my data'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
