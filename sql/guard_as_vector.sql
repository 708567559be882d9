-- A database from before may hold pgvector's own extension of that name, which `requires` is content with.
DO LANGUAGE plpgsql $guard$
BEGIN
    IF 0 OPERATOR(pg_catalog.=) (
        SELECT pg_catalog.count(*) FROM pg_catalog.pg_extension AS extension
        JOIN pg_catalog.pg_depend AS member
            ON member.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass
            AND member.refobjid OPERATOR(pg_catalog.=) extension.oid
            AND member.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
            AND member.deptype OPERATOR(pg_catalog.=) 'e'
        JOIN pg_catalog.pg_proc AS function ON function.oid OPERATOR(pg_catalog.=) member.objid
        WHERE extension.extname OPERATOR(pg_catalog.=) 'vector'
            AND function.probin OPERATOR(pg_catalog.=) '$libdir/pgkite'
    ) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = 'extension "pgkite" needs the extension "vector" that comes with it',
            DETAIL = 'The extension "vector" of this database belongs to another library.',
            HINT = 'Use pgkite in another database, or dump this one, drop its extension "vector" and restore the dump.';
    END IF;
END
$guard$;
