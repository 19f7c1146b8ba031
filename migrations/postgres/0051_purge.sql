-- Records that were purged and whose traces are still to be removed from the other tables; empty, but while a purge
-- is under way or after it was cut off.
CREATE TABLE pergola_purge (
    record UUID NOT NULL PRIMARY KEY
);
