-- What a workspace keeps besides records. The tables of objects are made from their declarations, not here.
-- Times are UTC microseconds. Migrations run with the workspace's schema as the search path.

-- Every change, once and for ever.
CREATE TABLE pergola_audit (
    sequence BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    plugin TEXT,
    kind TEXT NOT NULL,
    object TEXT NOT NULL,
    record UUID NOT NULL,
    changes TEXT NOT NULL
);
-- A record's history is read from here; ids are unique across objects, so the object is not part of it.
CREATE INDEX pergola_audit_record ON pergola_audit (record, sequence);

-- Events on their way to plugins. Units of work commit in another order than they write, so `id` is no place that a
-- plugin can have been told up to: an event gets its `sequence` only after its commit, from `pergola_outbox_head`.
CREATE TABLE pergola_outbox (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sequence BIGINT UNIQUE,
    at BIGINT NOT NULL,
    object TEXT NOT NULL,
    kind TEXT NOT NULL,
    record UUID NOT NULL,
    changed TEXT NOT NULL
);
-- Those that have no place yet.
CREATE INDEX pergola_outbox_new ON pergola_outbox (id) WHERE sequence IS NULL;

-- The last place that was given; it outlives the events, because a number that came back after a trim would be
-- skipped by every plugin whose place is beyond it.
CREATE TABLE pergola_outbox_head (
    sequence BIGINT NOT NULL
);
INSERT INTO pergola_outbox_head (sequence) VALUES (0);

-- How far each plugin has been told.
CREATE TABLE pergola_subscription (
    plugin TEXT NOT NULL PRIMARY KEY,
    sequence BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    retry_at BIGINT
);

-- Durable wake-ups. `wake_at` is `due_at`, or the time of the next attempt after a failed one, or the end of the lease
-- of the process that fires it now.
CREATE TABLE pergola_timer (
    plugin TEXT COLLATE "C" NOT NULL,
    object TEXT COLLATE "C" NOT NULL,
    action TEXT COLLATE "C" NOT NULL,
    record UUID NOT NULL,
    due_at BIGINT NOT NULL,
    wake_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL DEFAULT 0,
    error TEXT,
    PRIMARY KEY (plugin, object, action, record)
);
-- The host asks for the earliest wake-up after every commit.
CREATE INDEX pergola_timer_wake ON pergola_timer (wake_at);

-- Answers under idempotency keys.
CREATE TABLE pergola_answer (
    key TEXT NOT NULL PRIMARY KEY,
    request_sha256 BYTEA NOT NULL,
    status BIGINT NOT NULL,
    body BYTEA NOT NULL,
    expires_at BIGINT NOT NULL
);
-- Each new answer drops expired ones.
CREATE INDEX pergola_answer_expires ON pergola_answer (expires_at);

-- Installed plugins.
CREATE TABLE pergola_plugin (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    manifest TEXT NOT NULL,
    digest TEXT NOT NULL,
    settings TEXT NOT NULL,
    installed_at BIGINT NOT NULL
);

-- The workspace's own settings, as JSON.
CREATE TABLE pergola_setting (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

-- Tokens, without their secrets.
CREATE TABLE pergola_token (
    sha256 BYTEA NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    expires_at BIGINT
);

-- People with a password.
CREATE TABLE pergola_user (
    email TEXT NOT NULL PRIMARY KEY,
    password_hash TEXT NOT NULL,
    role TEXT NOT NULL
);

-- What each column of the objects' tables holds. The columns' own types do not tell a date from a text,
-- nor a decimal of two digits from one of three.
CREATE TABLE pergola_column (
    object TEXT NOT NULL,
    field TEXT NOT NULL,
    holds TEXT NOT NULL,
    PRIMARY KEY (object, field)
);
