-- Indexes, and the state that Milvus's clients ask for.

CREATE FUNCTION kite.create_index(collection text, field text DEFAULT NULL, index_params jsonb DEFAULT NULL) RETURNS void
    AS 'MODULE_PATHNAME', 'kite_create_index' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION kite.create_index(text, text, jsonb) IS
    'makes an index by Milvus''s names of types and parameters, or the nearest to it; several by a list of index_params';

CREATE FUNCTION kite.drop_index(collection text, index_name text) RETURNS void
    AS 'MODULE_PATHNAME', 'kite_drop_index' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION kite.drop_index(text, text) IS 'drops an index of a collection; one that is not there is a NOTICE';

CREATE FUNCTION kite.describe_index(collection text, index_name text) RETURNS jsonb
    AS 'MODULE_PATHNAME', 'kite_describe_index' LANGUAGE C STABLE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION kite.describe_index(text, text) IS 'what was asked for an index, and what was built';

CREATE FUNCTION kite.list_indexes(collection text, field text DEFAULT NULL) RETURNS SETOF text
    AS 'MODULE_PATHNAME', 'kite_list_indexes' LANGUAGE C STABLE PARALLEL RESTRICTED;
COMMENT ON FUNCTION kite.list_indexes(text, text) IS 'names of the indexes of a collection, or of one of its fields, in order';

CREATE FUNCTION kite.load_collection(collection text) RETURNS jsonb
    AS 'MODULE_PATHNAME', 'kite_load_collection' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION kite.load_collection(text) IS 'marks a collection as loaded, and reads what fits into the cache if pg_prewarm is installed';

CREATE FUNCTION kite.release_collection(collection text) RETURNS void
    AS 'MODULE_PATHNAME', 'kite_release_collection' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION kite.release_collection(text) IS 'marks a collection as not loaded';

CREATE FUNCTION kite.load_partitions(collection text, partitions text[]) RETURNS void
    AS 'MODULE_PATHNAME', 'kite_load_partitions' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION kite.load_partitions(text, text[]) IS 'marks partitions, and so their collection, as loaded';

CREATE FUNCTION kite.release_partitions(collection text, partitions text[]) RETURNS void
    AS 'MODULE_PATHNAME', 'kite_release_partitions' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION kite.release_partitions(text, text[]) IS 'marks partitions as not loaded, and their collection with the last of them';

CREATE FUNCTION kite.get_load_state(collection text, partition text DEFAULT NULL) RETURNS jsonb
    AS 'MODULE_PATHNAME', 'kite_get_load_state' LANGUAGE C STABLE PARALLEL RESTRICTED;
COMMENT ON FUNCTION kite.get_load_state(text, text) IS 'whether a collection or a partition is marked as loaded: Loaded, NotLoad or NotExist';

CREATE FUNCTION kite.flush(collection text) RETURNS jsonb
    AS 'MODULE_PATHNAME', 'kite_flush' LANGUAGE C STABLE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION kite.flush(text) IS 'does nothing, as a commit is a flush; says whether it is so here';

CREATE FUNCTION kite.compact(collection text) RETURNS jsonb
    AS 'MODULE_PATHNAME', 'kite_compact' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION kite.compact(text) IS 'deletes rows that have expired; counts dead ones and names the VACUUM that removes them, which no function can run';
