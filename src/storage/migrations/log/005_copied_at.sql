-- When the copy was last seen to be the same as the lesson, by the school's clock, milliseconds since the Unix epoch. What was erased since
-- then may still be in it.
ALTER TABLE copied ADD COLUMN at BIGINT NOT NULL DEFAULT 0;
