-- Which database keeps the lessons of which schools; of the others, this one does. Only moving the lessons changes it, so that no server looks for a
-- lesson where it is not.
CREATE TABLE log_share (
    -- Of the schools' codes.
    beginning TEXT NOT NULL PRIMARY KEY,
    -- As in the database's log_mark; empty while lessons are being moved.
    mark TEXT NOT NULL
);
