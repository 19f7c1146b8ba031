//! The rest of the system's rows: plugins, settings, answers, tokens, users.

use jiff::Timestamp;
use pergola_model::{PluginId, Role};
use pergola_service::ports::store::{StoreError, StoredAnswer, StoredPlugin, StoredToken, StoredUser};

use crate::{
    error::unexpected,
    row::{Cells, json},
    session::Session,
    sql::Sql,
};

/// All plugins, by id.
pub(crate) async fn list_plugins(session: &mut Session) -> Result<Vec<StoredPlugin>, StoreError> {
    let sql = Sql::new("SELECT id, manifest, digest, settings, installed_at FROM pergola_plugin ORDER BY id");
    let mut plugins = Vec::new();
    for row in session.fetch_all(sql).await? {
        let mut cells = Cells::new(&row);
        plugins.push(StoredPlugin {
            id: cells.take_name(PluginId::new)?,
            manifest: cells.take()?,
            digest: cells.take()?,
            settings: cells.take_json()?,
            installed_at: cells.take_time()?,
        });
    }
    Ok(plugins)
}

/// Installs or replaces a plugin.
pub(crate) async fn put_plugin(session: &mut Session, plugin: &StoredPlugin) -> Result<(), StoreError> {
    let mut sql = Sql::new(
        "INSERT INTO pergola_plugin (id, manifest, digest, settings, installed_at) VALUES (?, ?, ?, ?, ?) \
         ON CONFLICT (id) DO UPDATE SET manifest = excluded.manifest, digest = excluded.digest, \
         settings = excluded.settings, installed_at = excluded.installed_at",
    );
    sql.value(plugin.id.as_str()).value(plugin.manifest.as_str()).value(plugin.digest.as_str());
    sql.value(json(&plugin.settings)?).value(plugin.installed_at);
    session.execute(sql).await.map(|_| ())
}

/// One of the workspace's own settings.
pub(crate) async fn find_setting(session: &mut Session, key: &str) -> Result<Option<serde_json::Value>, StoreError> {
    let mut sql = Sql::new("SELECT value FROM pergola_setting WHERE key = ");
    sql.bind(key);
    let row = session.fetch_optional(sql).await?;
    row.map(|row| Cells::new(&row).take_json()).transpose()
}

/// Sets one of the workspace's own settings.
pub(crate) async fn put_setting(session: &mut Session, key: &str, value: &serde_json::Value) -> Result<(), StoreError> {
    let mut sql = Sql::new(
        "INSERT INTO pergola_setting (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    );
    sql.value(key).value(value.to_string());
    session.execute(sql).await.map(|_| ())
}

/// The answer under an idempotency key.
pub(crate) async fn find_answer(session: &mut Session, key: &str) -> Result<Option<StoredAnswer>, StoreError> {
    let mut sql = Sql::new("SELECT key, request_sha256, status, body, expires_at FROM pergola_answer WHERE key = ");
    sql.bind(key);
    let Some(row) = session.fetch_optional(sql).await? else { return Ok(None) };
    let mut cells = Cells::new(&row);
    let (key, request_sha256) = (cells.take()?, cells.take()?);
    let status: i64 = cells.take()?;
    Ok(Some(StoredAnswer {
        key,
        request_sha256,
        status: u16::try_from(status).map_err(|_| unexpected("a status has 16 bits"))?,
        body: cells.take()?,
        expires_at: cells.take_time()?,
    }))
}

/// Keeps an answer. If there is one that has not expired, it fails: there the hash may not be null.
pub(crate) fn insert_answer(answer: &StoredAnswer, now: Timestamp) -> Sql {
    let mut insert = Sql::new(
        "INSERT INTO pergola_answer (key, request_sha256, status, body, expires_at) VALUES (?, ?, ?, ?, ?) \
         ON CONFLICT (key) DO UPDATE SET request_sha256 = CASE WHEN pergola_answer.expires_at <= ? \
         THEN excluded.request_sha256 END, status = excluded.status, body = excluded.body, \
         expires_at = excluded.expires_at",
    );
    insert.value(answer.key.as_str()).value(answer.request_sha256.as_slice()).value(i64::from(answer.status));
    insert.value(answer.body.as_slice()).value(answer.expires_at).value(now);
    insert
}

/// How many answers have expired.
pub(crate) async fn count_expired_answers(session: &mut Session, now: Timestamp) -> Result<u64, StoreError> {
    let mut sql = Sql::new("SELECT count(*) FROM pergola_answer WHERE expires_at <= ");
    sql.bind(now);
    let row = session.fetch_optional(sql).await?;
    let count: i64 = row.map_or(Ok(0), |row| Cells::new(&row).take())?;
    Ok(u64::try_from(count).unwrap_or_default())
}

/// Drops so many answers that have expired; how many there were.
pub(crate) async fn drop_expired_answers(session: &mut Session, now: Timestamp, limit: u32) -> Result<u64, StoreError> {
    let mut sql =
        Sql::new("DELETE FROM pergola_answer WHERE key IN (SELECT key FROM pergola_answer WHERE expires_at <= ");
    sql.bind(now).push(" ORDER BY expires_at LIMIT ").bind(i64::from(limit));
    sql.push(session.dialect().for_change_of_free_ones()).push(")");
    session.execute(sql).await
}

/// Who has the token of this hash.
pub(crate) async fn find_token(session: &mut Session, sha256: &[u8]) -> Result<Option<StoredToken>, StoreError> {
    let mut sql = Sql::new("SELECT sha256, name, role, expires_at FROM pergola_token WHERE sha256 = ");
    sql.bind(sha256);
    let Some(row) = session.fetch_optional(sql).await? else { return Ok(None) };
    let mut cells = Cells::new(&row);
    Ok(Some(StoredToken {
        sha256: cells.take()?,
        name: cells.take()?,
        role: role(cells.take()?)?,
        expires_at: cells.take_optional_time()?,
    }))
}

/// Adds a token.
pub(crate) async fn insert_token(session: &mut Session, token: &StoredToken) -> Result<(), StoreError> {
    let mut sql = Sql::new("INSERT INTO pergola_token (sha256, name, role, expires_at) VALUES (?, ?, ?, ?)");
    sql.value(token.sha256.as_slice()).value(token.name.as_str()).value(token.role.as_str()).value(token.expires_at);
    session.execute(sql).await.map(|_| ())
}

/// The user with this e-mail address.
pub(crate) async fn find_user(session: &mut Session, email: &str) -> Result<Option<StoredUser>, StoreError> {
    let mut sql = Sql::new("SELECT email, password_hash, role FROM pergola_user WHERE email = ");
    sql.bind(email);
    let Some(row) = session.fetch_optional(sql).await? else { return Ok(None) };
    let mut cells = Cells::new(&row);
    Ok(Some(StoredUser { email: cells.take()?, password_hash: cells.take()?, role: role(cells.take()?)? }))
}

/// Adds or replaces a user.
pub(crate) async fn put_user(session: &mut Session, user: &StoredUser) -> Result<(), StoreError> {
    let mut sql = Sql::new(
        "INSERT INTO pergola_user (email, password_hash, role) VALUES (?, ?, ?) \
         ON CONFLICT (email) DO UPDATE SET password_hash = excluded.password_hash, role = excluded.role",
    );
    sql.value(user.email.as_str()).value(user.password_hash.as_str()).value(user.role.as_str());
    session.execute(sql).await.map(|_| ())
}

fn role(text: &str) -> Result<Role, StoreError> {
    Role::parse(text).ok_or_else(|| unexpected("a stored role has no known name"))
}
