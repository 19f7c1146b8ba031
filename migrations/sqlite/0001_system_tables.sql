-- What a workspace keeps besides records. The tables of objects are made from their declarations, not here.
-- Times are UTC microseconds; record ids are the 16 bytes of a UUIDv7.

-- Every change, once and for ever.
CREATE TABLE pergola_audit (
    sequence INTEGER NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    plugin TEXT,
    kind TEXT NOT NULL,
    object TEXT NOT NULL,
    record BLOB NOT NULL,
    changes TEXT NOT NULL
) STRICT;
-- A record's history is read from here; ids are unique across objects, so the object is not part of it.
CREATE INDEX pergola_audit_record ON pergola_audit (record, sequence);

-- Events on their way to plugins. AUTOINCREMENT, because a number that came back after a trim would be skipped
-- by every plugin whose place is beyond it.
CREATE TABLE pergola_outbox (
    sequence INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    object TEXT NOT NULL,
    kind TEXT NOT NULL,
    record BLOB NOT NULL,
    changed TEXT NOT NULL
) STRICT;

-- How far each plugin has been told.
CREATE TABLE pergola_subscription (
    plugin TEXT NOT NULL PRIMARY KEY,
    sequence INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    retry_at INTEGER
) STRICT, WITHOUT ROWID;

-- Durable wake-ups. `wake_at` is `due_at`, or the time of the next attempt after a failed one.
CREATE TABLE pergola_timer (
    plugin TEXT NOT NULL,
    object TEXT NOT NULL,
    action TEXT NOT NULL,
    record BLOB NOT NULL,
    due_at INTEGER NOT NULL,
    wake_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    error TEXT,
    PRIMARY KEY (plugin, object, action, record)
) STRICT, WITHOUT ROWID;
-- The host asks for the earliest wake-up after every commit.
CREATE INDEX pergola_timer_wake ON pergola_timer (wake_at);

-- Answers under idempotency keys.
CREATE TABLE pergola_answer (
    key TEXT NOT NULL PRIMARY KEY,
    request_sha256 BLOB NOT NULL,
    status INTEGER NOT NULL,
    body BLOB NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
-- Each new answer drops the expired ones.
CREATE INDEX pergola_answer_expires ON pergola_answer (expires_at);

-- Installed plugins.
CREATE TABLE pergola_plugin (
    id TEXT NOT NULL PRIMARY KEY,
    manifest TEXT NOT NULL,
    digest TEXT NOT NULL,
    settings TEXT NOT NULL,
    installed_at INTEGER NOT NULL
) STRICT;

-- The workspace's own settings, as JSON.
CREATE TABLE pergola_setting (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Tokens, without their secrets.
CREATE TABLE pergola_token (
    sha256 BLOB NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    expires_at INTEGER
) STRICT, WITHOUT ROWID;

-- People with a password.
CREATE TABLE pergola_user (
    email TEXT NOT NULL PRIMARY KEY,
    password_hash TEXT NOT NULL,
    role TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What each column of the objects' tables holds. SQLite's own types do not tell a date from a text,
-- nor a decimal of two digits from one of three.
CREATE TABLE pergola_column (
    object TEXT NOT NULL,
    field TEXT NOT NULL,
    holds TEXT NOT NULL,
    PRIMARY KEY (object, field)
) STRICT, WITHOUT ROWID;
