//! Tokens: what lets a device in. JSON Web Tokens signed with Ed25519.
//!
//! | claim | meaning |
//! |---|---|
//! | `iss` | the cluster |
//! | `sub` | the user's number, as a string |
//! | `dev` | the device's number |
//! | `gen` | the device's generation: revoking a device's tokens raises it in the store |
//! | `iat`, `exp` | issued and expiring, seconds since 1970 |
//!
//! Here a token is only known to be genuine and in its time; that the device is still there, and its generation still
//! this one, is for the connection to ask the store.

use std::time::Duration;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use rookery_actors::{Authenticator, DeviceToken, TokenError};
use rookery_protocol::{DeviceId, UserId};
use serde::{Deserialize, Serialize};

/// How long after its end a token is still taken: what the clocks of two well-kept machines may differ by.
pub const LEEWAY: Duration = Duration::from_secs(30);

/// The cluster's signing key.
pub struct TokenKeys {
    pkcs8: Vec<u8>,
    public: Vec<u8>,
}

impl std::fmt::Debug for TokenKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenKeys")
    }
}

impl TokenKeys {
    /// New ones.
    ///
    /// # Errors
    /// When the machine has no randomness to give.
    pub fn generate() -> Result<Self, String> {
        let pair = Ed25519KeyPair::generate().map_err(|error| error.to_string())?;
        let pkcs8 = pair.to_pkcs8().map_err(|error| error.to_string())?;
        Self::from_pkcs8(pkcs8.as_ref().to_vec())
    }

    /// Those in a PKCS #8 file.
    ///
    /// # Errors
    /// When it holds no Ed25519 key.
    pub fn from_pkcs8(pkcs8: Vec<u8>) -> Result<Self, String> {
        let pair = Ed25519KeyPair::from_pkcs8(&pkcs8)
            .map_err(|error| format!("not an Ed25519 key in PKCS #8 ({error})"))?;
        Ok(Self { public: pair.public_key().as_ref().to_vec(), pkcs8 })
    }

    /// The private key. For its file only.
    pub(crate) fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }

    /// The public key, 32 bytes.
    pub fn public(&self) -> &[u8] {
        &self.public
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    dev: u32,
    #[serde(rename = "gen")]
    generation: u32,
    iat: u64,
    exp: u64,
}

/// Makes tokens.
pub struct TokenIssuer {
    cluster: String,
    key: EncodingKey,
}

impl std::fmt::Debug for TokenIssuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TokenIssuer({})", self.cluster)
    }
}

/// A token could not be signed.
#[derive(Debug, thiserror::Error)]
#[error("the token could not be signed")]
pub struct SigningError(#[source] jsonwebtoken::errors::Error);

impl TokenIssuer {
    /// For a cluster's devices.
    pub fn new(cluster: &str, keys: &TokenKeys) -> Self {
        Self { cluster: cluster.to_owned(), key: EncodingKey::from_ed_der(&keys.pkcs8) }
    }

    /// A token for a device, good from `now_ms` for `lifetime`.
    ///
    /// # Errors
    /// When the key does not sign.
    pub fn issue(
        &self,
        device: DeviceToken,
        now_ms: u64,
        lifetime: Duration,
    ) -> Result<String, SigningError> {
        let iat = now_ms / 1000;
        let claims = Claims {
            iss: self.cluster.clone(),
            sub: device.user.to_string(),
            dev: device.device.get(),
            generation: device.generation,
            iat,
            exp: iat.saturating_add(lifetime.as_secs()),
        };
        jsonwebtoken::encode(&Header::new(Algorithm::EdDSA), &claims, &self.key).map_err(SigningError)
    }
}

/// Verifies tokens of one cluster.
pub struct TokenVerifier {
    key: DecodingKey,
    validation: Validation,
}

impl std::fmt::Debug for TokenVerifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenVerifier")
    }
}

impl TokenVerifier {
    /// For the tokens of a cluster, by its public key.
    pub fn new(cluster: &str, public: &[u8]) -> Self {
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[cluster]);
        validation.set_required_spec_claims(&["iss", "exp"]);
        // The library would ask the machine's clock; here the time is the caller's.
        validation.validate_exp = false;
        validation.validate_aud = false;
        Self { key: DecodingKey::from_ed_der(public), validation }
    }
}

