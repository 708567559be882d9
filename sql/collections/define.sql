-- Collections: made, listed, described, renamed, dropped. A name may be `name`, in the database that `kite.database` sets, or
-- `database.name`; aliases are taken wherever a collection has to be there already.

CREATE FUNCTION kite.create_collection(
    name text, dimension integer DEFAULT NULL, primary_field text DEFAULT 'id', id_type text DEFAULT 'int',
    vector_field text DEFAULT 'vector', metric_type text DEFAULT 'COSINE', auto_id boolean DEFAULT false,
    schema jsonb DEFAULT NULL, index_params jsonb DEFAULT NULL, properties jsonb DEFAULT NULL, database text DEFAULT NULL,
    max_length integer DEFAULT NULL, consistency_level text DEFAULT NULL
) RETURNS void
    AS 'MODULE_PATHNAME', 'kite_create_collection' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION kite.create_collection(text, integer, text, text, text, text, boolean, jsonb, jsonb, jsonb, text, integer, text) IS
    'makes a table and registers it as a collection: of a key and a vector by dimension, of any fields by schema';

CREATE FUNCTION kite.drop_collection(name text) RETURNS void
    AS 'MODULE_PATHNAME', 'kite_drop_collection' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION kite.drop_collection(text) IS 'drops a collection and its table; one that is not there is a NOTICE';

CREATE FUNCTION kite.has_collection(name text) RETURNS boolean
    AS 'MODULE_PATHNAME', 'kite_has_collection' LANGUAGE C STABLE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION kite.has_collection(text) IS 'whether there is a collection or an alias of this name that you may read';

CREATE FUNCTION kite.list_collections(database text DEFAULT NULL) RETURNS SETOF text
    AS 'MODULE_PATHNAME', 'kite_list_collections' LANGUAGE C STABLE PARALLEL RESTRICTED;
COMMENT ON FUNCTION kite.list_collections(text) IS 'names of the collections of a database that you may read, in order';

CREATE FUNCTION kite.describe_collection(name text) RETURNS jsonb
    AS 'MODULE_PATHNAME', 'kite_describe_collection' LANGUAGE C STABLE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION kite.describe_collection(text) IS 'schema, properties, aliases and partitioning of a collection';

CREATE FUNCTION kite.rename_collection(old_name text, new_name text, target_database text DEFAULT NULL) RETURNS void
    AS 'MODULE_PATHNAME', 'kite_rename_collection' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION kite.rename_collection(text, text, text) IS 'renames a collection and its table, and moves it to another database if one is named';

-- In the CHECK of a collection's table: an array of VARCHAR limits its elements, and a CHECK has no subqueries.
CREATE FUNCTION kite.longest_element(elements text[]) RETURNS integer
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN (SELECT pg_catalog.max(pg_catalog.octet_length(element)) FROM pg_catalog.unnest(elements) AS element);
COMMENT ON FUNCTION kite.longest_element(text[]) IS 'bytes of the longest element';
