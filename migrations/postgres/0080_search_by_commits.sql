-- New entries come into SQLite's full-text index with their commit. PostgreSQL keeps its own, with a list of what is pending.
SELECT 1;
