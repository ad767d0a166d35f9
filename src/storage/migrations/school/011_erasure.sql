-- Somebody who was erased: the account was emptied by the transaction that wrote this row; what they wrote in lessons follows.
CREATE TABLE erasure (
    person TEXT NOT NULL PRIMARY KEY REFERENCES person (id),
    school TEXT NOT NULL REFERENCES school (id),
    -- The director who did it.
    director TEXT NOT NULL,
    at BIGINT NOT NULL,
    -- A server is at it until then, or nobody needs to be before.
    claimed_until BIGINT NOT NULL DEFAULT 0,
    -- 0: what they wrote is not out of all lessons yet.
    done_at BIGINT NOT NULL DEFAULT 0
);

CREATE INDEX erasure_due ON erasure (school) WHERE done_at = 0;
