-- What changes a collection that is there, and tells its size.

CREATE FUNCTION kite.alter_collection_properties(collection text, properties jsonb) RETURNS void
    AS 'MODULE_PATHNAME', 'kite_alter_collection_properties' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION kite.alter_collection_properties(text, jsonb) IS
    'sets properties of a collection; collection.description and dynamicfield.enabled are acted upon';

CREATE FUNCTION kite.drop_collection_properties(collection text, property_keys text[]) RETURNS void
    AS 'MODULE_PATHNAME', 'kite_drop_collection_properties' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION kite.drop_collection_properties(text, text[]) IS 'takes properties of a collection away';

CREATE FUNCTION kite.add_collection_field(collection text, field jsonb) RETURNS void
    AS 'MODULE_PATHNAME', 'kite_add_collection_field' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION kite.add_collection_field(text, jsonb) IS 'adds a field, written as in a schema, that is nullable or has a default';

CREATE FUNCTION kite.truncate_collection(collection text) RETURNS void
    AS 'MODULE_PATHNAME', 'kite_truncate_collection' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION kite.truncate_collection(text) IS 'removes all rows of a collection; partitions and indexes stay';

CREATE FUNCTION kite.get_collection_stats(collection text, exact boolean DEFAULT true) RETURNS jsonb
    AS 'MODULE_PATHNAME', 'kite_get_collection_stats' LANGUAGE C STABLE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION kite.get_collection_stats(text, boolean) IS 'row_count: rows that you may see, counted; or an estimate at once';
