-- The people of one school among those of a country.
CREATE INDEX person_school ON person (school);
