-- Types and access methods of pgvector and pgkite have the same names: say so before anything is created.
DO LANGUAGE plpgsql $guard$
BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname OPERATOR(pg_catalog.=) 'vector') THEN
        RAISE EXCEPTION USING
            ERRCODE = 'duplicate_object',
            MESSAGE = 'cannot create extension "pgkite" in a database that has extension "vector"',
            DETAIL = 'Both define the types vector, halfvec and sparsevec and the access methods hnsw and ivfflat.',
            HINT = 'Use pgkite in another database, or drop extension "vector" first (DROP EXTENSION vector also drops the columns that use it: dump them before).';
    END IF;
END
$guard$;
