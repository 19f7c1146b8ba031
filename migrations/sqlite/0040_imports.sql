-- Files whose rows were brought in: how far each import is, so that it can go on after a crash. `revision` grows with
-- every write, so that two processes cannot go on with one import.
CREATE TABLE pergola_import (
    id BLOB NOT NULL PRIMARY KEY,
    object TEXT NOT NULL,
    file TEXT NOT NULL,
    digest BLOB NOT NULL,
    settings TEXT NOT NULL,
    actor TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    state TEXT NOT NULL,
    last_line INTEGER NOT NULL,
    entries INTEGER NOT NULL,
    tally TEXT NOT NULL,
    revision INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- Every import looks for an unfinished one of the same file.
CREATE INDEX pergola_import_digest ON pergola_import (digest);

-- What an import wrote, in order: a created record with its version, or the values before and after of an updated one.
-- `outcome` tells what became of it when the import was taken back.
CREATE TABLE pergola_import_entry (
    import BLOB NOT NULL REFERENCES pergola_import (id) ON DELETE CASCADE,
    place INTEGER NOT NULL,
    line INTEGER NOT NULL,
    object TEXT NOT NULL,
    record BLOB NOT NULL,
    version INTEGER,
    changes TEXT,
    outcome TEXT,
    PRIMARY KEY (import, place)
) STRICT, WITHOUT ROWID;
-- A later row of the file may change a record that an earlier one created.
CREATE INDEX pergola_import_entry_record ON pergola_import_entry (record);
