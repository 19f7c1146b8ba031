-- What is found of records: folded words (core/model/src/search.rs), written in the transaction of their record. `doc` grows, so
-- that the newest can be asked for first.
--
-- `terms` has the words themselves, so that no dictionary and no extension is needed: `anna` anywhere, `=anna` in the
-- title, `/0ana` for a key.
CREATE TABLE pergola_search (
    doc BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    object TEXT COLLATE "C" NOT NULL,
    record UUID NOT NULL,
    title TEXT COLLATE "C" NOT NULL,
    body TEXT COLLATE "C" NOT NULL,
    keys TEXT COLLATE "C" NOT NULL,
    terms TSVECTOR NOT NULL GENERATED ALWAYS AS (
        array_to_tsvector(string_to_array(btrim(title || ' ' || body), ' '))
        || array_to_tsvector(string_to_array(btrim(replace(' ' || title, ' ', ' =')), ' '))
        || array_to_tsvector(string_to_array(btrim(replace(' ' || keys, ' ', ' /')), ' '))
    ) STORED,
    UNIQUE (object, record)
);
CREATE INDEX pergola_search_terms ON pergola_search USING gin (terms);

-- From what each object's rows above were made, and how far an object is indexed whose declaration changed.
CREATE TABLE pergola_search_object (
    object TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    done BOOLEAN NOT NULL,
    after UUID
);
