-- Files whose rows were brought in: how far each import is, so that it can go on after a crash. `revision` grows with
-- every write, so that two processes cannot go on with one import.
CREATE TABLE pergola_import (
    id UUID NOT NULL PRIMARY KEY,
    object TEXT NOT NULL,
    file TEXT NOT NULL,
    digest BYTEA NOT NULL,
    settings TEXT NOT NULL,
    actor TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    state TEXT NOT NULL,
    last_line BIGINT NOT NULL,
    entries BIGINT NOT NULL,
    tally TEXT NOT NULL,
    revision BIGINT NOT NULL
);
-- Every import looks for an unfinished one of the same file.
CREATE INDEX pergola_import_digest ON pergola_import (digest);

-- What an import wrote, in order: a created record with its version, or the values before and after of an updated one.
-- `outcome` tells what became of it when the import was taken back.
CREATE TABLE pergola_import_entry (
    import UUID NOT NULL REFERENCES pergola_import (id) ON DELETE CASCADE,
    place BIGINT NOT NULL,
    line BIGINT NOT NULL,
    object TEXT NOT NULL,
    record UUID NOT NULL,
    version BIGINT,
    changes TEXT,
    outcome TEXT,
    PRIMARY KEY (import, place)
);
-- A later row of the file may change a record that an earlier one created.
CREATE INDEX pergola_import_entry_record ON pergola_import_entry (record);
