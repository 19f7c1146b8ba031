-- New entries come into the full-text index with their commit, all of them at once: written one by one, each savepoint would
-- make a segment of the index, which costs more than the record itself.

-- Entries whose words are not in the index yet. Empty between transactions.
CREATE TABLE pergola_search_new (
    doc INTEGER NOT NULL PRIMARY KEY
) STRICT;

DROP TRIGGER pergola_search_insert;
CREATE TRIGGER pergola_search_insert AFTER INSERT ON pergola_search BEGIN
    INSERT INTO pergola_search_new (doc) VALUES (new.doc);
END;
DROP TRIGGER pergola_search_delete;
CREATE TRIGGER pergola_search_delete AFTER DELETE ON pergola_search BEGIN
    INSERT INTO pergola_search_word (pergola_search_word, rowid, title, body, keys)
    SELECT 'delete', old.doc, old.title, old.body, old.keys
    WHERE NOT EXISTS (SELECT 1 FROM pergola_search_new AS n WHERE n.doc = old.doc);
    DELETE FROM pergola_search_new WHERE doc = old.doc;
END;
DROP TRIGGER pergola_search_update;
CREATE TRIGGER pergola_search_update AFTER UPDATE ON pergola_search BEGIN
    INSERT INTO pergola_search_word (pergola_search_word, rowid, title, body, keys)
    SELECT 'delete', old.doc, old.title, old.body, old.keys
    WHERE NOT EXISTS (SELECT 1 FROM pergola_search_new AS n WHERE n.doc = old.doc);
    INSERT INTO pergola_search_new (doc) VALUES (new.doc) ON CONFLICT (doc) DO NOTHING;
END;
