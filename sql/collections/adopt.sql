-- Tables that are there already.

CREATE FUNCTION kite.adopt_collection(
    relation regclass, description text DEFAULT '', enable_dynamic_field boolean DEFAULT false, properties jsonb DEFAULT NULL
) RETURNS void
    AS 'MODULE_PATHNAME', 'kite_adopt_collection' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION kite.adopt_collection(regclass, text, boolean, jsonb) IS
    'registers a table as a collection, with its columns as fields, and adds the column of partitions';