impl Authenticator for TokenVerifier {
    fn verify(&self, token: &str, now_ms: u64) -> Result<DeviceToken, TokenError> {
        let claims = jsonwebtoken::decode::<Claims>(token, &self.key, &self.validation)
            .map_err(|_| TokenError::Invalid)?
            .claims;
        let user = claims.sub.parse().ok().and_then(|number| UserId::new(number).ok());
        let user = user.ok_or(TokenError::Invalid)?;
        if now_ms / 1000 >= claims.exp.saturating_add(LEEWAY.as_secs()) {
            return Err(TokenError::Expired);
        }
        Ok(DeviceToken { user, device: DeviceId::new(claims.dev), generation: claims.generation })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 1_800_000_000_000;
    const HOUR: Duration = Duration::from_secs(3600);

    fn device() -> DeviceToken {
        DeviceToken { user: UserId::new(UserId::MAX).unwrap(), device: DeviceId::new(3), generation: 7 }
    }

    fn issued(keys: &TokenKeys, cluster: &str) -> String {
        TokenIssuer::new(cluster, keys).issue(device(), NOW_MS, HOUR).unwrap()
    }

    #[test]
    fn a_token_says_whose_it_is() {
        let keys = TokenKeys::generate().unwrap();
        let verifier = TokenVerifier::new("rooks", keys.public());
        assert_eq!(verifier.verify(&issued(&keys, "rooks"), NOW_MS), Ok(device()));
    }

    #[test]
    fn a_token_ends_with_its_time_and_the_leeway() {
        let keys = TokenKeys::generate().unwrap();
        let verifier = TokenVerifier::new("rooks", keys.public());
        let token = issued(&keys, "rooks");
        let end_ms = NOW_MS + (HOUR + LEEWAY).as_millis() as u64;
        assert_eq!(verifier.verify(&token, end_ms - 1), Ok(device()));
        assert_eq!(verifier.verify(&token, end_ms), Err(TokenError::Expired));
    }

    #[test]
    fn a_token_of_another_key_or_cluster_is_not_ours() {
        let (keys, others) = (TokenKeys::generate().unwrap(), TokenKeys::generate().unwrap());
        let verifier = TokenVerifier::new("rooks", keys.public());
        assert_eq!(verifier.verify(&issued(&others, "rooks"), NOW_MS), Err(TokenError::Invalid));
        assert_eq!(verifier.verify(&issued(&keys, "crows"), NOW_MS), Err(TokenError::Invalid));
    }

    #[test]
    fn a_token_changed_in_any_byte_is_refused() {
        let keys = TokenKeys::generate().unwrap();
        let verifier = TokenVerifier::new("rooks", keys.public());
        let token = issued(&keys, "rooks").into_bytes();
        for at in 0..token.len() {
            let mut forged = token.clone();
            forged[at] ^= 1;
            if let Ok(forged) = String::from_utf8(forged) {
                assert_eq!(verifier.verify(&forged, NOW_MS), Err(TokenError::Invalid), "byte {at}");
            }
        }
    }

    #[test]
    fn a_token_that_names_another_algorithm_is_refused() {
        let keys = TokenKeys::generate().unwrap();
        let verifier = TokenVerifier::new("rooks", keys.public());
        let claims = issued(&keys, "rooks").split('.').nth(1).unwrap().to_owned();
        // {"alg":"none"} without a signature, and HS256 keyed with the public key, which everybody may have.
        assert_eq!(
            verifier.verify(&format!("eyJhbGciOiJub25lIn0.{claims}."), NOW_MS),
            Err(TokenError::Invalid)
        );
        let claims = Claims {
            iss: "rooks".into(),
            sub: "1".into(),
            dev: 1,
            generation: 1,
            iat: NOW_MS / 1000,
            exp: NOW_MS / 1000 + 60,
        };
        let confused =
            jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(keys.public()))
                .unwrap();
        assert_eq!(verifier.verify(&confused, NOW_MS), Err(TokenError::Invalid));
    }

    #[test]
    fn anything_else_is_no_token() {
        let keys = TokenKeys::generate().unwrap();
        let verifier = TokenVerifier::new("rooks", keys.public());
        for text in ["", ".", "..", "a.b.c", "eyJ", &"x".repeat(2048), "\u{1f426}.\0.\u{7f}"] {
            assert_eq!(verifier.verify(text, NOW_MS), Err(TokenError::Invalid));
        }
    }
}
