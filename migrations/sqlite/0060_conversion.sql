-- Upgrades that give fields another type, while values are converted beside the old ones.

-- How far the walk over an object's records has come. The row is there as long as the conversion is.
CREATE TABLE pergola_conversion (
    object TEXT NOT NULL PRIMARY KEY,
    after BLOB,
    done INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Records that were written since, by triggers on the object's table: they are converted once more.
CREATE TABLE pergola_conversion_record (
    object TEXT NOT NULL,
    record BLOB NOT NULL,
    PRIMARY KEY (object, record)
) STRICT, WITHOUT ROWID;
