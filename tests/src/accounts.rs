//! Users and their devices, made by the program itself.

use std::collections::HashMap;

use anyhow::{Context, Result};
use futures_util::{StreamExt, TryStreamExt, stream};
use rookery_client::{DeviceId, UserId};

use crate::{Operator, Service};

/// Commands that run at once.
const AT_ONCE: usize = 4;

/// A user.
#[derive(Debug, Clone)]
pub struct Account {
    /// The handle.
    pub name: String,
    /// The number.
    pub user: UserId,
    /// At least one.
    pub devices: Vec<Device>,
}

/// A user's device.
#[derive(Debug, Clone)]
pub struct Device {
    /// The number.
    pub device: DeviceId,
    /// What lets it in.
    pub token: String,
}

/// Adds users, each with so many devices.
///
/// # Errors
/// When a command fails.
pub async fn accounts(service: &impl Service, wanted: &[(&str, usize)]) -> Result<Vec<Account>> {
    let operator = service.operator();
    let added = stream::iter(wanted).map(|(name, devices)| add(&operator, name, *devices));
    let added: Vec<_> = added.buffered(AT_ONCE).try_collect().await?;
    let numbers = device_numbers(&operator).await?;
    let account = |(name, user, tokens): (String, UserId, Vec<String>)| {
        let mut devices = Vec::new();
        for (index, token) in tokens.into_iter().enumerate() {
            let key = (name.clone(), device_name(index));
            let device = *numbers.get(&key).with_context(|| format!("{key:?} is not in the list"))?;
            devices.push(Device { device, token });
        }
        Ok(Account { name, user, devices })
    };
    added.into_iter().map(account).collect()
}

async fn add(operator: &Operator, name: &str, devices: usize) -> Result<(String, UserId, Vec<String>)> {
    let user = operator.add_user(name).await?;
    let mut tokens = Vec::new();
    for index in 0..devices {
        tokens.push(operator.token(name, &device_name(index)).await?);
    }
    Ok((name.to_owned(), user, tokens))
}

fn device_name(index: usize) -> String {
    format!("device-{index}")
}

async fn device_numbers(operator: &Operator) -> Result<HashMap<(String, String), DeviceId>> {
    let mut numbers = HashMap::new();
    for line in operator.command(&["user", "list", "--json"]).await?.lines() {
        let user: serde_json::Value = serde_json::from_str(line)?;
        for device in user["devices"].as_array().context("a list of devices")? {
            let name = |value: &serde_json::Value| value.as_str().map(str::to_owned).context("a name");
            let number = device["device"].as_u64().and_then(|number| u32::try_from(number).ok());
            let number = DeviceId::new(number.context("a device's number")?);
            numbers.insert((name(&user["name"])?, name(&device["name"])?), number);
        }
    }
    Ok(numbers)
}
