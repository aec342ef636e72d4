//! Who a token says its bearer is. Verifying a signature is the node's; that the device still exists, and the token's
//! generation is its own, is checked against the store by the connection.

use rookery_protocol::{DeviceId, UserId};

/// What a verified token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceToken {
    /// Whose.
    pub user: UserId,
    /// Which of the user's devices.
    pub device: DeviceId,
    /// The device's generation when the token was made.
    pub generation: u32,
}

/// Why a token does not let its bearer in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not a token, or not signed by this cluster.
    #[error("the token is not one of this cluster's")]
    Invalid,
    /// Past its time.
    #[error("the token has expired")]
    Expired,
}

/// Verifies tokens.
pub trait Authenticator: Send + Sync + 'static {
    /// What the token says, if it is genuine and in its time at `now_ms`.
    ///
    /// # Errors
    /// When it is not.
    fn verify(&self, token: &str, now_ms: u64) -> Result<DeviceToken, TokenError>;
}
