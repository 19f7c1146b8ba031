-- What an installation knows of all its workspaces. Times are UTC microseconds.

-- `wake_at` is when there is something to do in a workspace that nobody has open. `held_until` is a server's word that
-- it has it open and will say so again before then. `touched` goes up with whatever is said about either, so that a
-- server that closes a workspace does not overwrite what somebody else said meanwhile.
CREATE TABLE pergola_workspace (
    name TEXT NOT NULL PRIMARY KEY,
    state TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    wake_at INTEGER NOT NULL,
    held_until INTEGER,
    touched INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- A host name leads to one workspace.
CREATE TABLE pergola_host (
    host TEXT NOT NULL PRIMARY KEY,
    workspace TEXT NOT NULL REFERENCES pergola_workspace (name) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
