-- By which one database of the log is told from another, whatever address leads there.
CREATE TABLE log_mark (
    -- Always 1: there is one row.
    id BIGINT NOT NULL PRIMARY KEY,
    -- Made at random.
    mark TEXT NOT NULL
);
