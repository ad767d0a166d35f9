-- What a server can take, for whoever sends people to it: connections it may have, those it has, those it keeps free for lessons placed on it whose people
-- are not there yet, and per mille of its processors' time that it uses. A server of an older version says nothing of them.
ALTER TABLE node ADD COLUMN capacity BIGINT NOT NULL DEFAULT 0;
ALTER TABLE node ADD COLUMN people BIGINT NOT NULL DEFAULT 0;
ALTER TABLE node ADD COLUMN promised BIGINT NOT NULL DEFAULT 0;
ALTER TABLE node ADD COLUMN busy BIGINT NOT NULL DEFAULT 0;

-- On which server a lesson's people are to meet: so that all tickets say the same. No lock: whoever comes in elsewhere is served there.
CREATE TABLE lesson_place (
    lesson TEXT NOT NULL PRIMARY KEY,
    -- The server's name, not its incarnation: one that is started anew has its lessons back.
    node TEXT NOT NULL,
    -- People on the lesson's list, the teacher among them.
    expected BIGINT NOT NULL,
    starts_at BIGINT NOT NULL,
    ends_at BIGINT NOT NULL
);

CREATE INDEX lesson_place_node ON lesson_place (node, starts_at);

CREATE INDEX lesson_place_end ON lesson_place (ends_at);

-- The lessons of all schools that begin soon.
CREATE INDEX lesson_start ON lesson (starts_at);
