-- Everything that is not pgvector's surface lives in schema kite.

CREATE SCHEMA kite;
GRANT USAGE ON SCHEMA kite TO PUBLIC;

CREATE FUNCTION kite.version() RETURNS text
    AS 'MODULE_PATHNAME', 'kite_version' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION kite.version() IS 'version of the pgkite library that this session has loaded';

CREATE FUNCTION kite.kernels() RETURNS text
    AS 'MODULE_PATHNAME', 'kite_kernels' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION kite.kernels() IS 'the set of distance kernels chosen for this server''s CPU';
