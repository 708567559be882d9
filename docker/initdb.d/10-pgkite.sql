-- The image's entry point runs this in the default database (POSTGRES_DB) of a new server.
CREATE EXTENSION IF NOT EXISTS pgkite;
