-- The database session that the server holds as long as it lives: one that was killed is known by its end. Empty: it holds none.
ALTER TABLE node ADD COLUMN session TEXT NOT NULL DEFAULT '';

-- Whose a name is: of two that would bear it, theirs who took it last.
CREATE TABLE node_name (
    name TEXT NOT NULL PRIMARY KEY,
    incarnation TEXT NOT NULL
);
