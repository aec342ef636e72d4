//! `rookery token`: what lets a device in, made and revoked.

use std::time::Duration;

use anyhow::{Context, Result};
use rookery_actors::{Clock, DeviceToken, SystemClock};
use rookery_protocol::UserId;
use rookery_store::ops::{AddDevice, RevokeDevice};
use rookery_store::queries;

use super::arguments::Token;
use super::local::Local;
use crate::token::TokenIssuer;

pub(super) async fn run(arguments: Token) -> Result<()> {
    let Token { name, device, expires, revoke, place } = arguments;
    let local = Local::open(&place).await?;
    let user = local.user(&place, &name).await?;
    let outcome =
        if revoke { local.revoke(user, &device).await } else { local.token(user, &device, expires).await };
    local.store.close().await;
    let text = outcome.with_context(|| format!("{name}'s device \"{device}\""))?;
    if revoke {
        eprintln!("{text}");
    } else {
        println!("{text}");
    }
    Ok(())
}

impl Local {
    /// A token for the user's device of that name, which is added if there is none.
    async fn token(&self, user: UserId, device: &str, lifetime: Duration) -> Result<String> {
        let (issuer, bearer) = self.issuer(user, device).await?;
        Ok(issuer.issue(bearer, SystemClock.now_ms(), lifetime)?)
    }

    /// What makes tokens for the user's device of that name, which is added if there is none.
    pub(super) async fn issuer(&self, user: UserId, device: &str) -> Result<(TokenIssuer, DeviceToken)> {
        let op = AddDevice { user, name: device.to_owned(), time_ms: SystemClock.now_ms() };
        let added = self.store.submit(&user, op).await?.answer?;
        let issuer = TokenIssuer::new(&self.data.marker().cluster, &self.data.token_keys()?);
        Ok((issuer, DeviceToken { user, device: added.device, generation: added.generation }))
    }

    async fn revoke(&self, user: UserId, name: &str) -> Result<String> {
        let snapshot = self.store.snapshot().await?;
        let devices = queries::devices(&*snapshot, user).await?;
        drop(snapshot);
        let (device, found) = devices.iter().find(|(_, device)| device.name == name).with_context(|| {
            let names: Vec<&str> = devices.iter().map(|(_, device)| device.name.as_str()).collect();
            match &names[..] {
                [] => "there are no devices at all".to_owned(),
                names => format!("there is none of that name, only: {}", names.join(", ")),
            }
        })?;
        let op = RevokeDevice { user, device: *device, generation: found.generation };
        self.store.submit(&user, op).await?.answer?;
        Ok(format!("revoked: no token given to \"{name}\" so far lets it in again"))
    }
}
