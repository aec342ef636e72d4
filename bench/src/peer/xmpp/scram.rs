//! SCRAM (RFC 5802, RFC 7677) from a client's side, without channel binding: what to answer, and whether the server knows
//! the password too.

use std::num::NonZeroU32;

use aws_lc_rs::{constant_time, digest, hmac, pbkdf2};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// More rounds than this would take a second for one connection.
const ROUNDS_MAX: u32 = 1_000_000;

/// `n,,` in base64: no channel binding, no other identity.
const HEADER: &str = "n,,";

/// A hash to do it with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha1,
    Sha256,
}

/// Why it fails.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum ScramError {
    #[error("the server's challenge has no {0}")]
    Missing(&'static str),
    #[error("the server's nonce does not begin with this one")]
    Nonce,
    #[error("the server asks for {0} rounds: more than {ROUNDS_MAX}")]
    Rounds(u32),
    #[error("the server does not know the password itself")]
    ServerSignature,
}

/// One exchange.
pub(crate) struct Scram {
    hash: Hash,
    nonce: String,
    first: String,
}

/// What to answer to the challenge, and what the server has to say then.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) message: String,
    server_signature: Vec<u8>,
}

impl Scram {
    /// `nonce` is random, of printable characters without a comma.
    pub(crate) fn new(hash: Hash, user: &str, nonce: String) -> Self {
        let user = user.replace('=', "=3D").replace(',', "=2C");
        Self { hash, first: format!("n={user},r={nonce}"), nonce }
    }

    /// The first message.
    pub(crate) fn first(&self) -> String {
        format!("{HEADER}{}", self.first)
    }

    /// Answers the server's challenge.
    pub(crate) fn answer(&self, challenge: &str, password: &str) -> Result<Answer, ScramError> {
        let nonce = field(challenge, "r=").ok_or(ScramError::Missing("nonce"))?;
        if !nonce.starts_with(&self.nonce) {
            return Err(ScramError::Nonce);
        }
        let salt = field(challenge, "s=").and_then(|salt| BASE64.decode(salt).ok());
        let salt = salt.ok_or(ScramError::Missing("salt"))?;
        let rounds = field(challenge, "i=").and_then(|rounds| rounds.parse::<u32>().ok());
        let rounds = rounds.and_then(NonZeroU32::new).ok_or(ScramError::Missing("number of rounds"))?;
        if rounds.get() > ROUNDS_MAX {
            return Err(ScramError::Rounds(rounds.get()));
        }

        let salted = self.hash.salted(password, &salt, rounds);
        let client_key = self.hash.hmac(&salted, b"Client Key");
        let stored_key = digest::digest(self.hash.digest(), &client_key);
        let without_proof = format!("c={},r={nonce}", BASE64.encode(HEADER));
        let signed = format!("{},{challenge},{without_proof}", self.first);
        let signature = self.hash.hmac(stored_key.as_ref(), signed.as_bytes());
        let proof: Vec<u8> = client_key.iter().zip(&signature).map(|(one, other)| one ^ other).collect();
        let server_key = self.hash.hmac(&salted, b"Server Key");
        Ok(Answer {
            message: format!("{without_proof},p={}", BASE64.encode(proof)),
            server_signature: self.hash.hmac(&server_key, signed.as_bytes()),
        })
    }
}

impl Answer {
    /// Checks what came with the server's success.
    pub(crate) fn check(&self, success: &str) -> Result<(), ScramError> {
        let signature = field(success, "v=").and_then(|signature| BASE64.decode(signature).ok());
        let signature = signature.ok_or(ScramError::ServerSignature)?;
        constant_time::verify_slices_are_equal(&signature, &self.server_signature)
            .map_err(|_| ScramError::ServerSignature)
    }
}

impl Hash {
    /// What SASL calls it.
    pub(crate) fn mechanism(self) -> &'static str {
        match self {
            Self::Sha1 => "SCRAM-SHA-1",
            Self::Sha256 => "SCRAM-SHA-256",
        }
    }

    fn digest(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &digest::SHA256,
        }
    }

    fn hmac(self, key: &[u8], data: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Self::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => hmac::HMAC_SHA256,
        };
        hmac::sign(&hmac::Key::new(algorithm, key), data).as_ref().to_vec()
    }

    fn salted(self, password: &str, salt: &[u8], rounds: NonZeroU32) -> Vec<u8> {
        let algorithm = match self {
            Self::Sha1 => pbkdf2::PBKDF2_HMAC_SHA1,
            Self::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
        };
        let mut salted = vec![0; self.digest().output_len()];
        pbkdf2::derive(algorithm, rounds, salt, password.as_bytes(), &mut salted);
        salted
    }
}

fn field<'a>(message: &'a str, name: &str) -> Option<&'a str> {
    message.split(',').find_map(|field| field.strip_prefix(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exchange_of_rfc_5802_is_made_with_sha_1() {
        let scram = Scram::new(Hash::Sha1, "user", "fyko+d2lbbFgONRv9qkxdawL".into());
        assert_eq!(scram.first(), "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL");
        let challenge = "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096";
        let answer = scram.answer(challenge, "pencil").unwrap();
        assert_eq!(
            answer.message,
            "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="
        );
        answer.check("v=rmF9pqV8S7suAoZWja4dJRkFsKQ=").unwrap();
        assert_eq!(answer.check("v=AAAApqV8S7suAoZWja4dJRkFsKQ="), Err(ScramError::ServerSignature));
        assert_eq!(answer.check(""), Err(ScramError::ServerSignature));
    }

    #[test]
    fn the_exchange_of_rfc_7677_is_made_with_sha_256() {
        let scram = Scram::new(Hash::Sha256, "user", "rOprNGfwEbeRWgbNEkqO".into());
        let challenge =
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let answer = scram.answer(challenge, "pencil").unwrap();
        assert!(answer.message.ends_with(",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="));
        answer.check("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=").unwrap();
    }

    #[test]
    fn a_challenge_that_is_none_is_refused() {
        let scram = Scram::new(Hash::Sha256, "user", "mine".into());
        let refused = |challenge: &str| scram.answer(challenge, "pencil").expect_err("it is no challenge");
        assert_eq!(refused(""), ScramError::Missing("nonce"));
        assert_eq!(refused("r=other,s=W22Z,i=1"), ScramError::Nonce);
        assert_eq!(refused("r=mine1,s=?,i=1"), ScramError::Missing("salt"));
        assert_eq!(refused("r=mine1,s=W22Z,i=0"), ScramError::Missing("number of rounds"));
        assert_eq!(refused("r=mine1,s=W22Z,i=4000000000"), ScramError::Rounds(4_000_000_000));
    }
}
