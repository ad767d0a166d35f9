-- A right that the school took back. Servers that run read it every half second and put the person out of open lessons;
-- tickets issued before it are void.
CREATE TABLE withdrawal (
    id TEXT NOT NULL PRIMARY KEY,
    person TEXT NOT NULL REFERENCES person (id),
    at BIGINT NOT NULL
);

CREATE INDEX withdrawal_at ON withdrawal (at);

CREATE INDEX withdrawal_person ON withdrawal (person, at);
