//! Tokens that the program would never make: expired, of another key, of another cluster.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

/// A cluster's signing key, in the wrong hands.
pub struct TokenForge {
    key: EncodingKey,
}

impl std::fmt::Debug for TokenForge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenForge")
    }
}

impl TokenForge {
    pub(crate) fn open(data: &Path) -> Result<Self> {
        let pkcs8 = std::fs::read(data.join("keys/token.pk8")).context("the cluster's key")?;
        Ok(Self { key: EncodingKey::from_ed_der(&pkcs8) })
    }

    /// The same token, but past its time for `past`.
    ///
    /// # Errors
    /// When `token` is none.
    pub fn expired(&self, token: &str, past: Duration) -> Result<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        self.changed(token, |claims| {
            claims["exp"] = json!((now - past).as_secs());
            claims["iat"] = json!((now - past - Duration::from_secs(60)).as_secs());
        })
    }

    /// The same token with other claims, signed anew.
    ///
    /// # Errors
    /// When `token` is none.
    pub fn changed(&self, token: &str, change: impl FnOnce(&mut Value)) -> Result<String> {
        let mut claims = claims(token)?;
        change(&mut claims);
        Ok(jsonwebtoken::encode(&Header::new(Algorithm::EdDSA), &claims, &self.key)?)
    }
}

/// What a token says, whoever signed it.
fn claims(token: &str) -> Result<Value> {
    Ok(jsonwebtoken::dangerous::insecure_decode::<Value>(token)?.claims)
}
