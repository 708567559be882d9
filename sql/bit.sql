-- Bit strings as binary vectors.

CREATE FUNCTION hamming_distance(bit, bit) RETURNS float8
    AS 'MODULE_PATHNAME', 'kite_bit_hamming_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
    COST 3 SUPPORT vector_distance_support;
CREATE FUNCTION jaccard_distance(bit, bit) RETURNS float8
    AS 'MODULE_PATHNAME', 'kite_bit_jaccard_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
    COST 3 SUPPORT vector_distance_support;

CREATE OPERATOR <~> (LEFTARG = bit, RIGHTARG = bit, PROCEDURE = hamming_distance, COMMUTATOR = '<~>');
CREATE OPERATOR <%> (LEFTARG = bit, RIGHTARG = bit, PROCEDURE = jaccard_distance, COMMUTATOR = '<%>');

-- Milvus's further binary metrics (not in pgvector): TANIMOTO, and its two set tests. With `a` the query and `b` the row,
-- SUBSTRUCTURE holds where every bit of the query is set in the row, SUPERSTRUCTURE where every bit of the row is set in the query.

CREATE FUNCTION tanimoto_distance(bit, bit) RETURNS float8
    AS 'MODULE_PATHNAME', 'kite_bit_tanimoto_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
    COST 3 SUPPORT vector_distance_support;
CREATE FUNCTION substructure(bit, bit) RETURNS bool
    AS 'MODULE_PATHNAME', 'kite_bit_substructure' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
    COST 3 SUPPORT vector_distance_support;
CREATE FUNCTION superstructure(bit, bit) RETURNS bool
    AS 'MODULE_PATHNAME', 'kite_bit_superstructure' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
    COST 3 SUPPORT vector_distance_support;

CREATE OPERATOR <%%> (LEFTARG = bit, RIGHTARG = bit, PROCEDURE = tanimoto_distance, COMMUTATOR = '<%%>');
CREATE OPERATOR <@ (
    LEFTARG = bit, RIGHTARG = bit, PROCEDURE = substructure, COMMUTATOR = '@>', RESTRICT = contsel, JOIN = contjoinsel
);
CREATE OPERATOR @> (
    LEFTARG = bit, RIGHTARG = bit, PROCEDURE = superstructure, COMMUTATOR = '<@', RESTRICT = contsel, JOIN = contjoinsel
);
