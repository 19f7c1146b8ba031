//! Tokens and passwords: made, hashed, compared.

use std::sync::OnceLock;

use argon2::{
    Argon2, PasswordHash, PasswordHasher as _, PasswordVerifier as _,
    password_hash::{self, SaltString},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::Digest as _;

/// Says what a secret is when it turns up where it should not, to people and to scanners.
const TOKEN_PREFIX: &str = "pgl_";
/// 256 bits cannot be guessed, so that a plain SHA-256 is enough for them.
const TOKEN_BYTES: usize = 32;
/// The length that RFC 9106 recommends.
const SALT_BYTES: usize = 16;
/// The longest password, in bytes: hashing is not for documents.
const PASSWORD_BYTES_MAX: usize = 1_024;

/// Why a secret could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// The system gives no randomness.
    #[error("the system gave no random bytes")]
    Random(#[source] getrandom::Error),
    /// The password cannot be hashed.
    #[error("the password could not be hashed: {0}")]
    Hash(password_hash::Error),
    /// The password is too long.
    #[error("a password has at most {PASSWORD_BYTES_MAX} bytes")]
    TooLong,
}

/// A new token: the secret for its owner (`pgl_…`) and its SHA-256 for the store.
///
/// # Errors
/// [`CredentialError::Random`].
pub fn new_token() -> Result<(String, Vec<u8>), CredentialError> {
    let bytes: [u8; TOKEN_BYTES] = random()?;
    let token = format!("{TOKEN_PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes));
    let sha256 = token_sha256(&token);
    Ok((token, sha256))
}

/// The SHA-256 under which the store keeps a token.
#[must_use]
pub fn token_sha256(token: &str) -> Vec<u8> {
    sha256(token.as_bytes()).to_vec()
}

/// The password's Argon2id hash in PHC form. Takes tens of milliseconds and 19 MiB: not for an async task.
///
/// # Errors
/// [`CredentialError`].
pub fn hash_password(password: &str) -> Result<String, CredentialError> {
    if password.len() > PASSWORD_BYTES_MAX {
        return Err(CredentialError::TooLong);
    }
    let salt: [u8; SALT_BYTES] = random()?;
    let salt = SaltString::encode_b64(&salt).map_err(CredentialError::Hash)?;
    let hash = Argon2::default().hash_password(password.as_bytes(), &salt).map_err(CredentialError::Hash)?;
    Ok(hash.to_string())
}

/// Whether the password has this hash; false for a hash that is none. As slow as [`hash_password`].
#[must_use]
pub fn verify_password(password: &str, hash: &str) -> bool {
    let Ok(hash) = PasswordHash::new(hash) else { return false };
    password.len() <= PASSWORD_BYTES_MAX && Argon2::default().verify_password(password.as_bytes(), &hash).is_ok()
}

/// The hash of a password that nobody knows: whoever signs in under an unknown name is checked against it, so that
/// the time does not tell whether a user exists. As slow as [`hash_password`] the first time.
pub(crate) fn nobodys_hash() -> &'static str {
    static NOBODY: OnceLock<String> = OnceLock::new();
    NOBODY.get_or_init(|| new_token().and_then(|(token, _)| hash_password(&token)).unwrap_or_default())
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    sha2::Sha256::digest(bytes).into()
}

fn random<const N: usize>() -> Result<[u8; N], CredentialError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(CredentialError::Random)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_carries_its_prefix_and_its_hash() {
        let (token, hash) = new_token().unwrap();
        assert!(token.starts_with("pgl_") && token.len() == 4 + 43, "{token}");
        assert_eq!(hash, sha256(token.as_bytes()));
        assert_ne!(new_token().unwrap().0, token);
    }

    #[test]
    fn only_the_right_password_fits_its_hash() {
        let hash = hash_password("correct horse").unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(verify_password("correct horse", &hash));
        assert!(!verify_password("wrong horse", &hash));
        assert!(!verify_password("correct horse", "no hash"));
        assert!(nobodys_hash().starts_with("$argon2id$"));
    }

    #[test]
    fn a_password_as_long_as_a_document_is_refused() {
        assert!(matches!(hash_password(&"x".repeat(2_000)), Err(CredentialError::TooLong)));
    }
}
