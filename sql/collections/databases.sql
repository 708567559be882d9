-- Databases: schemas. What each role may use of them is the server's to say.

CREATE VIEW kite.databases WITH (security_barrier) AS
    SELECT d.* FROM kite.database d JOIN pg_catalog.pg_namespace n ON n.nspname OPERATOR(pg_catalog.=) d.schema_name
    WHERE pg_catalog.has_schema_privilege(n.oid, 'USAGE');
GRANT SELECT ON kite.databases TO PUBLIC;

CREATE FUNCTION kite.create_database(name text, properties jsonb DEFAULT NULL) RETURNS void
    AS 'MODULE_PATHNAME', 'kite_create_database' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION kite.create_database(text, jsonb) IS 'makes a schema to hold collections';

CREATE FUNCTION kite.drop_database(name text) RETURNS void
    AS 'MODULE_PATHNAME', 'kite_drop_database' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION kite.drop_database(text) IS 'drops an empty database and its schema';

CREATE FUNCTION kite.list_databases() RETURNS SETOF text
    AS 'MODULE_PATHNAME', 'kite_list_databases' LANGUAGE C STABLE PARALLEL RESTRICTED;
COMMENT ON FUNCTION kite.list_databases() IS 'databases that you may use: default, those made as such, and schemas that hold collections';

CREATE FUNCTION kite.describe_database(name text DEFAULT NULL) RETURNS jsonb
    AS 'MODULE_PATHNAME', 'kite_describe_database' LANGUAGE C STABLE PARALLEL RESTRICTED;
COMMENT ON FUNCTION kite.describe_database(text) IS 'schema and properties of a database';

CREATE FUNCTION kite.using_database(name text) RETURNS void
    AS 'MODULE_PATHNAME', 'kite_using_database' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION kite.using_database(text) IS 'sets kite.database for this session: the database of names that say none';

CREATE FUNCTION kite.alter_database_properties(name text, properties jsonb) RETURNS void
    AS 'MODULE_PATHNAME', 'kite_alter_database_properties' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION kite.alter_database_properties(text, jsonb) IS 'sets properties of a database';

CREATE FUNCTION kite.drop_database_properties(name text, property_keys text[]) RETURNS void
    AS 'MODULE_PATHNAME', 'kite_drop_database_properties' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION kite.drop_database_properties(text, text[]) IS 'takes properties of a database away';
