-- One start of a server. Beaten every second; three seconds without a beat, by the database's clock, and it is dead.
CREATE TABLE node (
    incarnation TEXT NOT NULL PRIMARY KEY,
    -- By which the proxy finds it; empty on a server that is alone.
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    beat BIGINT NOT NULL,
    draining BIGINT NOT NULL,
    -- Per mille of the connections that it may have.
    load BIGINT NOT NULL
);

-- The lessons that are open on it, as its timetable page would show them.
CREATE TABLE node_room (
    incarnation TEXT NOT NULL,
    lesson TEXT NOT NULL,
    phase TEXT NOT NULL,
    students_present BIGINT NOT NULL,
    teacher_present BIGINT NOT NULL,
    -- Connections of it that this server holds: people are sent where the others are.
    seats BIGINT NOT NULL,
    PRIMARY KEY (lesson, incarnation)
);

CREATE INDEX node_room_incarnation ON node_room (incarnation);

-- Sign-ins that were begun or failed, by the hash of address and login: guessing must wait whichever server is asked.
CREATE TABLE attempt (
    who TEXT NOT NULL PRIMARY KEY,
    count BIGINT NOT NULL,
    latest BIGINT NOT NULL
);
