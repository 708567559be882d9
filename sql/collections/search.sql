-- What searches share, and those that are declared once. `kite.search` itself is in search_overloads.sql.

CREATE FUNCTION kite.search_support(internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'kite_search_support' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION kite.search_support(internal) IS 'tells the planner how many rows a search answers';

CREATE FUNCTION kite.hybrid_search(
    collection text, requests jsonb, ranker jsonb DEFAULT NULL, top_k integer DEFAULT 10, output_fields text[] DEFAULT NULL,
    partitions text[] DEFAULT NULL, skip integer DEFAULT NULL, round_decimal integer DEFAULT NULL,
    consistency_level text DEFAULT NULL, group_by text DEFAULT NULL, group_size integer DEFAULT NULL,
    strict_group_size boolean DEFAULT NULL
) RETURNS TABLE (query integer, id bigint, key text, distance double precision, entity jsonb)
    AS 'MODULE_PATHNAME', 'kite_hybrid_search' LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000 ROWS 10;
COMMENT ON FUNCTION kite.hybrid_search(text, jsonb, jsonb, integer, text[], text[], integer, integer, text, text, integer, boolean) IS
    'searches several vector fields and makes the hits one list by a ranker: rrf, weighted, decay or boost';

CREATE FUNCTION kite.filter_sql(collection text, filter text, filter_params jsonb DEFAULT NULL) RETURNS text
    AS 'MODULE_PATHNAME', 'kite_filter_sql' LANGUAGE C STABLE PARALLEL RESTRICTED;
COMMENT ON FUNCTION kite.filter_sql(text, text, jsonb) IS 'the WHERE condition that a filter becomes, for people to read';
