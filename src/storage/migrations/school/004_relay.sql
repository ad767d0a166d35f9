-- Where other servers reach its media threads, separated by spaces, in the order of the threads.
ALTER TABLE node ADD COLUMN media_doors TEXT NOT NULL DEFAULT '';
-- SHA-256 of its DTLS certificate, AA:BB:…
ALTER TABLE node ADD COLUMN dtls_fingerprint TEXT NOT NULL DEFAULT '';
