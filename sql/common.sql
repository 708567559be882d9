-- for each {T} in vector halfvec sparsevec
-- What every vector type can do.

CREATE FUNCTION l2_distance({T}, {T}) RETURNS float8
    AS 'MODULE_PATHNAME', 'kite_{T}_l2_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
    COST 3 SUPPORT vector_distance_support;
CREATE FUNCTION inner_product({T}, {T}) RETURNS float8
    AS 'MODULE_PATHNAME', 'kite_{T}_inner_product' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
    COST 3 SUPPORT vector_distance_support;
CREATE FUNCTION cosine_distance({T}, {T}) RETURNS float8
    AS 'MODULE_PATHNAME', 'kite_{T}_cosine_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
    COST 3 SUPPORT vector_distance_support;
CREATE FUNCTION l1_distance({T}, {T}) RETURNS float8
    AS 'MODULE_PATHNAME', 'kite_{T}_l1_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
    COST 3 SUPPORT vector_distance_support;
CREATE FUNCTION {T}_l2_squared_distance({T}, {T}) RETURNS float8
    AS 'MODULE_PATHNAME', 'kite_{T}_l2_squared_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
    COST 3 SUPPORT vector_distance_support;
CREATE FUNCTION {T}_negative_inner_product({T}, {T}) RETURNS float8
    AS 'MODULE_PATHNAME', 'kite_{T}_negative_inner_product' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
    COST 3 SUPPORT vector_distance_support;
CREATE FUNCTION l2_normalize({T}) RETURNS {T}
    AS 'MODULE_PATHNAME', 'kite_{T}_l2_normalize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE OPERATOR <-> (LEFTARG = {T}, RIGHTARG = {T}, PROCEDURE = l2_distance, COMMUTATOR = '<->');
CREATE OPERATOR <#> (LEFTARG = {T}, RIGHTARG = {T}, PROCEDURE = {T}_negative_inner_product, COMMUTATOR = '<#>');
CREATE OPERATOR <=> (LEFTARG = {T}, RIGHTARG = {T}, PROCEDURE = cosine_distance, COMMUTATOR = '<=>');
CREATE OPERATOR <+> (LEFTARG = {T}, RIGHTARG = {T}, PROCEDURE = l1_distance, COMMUTATOR = '<+>');

-- Order and equality.

CREATE FUNCTION {T}_lt({T}, {T}) RETURNS bool
    AS 'MODULE_PATHNAME', 'kite_{T}_lt' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION {T}_le({T}, {T}) RETURNS bool
    AS 'MODULE_PATHNAME', 'kite_{T}_le' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION {T}_eq({T}, {T}) RETURNS bool
    AS 'MODULE_PATHNAME', 'kite_{T}_eq' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION {T}_ne({T}, {T}) RETURNS bool
    AS 'MODULE_PATHNAME', 'kite_{T}_ne' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION {T}_ge({T}, {T}) RETURNS bool
    AS 'MODULE_PATHNAME', 'kite_{T}_ge' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION {T}_gt({T}, {T}) RETURNS bool
    AS 'MODULE_PATHNAME', 'kite_{T}_gt' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION {T}_cmp({T}, {T}) RETURNS int4
    AS 'MODULE_PATHNAME', 'kite_{T}_cmp' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION {T}_hash({T}) RETURNS int4
    AS 'MODULE_PATHNAME', 'kite_{T}_hash' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION {T}_hash_extended({T}, int8) RETURNS int8
    AS 'MODULE_PATHNAME', 'kite_{T}_hash_extended' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE OPERATOR < (
    LEFTARG = {T}, RIGHTARG = {T}, PROCEDURE = {T}_lt,
    COMMUTATOR = >, NEGATOR = >=, RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
CREATE OPERATOR <= (
    LEFTARG = {T}, RIGHTARG = {T}, PROCEDURE = {T}_le,
    COMMUTATOR = >=, NEGATOR = >, RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
CREATE OPERATOR = (
    LEFTARG = {T}, RIGHTARG = {T}, PROCEDURE = {T}_eq,
    COMMUTATOR = =, NEGATOR = <>, RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES
);
-- The selectivity functions of <> are pgvector's, as the catalog is compared with it.
CREATE OPERATOR <> (
    LEFTARG = {T}, RIGHTARG = {T}, PROCEDURE = {T}_ne,
    COMMUTATOR = <>, NEGATOR = =, RESTRICT = eqsel, JOIN = eqjoinsel
);
CREATE OPERATOR >= (
    LEFTARG = {T}, RIGHTARG = {T}, PROCEDURE = {T}_ge,
    COMMUTATOR = <=, NEGATOR = <, RESTRICT = scalargesel, JOIN = scalargejoinsel
);
CREATE OPERATOR > (
    LEFTARG = {T}, RIGHTARG = {T}, PROCEDURE = {T}_gt,
    COMMUTATOR = <, NEGATOR = <=, RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);

CREATE OPERATOR CLASS {T}_ops DEFAULT FOR TYPE {T} USING btree AS
    OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >,
    FUNCTION 1 {T}_cmp({T}, {T});
CREATE OPERATOR CLASS {T}_ops DEFAULT FOR TYPE {T} USING hash AS
    OPERATOR 1 =,
    FUNCTION 1 {T}_hash({T}),
    FUNCTION 2 {T}_hash_extended({T}, int8);

-- The cast to itself checks the type modifier.

CREATE FUNCTION {T}({T}, integer, boolean) RETURNS {T}
    AS 'MODULE_PATHNAME', 'kite_{T}_cast' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION array_to_{T}(integer[], integer, boolean) RETURNS {T}
    AS 'MODULE_PATHNAME', 'kite_array_to_{T}' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION array_to_{T}(real[], integer, boolean) RETURNS {T}
    AS 'MODULE_PATHNAME', 'kite_array_to_{T}' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION array_to_{T}(double precision[], integer, boolean) RETURNS {T}
    AS 'MODULE_PATHNAME', 'kite_array_to_{T}' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION array_to_{T}(numeric[], integer, boolean) RETURNS {T}
    AS 'MODULE_PATHNAME', 'kite_array_to_{T}' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE CAST ({T} AS {T}) WITH FUNCTION {T}({T}, integer, boolean) AS IMPLICIT;
CREATE CAST (integer[] AS {T}) WITH FUNCTION array_to_{T}(integer[], integer, boolean) AS ASSIGNMENT;
CREATE CAST (real[] AS {T}) WITH FUNCTION array_to_{T}(real[], integer, boolean) AS ASSIGNMENT;
CREATE CAST (double precision[] AS {T}) WITH FUNCTION array_to_{T}(double precision[], integer, boolean) AS ASSIGNMENT;
CREATE CAST (numeric[] AS {T}) WITH FUNCTION array_to_{T}(numeric[], integer, boolean) AS ASSIGNMENT;
