//! Who may come in: tokens and users, as they are stored.

use jiff::Timestamp;
use pergola_model::Role;

/// A token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredToken {
    /// SHA-256 of the secret.
    pub sha256: Vec<u8>,
    /// The name in the audit.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// When it ends; never, if absent.
    pub expires_at: Option<Timestamp>,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredUser {
    /// Lower case.
    pub email: String,
    /// Argon2id, in PHC form.
    pub password_hash: String,
    /// What they may do.
    pub role: Role,
}
