-- Who starts a lesson that is in no timetable takes this row first, whichever server was asked: the second tap finds the lesson of the first.
CREATE TABLE starting (
    teacher TEXT NOT NULL,
    study_group TEXT NOT NULL,
    -- The latest tap.
    at BIGINT NOT NULL,
    PRIMARY KEY (teacher, study_group)
);
