-- Timers that follow a record have an object and a record, and no name. Those that a plugin sets itself have a name that
-- it gave them and a payload; their object is empty and their record is all zeros.
ALTER TABLE pergola_timer
    ALTER COLUMN object SET DEFAULT '',
    ALTER COLUMN record SET DEFAULT '00000000-0000-0000-0000-000000000000',
    ADD COLUMN name TEXT COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN payload TEXT NOT NULL DEFAULT '',
    -- Grows with each setting, so that what was fired is told from what was set meanwhile.
    ADD COLUMN revision BIGINT NOT NULL DEFAULT 0,
    DROP CONSTRAINT pergola_timer_pkey,
    ADD PRIMARY KEY (plugin, object, action, record, name);
