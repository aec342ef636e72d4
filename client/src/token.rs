//! Where the token in HELLO comes from: a fixed text, or a function asked at each connection.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

type TokenFuture = Pin<Box<dyn Future<Output = Result<String, TokenError>> + Send>>;

/// Why there is no token now. The client tries again later.
#[derive(Debug, thiserror::Error)]
#[error("no token: {0}")]
pub struct TokenError(#[source] Box<dyn std::error::Error + Send + Sync>);

impl TokenError {
    /// For a reason of the provider's own.
    pub fn new(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(reason.into())
    }
}

/// Gives the token to present at each connection.
#[derive(Clone)]
pub struct TokenProvider(Kind);

#[derive(Clone)]
enum Kind {
    Fixed(Arc<str>),
    Function(Arc<dyn Fn() -> TokenFuture + Send + Sync>),
}

impl TokenProvider {
    /// Always the same token.
    pub fn fixed(token: impl Into<Arc<str>>) -> Self {
        Self(Kind::Fixed(token.into()))
    }

    /// A function asked before each connection, so that tokens may be short-lived.
    pub fn from_fn<F, T>(function: F) -> Self
    where
        F: Fn() -> T + Send + Sync + 'static,
        T: Future<Output = Result<String, TokenError>> + Send + 'static,
    {
        Self(Kind::Function(Arc::new(move || Box::pin(function()))))
    }

    pub(crate) async fn token(&self) -> Result<String, TokenError> {
        match &self.0 {
            Kind::Fixed(token) => Ok(token.as_ref().to_owned()),
            Kind::Function(function) => function().await,
        }
    }
}

impl fmt::Debug for TokenProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A token is a secret.
        f.write_str("TokenProvider")
    }
}
