-- for each {T} in vector halfvec sparsevec bit vector[] real[] jsonb text
-- A literal or a parameter without a type is text.

CREATE FUNCTION kite.search(
    collection text, data {T}, top_k integer DEFAULT 10, filter text DEFAULT NULL, output_fields text[] DEFAULT NULL,
    vector_field text DEFAULT NULL, search_params jsonb DEFAULT NULL, partitions text[] DEFAULT NULL, skip integer DEFAULT NULL,
    filter_params jsonb DEFAULT NULL, group_by text DEFAULT NULL, group_size integer DEFAULT NULL,
    strict_group_size boolean DEFAULT NULL, round_decimal integer DEFAULT NULL, consistency_level text DEFAULT NULL
) RETURNS TABLE (query integer, id bigint, key text, distance double precision, entity jsonb)
    AS 'MODULE_PATHNAME', 'kite_search' LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000 ROWS 10 SUPPORT kite.search_support;
COMMENT ON FUNCTION kite.search(
    text, {T}, integer, text, text[], text, jsonb, text[], integer, jsonb, text, integer, boolean, integer, text
) IS 'the rows whose vectors are nearest to each query vector';
