-- What a distance costs, told to the planner (SupportRequestCost): by dimensions, and by where the vectors are stored.

CREATE FUNCTION vector_distance_support(internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'kite_distance_support' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
