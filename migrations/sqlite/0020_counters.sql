-- The next number of each field with numbers without gaps, for each value that tells them apart (as text, '' without).
CREATE TABLE pergola_sequence (
    object TEXT NOT NULL,
    field TEXT NOT NULL,
    per TEXT NOT NULL,
    next INTEGER NOT NULL,
    PRIMARY KEY (object, field, per)
) STRICT, WITHOUT ROWID;

-- What the entries of each ledger come to, by account and unit (as texts, '' without) and currency ('' if the amounts
-- are not money), in the smallest steps of the amount. The order of the key is that in which they are listed.
CREATE TABLE pergola_balance (
    object TEXT NOT NULL,
    account TEXT NOT NULL,
    unit TEXT NOT NULL,
    currency TEXT NOT NULL,
    amount INTEGER NOT NULL,
    PRIMARY KEY (object, account, unit, currency)
) STRICT, WITHOUT ROWID;
