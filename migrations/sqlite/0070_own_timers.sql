-- Timers that follow a record have an object and a record, and no name. Those that a plugin sets itself have a name that
-- it gave them and a payload; their object is empty and their record is all zeros.
CREATE TABLE pergola_timer_new (
    plugin TEXT NOT NULL,
    object TEXT NOT NULL DEFAULT '',
    action TEXT NOT NULL,
    record BLOB NOT NULL DEFAULT x'00000000000000000000000000000000',
    name TEXT NOT NULL DEFAULT '',
    due_at INTEGER NOT NULL,
    wake_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    error TEXT,
    payload TEXT NOT NULL DEFAULT '',
    -- Grows with each setting, so that what was fired is told from what was set meanwhile.
    revision INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (plugin, object, action, record, name)
) STRICT, WITHOUT ROWID;
INSERT INTO pergola_timer_new (plugin, object, action, record, due_at, wake_at, attempts, error)
    SELECT plugin, object, action, record, due_at, wake_at, attempts, error FROM pergola_timer;
DROP TABLE pergola_timer;
ALTER TABLE pergola_timer_new RENAME TO pergola_timer;
-- The host asks for the earliest wake-up after every commit.
CREATE INDEX pergola_timer_wake ON pergola_timer (wake_at);
