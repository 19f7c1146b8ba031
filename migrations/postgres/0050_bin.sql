-- Deletions that can be undone, until the worker empties them after some days. Here and not as a mark on the
-- records: objects' tables, indexes and unique rules then know nothing of what is deleted.
CREATE TABLE pergola_bin (
    id UUID NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    plugin TEXT,
    object TEXT NOT NULL,
    record UUID NOT NULL,
    title TEXT NOT NULL,
    records BIGINT NOT NULL
);
-- The worker asks for the oldest ones.
CREATE INDEX pergola_bin_at ON pergola_bin (at);

-- What each deletion took along, in the order in which it was done: a record as JSON (`field` is null), or a reference
-- that became empty (`field` names it, `content` is the id that stood there).
CREATE TABLE pergola_bin_item (
    deletion UUID NOT NULL REFERENCES pergola_bin (id) ON DELETE CASCADE,
    place BIGINT NOT NULL,
    object TEXT NOT NULL,
    record UUID NOT NULL,
    field TEXT,
    content TEXT NOT NULL,
    PRIMARY KEY (deletion, place)
);
