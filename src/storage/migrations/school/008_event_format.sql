-- The newest format of events that the server reads: none newer is written while it lives. Servers that do not tell it read the first.
ALTER TABLE node ADD COLUMN event_format BIGINT NOT NULL DEFAULT 1;
