CREATE TABLE school (
    id TEXT NOT NULL PRIMARY KEY,
    code TEXT NOT NULL UNIQUE,
    name_ar TEXT NOT NULL,
    name_fr TEXT NOT NULL,
    name_en TEXT NOT NULL
);

CREATE TABLE person (
    id TEXT NOT NULL PRIMARY KEY,
    school TEXT NOT NULL REFERENCES school (id),
    login TEXT NOT NULL UNIQUE,
    password TEXT NOT NULL,
    given_arabic TEXT,
    family_arabic TEXT,
    given_latin TEXT,
    family_latin TEXT,
    disabled BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE person_role (
    person TEXT NOT NULL REFERENCES person (id),
    role TEXT NOT NULL,
    PRIMARY KEY (person, role)
);

-- Who is taught together: a class, a half-class, several classes.
CREATE TABLE study_group (
    id TEXT NOT NULL PRIMARY KEY,
    school TEXT NOT NULL REFERENCES school (id),
    name TEXT NOT NULL
);

CREATE TABLE enrollment (
    study_group TEXT NOT NULL REFERENCES study_group (id),
    person TEXT NOT NULL REFERENCES person (id),
    PRIMARY KEY (study_group, person)
);

CREATE INDEX enrollment_person ON enrollment (person);

CREATE TABLE subject (
    id TEXT NOT NULL PRIMARY KEY,
    school TEXT NOT NULL REFERENCES school (id),
    name_ar TEXT NOT NULL,
    name_fr TEXT NOT NULL,
    name_en TEXT NOT NULL
);

-- Who teaches what to whom.
CREATE TABLE teaching (
    teacher TEXT NOT NULL REFERENCES person (id),
    study_group TEXT NOT NULL REFERENCES study_group (id),
    subject TEXT NOT NULL REFERENCES subject (id),
    PRIMARY KEY (teacher, study_group, subject)
);

CREATE TABLE lesson (
    id TEXT NOT NULL PRIMARY KEY,
    school TEXT NOT NULL REFERENCES school (id),
    study_group TEXT NOT NULL REFERENCES study_group (id),
    subject TEXT NOT NULL REFERENCES subject (id),
    teacher TEXT NOT NULL REFERENCES person (id),
    starts_at BIGINT NOT NULL,
    ends_at BIGINT NOT NULL
);

CREATE INDEX lesson_time ON lesson (school, starts_at);

-- A browser that is signed in. Only the hash of its token is kept.
CREATE TABLE sign_in (
    token TEXT NOT NULL PRIMARY KEY,
    person TEXT NOT NULL REFERENCES person (id),
    expires_at BIGINT NOT NULL
);

CREATE INDEX sign_in_person ON sign_in (person);

-- Removals and reports that a director must see.
CREATE TABLE report (
    lesson TEXT NOT NULL REFERENCES lesson (id),
    number BIGINT NOT NULL,
    at BIGINT NOT NULL,
    cause TEXT NOT NULL,
    recent TEXT NOT NULL,
    PRIMARY KEY (lesson, number)
);
