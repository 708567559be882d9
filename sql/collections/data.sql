-- Rows of collections: written as JSON or as SQL arrays, read as JSON objects. Everything is done with the caller's rights.

CREATE FUNCTION kite.insert(collection text, data json, partition text DEFAULT NULL) RETURNS jsonb
    AS 'MODULE_PATHNAME', 'kite_insert' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION kite.insert(text, json, text) IS
    'inserts rows, an array of objects or one object, and answers how many and their keys';

-- The same text without PostgreSQL's own parser before ours: what a bare literal or an untyped parameter resolves to.
CREATE FUNCTION kite.insert(collection text, data text, partition text DEFAULT NULL) RETURNS jsonb
    AS 'MODULE_PATHNAME', 'kite_insert' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION kite.insert(text, text, text) IS
    'inserts rows, an array of objects or one object as a text, and answers how many and their keys';

CREATE FUNCTION kite.insert(collection text, ids bigint[], vectors vector[], rest json DEFAULT NULL, partition text DEFAULT NULL) RETURNS jsonb
    AS 'MODULE_PATHNAME', 'kite_insert_arrays' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION kite.insert(text, bigint[], vector[], json, text) IS
    'inserts rows: keys, vectors of the first vector field, and an array of objects with what else they have';

CREATE FUNCTION kite.insert(collection text, ids text[], vectors vector[], rest json DEFAULT NULL, partition text DEFAULT NULL) RETURNS jsonb
    AS 'MODULE_PATHNAME', 'kite_insert_arrays' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION kite.insert(text, text[], vector[], json, text) IS
    'inserts rows: keys, vectors of the first vector field, and an array of objects with what else they have';

CREATE FUNCTION kite.upsert(collection text, data json, partition text DEFAULT NULL, partial boolean DEFAULT false) RETURNS jsonb
    AS 'MODULE_PATHNAME', 'kite_upsert' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION kite.upsert(text, json, text, boolean) IS
    'puts rows in the place of those with the same keys, or beside the others; partial: changes only the fields that are given';

CREATE FUNCTION kite.upsert(collection text, data text, partition text DEFAULT NULL, partial boolean DEFAULT false) RETURNS jsonb
    AS 'MODULE_PATHNAME', 'kite_upsert' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION kite.upsert(text, text, text, boolean) IS
    'puts rows in the place of those with the same keys, or beside the others; partial: changes only the fields that are given';

CREATE FUNCTION kite.delete(collection text, ids jsonb DEFAULT NULL, filter text DEFAULT NULL, filter_params jsonb DEFAULT NULL, partition text DEFAULT NULL) RETURNS jsonb
    AS 'MODULE_PATHNAME', 'kite_delete' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION kite.delete(text, jsonb, text, jsonb, text) IS
    'deletes the rows that have one of these keys, or that a filter matches, and answers how many';

CREATE FUNCTION kite.get(collection text, ids jsonb, output_fields text[] DEFAULT NULL, partitions text[] DEFAULT NULL) RETURNS SETOF jsonb
    AS 'MODULE_PATHNAME', 'kite_get' LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 10;
COMMENT ON FUNCTION kite.get(text, jsonb, text[], text[]) IS 'the rows that have one of these keys, in the order of the keys';

CREATE FUNCTION kite.query(collection text, filter text DEFAULT NULL, output_fields text[] DEFAULT NULL, max_rows integer DEFAULT NULL,
    skip integer DEFAULT NULL, filter_params jsonb DEFAULT NULL, partitions text[] DEFAULT NULL) RETURNS SETOF jsonb
    AS 'MODULE_PATHNAME', 'kite_query' LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 100;
COMMENT ON FUNCTION kite.query(text, text, text[], integer, integer, jsonb, text[]) IS
    'the rows that a filter matches, in the order of their keys, or with count(*) their number';

-- What the functions above show vectors by that are no arrays of numbers.
CREATE FUNCTION kite.to_json(sparsevec) RETURNS jsonb
    AS 'MODULE_PATHNAME', 'kite_sparsevec_to_json' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION kite.to_json(sparsevec) IS 'a sparse vector as an object: values by index, counted from 0';

CREATE FUNCTION kite.to_json(bit) RETURNS jsonb
    AS 'MODULE_PATHNAME', 'kite_bit_to_json' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION kite.to_json(bit) IS 'a binary vector as an array of bytes';
