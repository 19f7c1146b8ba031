//! Tokens seen a moment ago, so that a request is not two queries.
//!
//! Only tokens that exist are kept: a wrong one costs a query each time and takes no room here.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use jiff::{SignedDuration, Timestamp};
use pergola_model::Actor;

/// How long a token is believed without asking the store: a revoked one works no longer than this.
/// Stated in docs/api-design.md.
const BELIEVED: SignedDuration = SignedDuration::from_secs(10);
/// The most tokens kept, about 200 bytes each.
const TOKENS_MAX: usize = 4_096;

/// SHA-256 of a token.
pub(crate) type Sha256 = [u8; 32];

/// Tokens seen a moment ago.
#[derive(Default)]
pub(crate) struct TokenCache(RwLock<HashMap<Sha256, Believed>>);

struct Believed {
    actor: Arc<Actor>,
    until: Timestamp,
}

impl TokenCache {
    /// Who has the token, if that is known for sure.
    pub(crate) fn find(&self, sha256: &Sha256, now: Timestamp) -> Option<Arc<Actor>> {
        let tokens = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let believed = tokens.get(sha256).filter(|believed| now < believed.until)?;
        Some(Arc::clone(&believed.actor))
    }

    /// Keeps what the store said, but not beyond the token's own end.
    pub(crate) fn keep(&self, sha256: Sha256, actor: Arc<Actor>, expires_at: Option<Timestamp>, now: Timestamp) {
        let until = now.checked_add(BELIEVED).unwrap_or(now);
        let until = expires_at.map_or(until, |end| end.min(until));
        let mut tokens = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if tokens.len() >= TOKENS_MAX {
            tokens.retain(|_, believed| now < believed.until);
        }
        if tokens.len() >= TOKENS_MAX {
            tokens.clear();
        }
        tokens.insert(sha256, Believed { actor, until });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_token_is_believed_for_ten_seconds_and_never_past_its_end() {
        let cache = TokenCache::default();
        cache.keep([1; 32], Arc::new(Actor::System), None, at(100));
        cache.keep([2; 32], Arc::new(Actor::System), Some(at(103)), at(100));
        assert!(cache.find(&[1; 32], at(109)).is_some());
        assert!(cache.find(&[1; 32], at(110)).is_none());
        assert!(cache.find(&[2; 32], at(102)).is_some());
        assert!(cache.find(&[2; 32], at(103)).is_none());
        assert!(cache.find(&[3; 32], at(100)).is_none());
    }

    #[test]
    fn the_cache_does_not_grow_beyond_its_bound() {
        let cache = TokenCache::default();
        for number in 0..=u16::try_from(TOKENS_MAX).unwrap() {
            let mut sha256 = [0; 32];
            sha256[..2].copy_from_slice(&number.to_be_bytes());
            cache.keep(sha256, Arc::new(Actor::System), None, at(100));
        }
        assert!(cache.0.read().unwrap().len() <= TOKENS_MAX);
    }
}
