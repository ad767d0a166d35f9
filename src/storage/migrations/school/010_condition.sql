-- What a server says of its condition, for whoever watches: JSON, every three seconds. Beside `node`, whose rows all servers read each second.
CREATE TABLE node_condition (
    incarnation TEXT NOT NULL PRIMARY KEY,
    told TEXT NOT NULL
);

-- 1: not on a server of its school.
ALTER TABLE lesson_place ADD COLUMN away BIGINT NOT NULL DEFAULT 0;
