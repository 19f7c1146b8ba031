-- What is found of records: folded words (core/model/src/search.rs), written in the transaction of their record. `doc` grows, so
-- that the newest can be asked for first.
CREATE TABLE pergola_search (
    doc INTEGER NOT NULL PRIMARY KEY,
    object TEXT NOT NULL,
    record BLOB NOT NULL,
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    keys TEXT NOT NULL,
    UNIQUE (object, record)
) STRICT;

-- The words are folded to a–z and 0–9 already, so the simplest tokenizer does. Nobody asks where in a text a word stands
-- (detail) or for SQLite's own order (columnsize).
CREATE VIRTUAL TABLE pergola_search_word USING fts5(
    title, body, keys,
    content = 'pergola_search', content_rowid = 'doc', tokenize = 'ascii', detail = 'column', columnsize = 0
);
-- What is deleted is taken out of the index at once, instead of being marked until segments are merged: a purged name
-- must not be left in the file.
INSERT INTO pergola_search_word (pergola_search_word, rank) VALUES ('secure-delete', 1);

CREATE TRIGGER pergola_search_insert AFTER INSERT ON pergola_search BEGIN
    INSERT INTO pergola_search_word (rowid, title, body, keys) VALUES (new.doc, new.title, new.body, new.keys);
END;
CREATE TRIGGER pergola_search_delete AFTER DELETE ON pergola_search BEGIN
    INSERT INTO pergola_search_word (pergola_search_word, rowid, title, body, keys)
    VALUES ('delete', old.doc, old.title, old.body, old.keys);
END;
CREATE TRIGGER pergola_search_update AFTER UPDATE ON pergola_search BEGIN
    INSERT INTO pergola_search_word (pergola_search_word, rowid, title, body, keys)
    VALUES ('delete', old.doc, old.title, old.body, old.keys);
    INSERT INTO pergola_search_word (rowid, title, body, keys) VALUES (new.doc, new.title, new.body, new.keys);
END;

-- From what each object's rows above were made, and how far an object is indexed whose declaration changed.
CREATE TABLE pergola_search_object (
    object TEXT NOT NULL PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    done INTEGER NOT NULL,
    after BLOB
) STRICT, WITHOUT ROWID;
