//! `POST /api/v1/session`: a token for an e-mail address and a password.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use jiff::SignedDuration;
use pergola_model::Role;
use pergola_service::ports::store::{StoredToken, StoredUser};
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    auth::{credentials, unauthorized},
    body,
    parameters::Parameters,
    problem::Problem,
};

/// How long somebody stays signed in: a working week and its weekend.
const SESSION_LENGTH: SignedDuration = SignedDuration::from_hours(7 * 24);
/// An e-mail address and a password need no more.
const BODY_BYTES_MAX: usize = 16 << 10;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Credentials {
    email: String,
    password: String,
}

#[derive(Serialize)]
struct Session {
    token: String,
    expires_at: String,
    role: Role,
}

pub(crate) async fn create(State(app): State<Arc<App>>, request: Request) -> Result<Response, Problem> {
    Parameters::none(request.uri())?;
    let _slot = app.sign_in_slots.try_acquire().map_err(|_| Problem::too_many_requests_at_once())?;
    let bytes = body::read_json(request, BODY_BYTES_MAX).await?;
    let credentials: Credentials = body::parse(&bytes)?;
    let email = credentials.email.trim().to_lowercase();
    let user = app.workspace.find_user(&email).await?;
    let user = checked(&app, user, credentials.password).await?.ok_or_else(bad_credentials)?;
    let (token, sha256) = credentials::new_token().map_err(|error| Problem::internal(error.to_string()))?;
    let expires_at =
        app.workspace.now().checked_add(SESSION_LENGTH).map_err(|error| Problem::internal(error.to_string()))?;
    let stored = StoredToken { sha256, name: user.email, role: user.role, expires_at: Some(expires_at) };
    app.workspace.insert_token(&stored).await?;
    let session = Session { token, expires_at: expires_at.to_string(), role: user.role };
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(session)).into_response())
}

/// The user, if it is their password. Unknown users take as long.
async fn checked(app: &App, user: Option<StoredUser>, password: String) -> Result<Option<StoredUser>, Problem> {
    let slot = Arc::clone(&app.password_slots).acquire_owned().await;
    let slot = slot.map_err(|error| Problem::internal(error.to_string()))?;
    let check = move || {
        // Kept to the end of the computation, which goes on even if the caller has gone.
        let _slot = slot;
        let hash = user.as_ref().map_or_else(|| credentials::nobodys_hash(), |user| user.password_hash.as_str());
        let fits = credentials::verify_password(&password, hash);
        user.filter(|_| fits)
    };
    tokio::task::spawn_blocking(check).await.map_err(|error| Problem::internal(error.to_string()))
}

fn bad_credentials() -> Problem {
    unauthorized("bad_credentials", "the e-mail address or the password is wrong", "Bearer realm=\"pergola\"")
}
