-- for each {T} in vector halfvec sparsevec
-- The type {T}: input and output.

CREATE TYPE {T};

CREATE FUNCTION {T}_in(cstring, oid, integer) RETURNS {T}
    AS 'MODULE_PATHNAME', 'kite_{T}_in' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION {T}_out({T}) RETURNS cstring
    AS 'MODULE_PATHNAME', 'kite_{T}_out' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION {T}_typmod_in(cstring[]) RETURNS integer
    AS 'MODULE_PATHNAME', 'kite_{T}_typmod_in' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION {T}_recv(internal, oid, integer) RETURNS {T}
    AS 'MODULE_PATHNAME', 'kite_{T}_recv' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION {T}_send({T}) RETURNS bytea
    AS 'MODULE_PATHNAME', 'kite_{T}_send' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE TYPE {T} (
    INPUT = {T}_in,
    OUTPUT = {T}_out,
    TYPMOD_IN = {T}_typmod_in,
    RECEIVE = {T}_recv,
    SEND = {T}_send,
    STORAGE = external
);
