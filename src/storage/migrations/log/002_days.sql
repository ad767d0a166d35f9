-- Events of old lessons go out of the way: by day, and then packed into one row for each lesson.
ALTER TABLE origin ADD COLUMN day BIGINT NOT NULL DEFAULT 0;

INSERT INTO origin (lesson, chain)
SELECT DISTINCT lesson, 0 FROM event WHERE lesson NOT IN (SELECT lesson FROM origin);

UPDATE origin SET day = COALESCE((SELECT MIN(at) / 86400000 FROM event WHERE event.lesson = origin.lesson), 0);

ALTER TABLE event RENAME TO event_before;

DROP INDEX event_command;

DROP INDEX event_said;

-- The primary key is the lock: whoever writes a number first has decided on everything before it.
CREATE TABLE event (
    -- When the lesson began, in days since the Unix epoch: that of its origin, so the same for all of its events.
    day BIGINT NOT NULL,
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
    PRIMARY KEY (day, lesson, number)
) /* PostgreSQL: PARTITION BY RANGE (day) */;

-- Days without a table of their own, for which it is too late.
/* PostgreSQL: CREATE TABLE event_rest PARTITION OF event DEFAULT; */

CREATE UNIQUE INDEX event_command ON event (day, lesson, sender, command, part);

CREATE INDEX event_said ON event (day, lesson, number) WHERE kind = 'said';

INSERT INTO event (day, lesson, number, chain, at, sender, command, part, kind, body, text)
SELECT origin.day, e.lesson, e.number, e.chain, e.at, e.sender, e.command, e.part, e.kind, e.body, e.text
FROM event_before e JOIN origin ON origin.lesson = e.lesson;

DROP TABLE event_before;

-- The first events of a lesson, compressed. Those written later are rows behind them.
CREATE TABLE packed (
    lesson TEXT NOT NULL PRIMARY KEY,
    -- How many; the number of the last.
    events BIGINT NOT NULL,
    -- The chain of the last.
    chain BIGINT NOT NULL,
    -- Whether the lesson was ended: 0 or 1.
    ended BIGINT NOT NULL,
    format BIGINT NOT NULL,
    -- SHA-256 of the body.
    digest TEXT NOT NULL,
    body BYTEA NOT NULL
);
