-- One log per lesson. The primary key is the lock: whoever writes a number first has decided on everything before it.
CREATE TABLE event (
    lesson TEXT NOT NULL,
    number BIGINT NOT NULL,
    chain BIGINT NOT NULL,
    at BIGINT NOT NULL,
    sender TEXT,
    command TEXT NOT NULL,
    -- Several events of one command share its id: 0, 1, 2…
    part BIGINT NOT NULL,
    kind TEXT NOT NULL,
    -- The event without its erasable text.
    body TEXT NOT NULL,
    text TEXT,
    PRIMARY KEY (lesson, number)
);

CREATE UNIQUE INDEX event_command ON event (lesson, sender, command, part);

CREATE INDEX event_said ON event (lesson, number) WHERE kind = 'said';

CREATE TABLE origin (
    lesson TEXT NOT NULL PRIMARY KEY,
    chain BIGINT NOT NULL
);
