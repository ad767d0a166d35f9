-- Lessons of which this database has a copy only, made ahead of a transfer or left by one: the lesson that counts is in another database.
CREATE TABLE copied (
    lesson TEXT NOT NULL PRIMARY KEY
);
