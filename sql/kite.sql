-- Everything that is not pgvector's surface lives in schema kite.

CREATE SCHEMA kite;
GRANT USAGE ON SCHEMA kite TO PUBLIC;

CREATE FUNCTION kite.version() RETURNS text
    AS 'MODULE_PATHNAME', 'kite_version' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION kite.version() IS 'version of the pgkite library that this session has loaded';

CREATE FUNCTION kite.kernels() RETURNS text
    AS 'MODULE_PATHNAME', 'kite_kernels' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION kite.kernels() IS 'the set of distance kernels chosen for this server''s CPU';

-- Whoever may read the table of an index may look at the index: what is shown are counts, no values.
CREATE FUNCTION kite.index_info(index regclass) RETURNS jsonb
    AS 'MODULE_PATHNAME', 'kite_index_info' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION kite.index_info(regclass) IS
    'size, options and figures of an index of pgkite, counted page by page, and what became of the scans of this session';

CREATE FUNCTION kite.index_check(index regclass) RETURNS TABLE (block bigint, problem text)
    AS 'MODULE_PATHNAME', 'kite_index_check' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION kite.index_check(regclass) IS
    'damage of an index of pgkite, a row each; none: it is sound. Keeps writers off the table meanwhile (ShareLock), but not what a standby replays';
