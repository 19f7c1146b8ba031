//! Who calls: bearer tokens, and what they stand for.

pub(crate) mod cache;
pub(crate) mod credentials;

use std::sync::Arc;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
};
use pergola_model::{Actor, Role};

use crate::{app::App, problem::Problem};

/// A longer token is none of ours and not worth a hash.
const TOKEN_BYTES_MAX: usize = 256;

/// Somebody with a token.
pub(crate) struct Caller(pub(crate) Arc<Actor>);

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        caller(app, &parts.headers).await.map(Self)
    }
}

impl Caller {
    /// Passes for an owner.
    pub(crate) fn check_owner(&self, what: &str) -> Result<(), Problem> {
        if self.is_owner() { Ok(()) } else { Err(Problem::forbidden(format!("only an owner may {what}"))) }
    }

    pub(crate) fn is_owner(&self) -> bool {
        matches!(&*self.0, Actor::System | Actor::User { role: Role::Owner, .. })
    }
}

/// Who has the token of this request.
pub(crate) async fn caller(app: &App, headers: &HeaderMap) -> Result<Arc<Actor>, Problem> {
    let token = bearer(headers)?.ok_or_else(|| {
        let detail = "this needs a token: send it as \"Authorization: Bearer TOKEN\"; POST /api/v1/session gives one";
        unauthorized("unauthenticated", detail, "Bearer realm=\"pergola\"")
    })?;
    find(app, token).await?.ok_or_else(|| {
        let challenge = "Bearer realm=\"pergola\", error=\"invalid_token\"";
        unauthorized(
            "bad_token",
            "this token is not known, or has ended; POST /api/v1/session gives a new one",
            challenge,
        )
    })
}

/// The same for a route that anybody may call: a token counts if it is good.
pub(crate) async fn anybody(app: &App, headers: &HeaderMap) -> Result<Arc<Actor>, Problem> {
    let found = match bearer(headers) {
        Ok(Some(token)) => find(app, token).await?,
        Ok(None) | Err(_) => None,
    };
    Ok(found.unwrap_or_else(|| Arc::new(Actor::Public)))
}

async fn find(app: &App, token: &str) -> Result<Option<Arc<Actor>>, Problem> {
    if token.len() > TOKEN_BYTES_MAX {
        return Ok(None);
    }
    let sha256 = credentials::sha256(token.as_bytes());
    let now = app.workspace.now();
    if let Some(actor) = app.tokens.find(&sha256, now) {
        return Ok(Some(actor));
    }
    let Some(stored) = app.workspace.find_token(&sha256).await? else { return Ok(None) };
    let actor = Arc::new(Actor::User { name: stored.name, role: stored.role });
    app.tokens.keep(sha256, Arc::clone(&actor), stored.expires_at, now);
    Ok(Some(actor))
}

fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let token = value.to_str().ok().and_then(|text| {
        let (scheme, token) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    match token {
        Some(token) if !token.is_empty() => Ok(Some(token)),
        _ => {
            let detail = "the Authorization header is not of the form \"Bearer TOKEN\"";
            Err(unauthorized("unauthenticated", detail, "Bearer realm=\"pergola\", error=\"invalid_request\""))
        }
    }
}

/// 401, with what the client may try.
pub(crate) fn unauthorized(code: &'static str, detail: &str, challenge: &'static str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, code, detail)
        .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
}
