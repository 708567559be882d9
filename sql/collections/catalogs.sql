-- What Milvus knows of a collection and a table has no place for. Rows are keyed by the table, so that renaming it changes nothing;
-- indexes by their names, since a dump restores these rows before it makes indexes. Rows without a table are not dumped.
-- No foreign keys: a parallel restore fills these tables in any order.

CREATE TABLE kite.database (
    schema_name name PRIMARY KEY,
    properties jsonb NOT NULL DEFAULT '{}'
);
COMMENT ON TABLE kite.database IS 'schemas that were made as databases, or have properties as such';

CREATE TABLE kite.collection (
    collection regclass PRIMARY KEY,
    -- The whole name where an identifier is too short for it; true as long as the table has the name made from it.
    long_name text,
    description text NOT NULL DEFAULT '',
    is_dynamic boolean NOT NULL,
    partitioning text NOT NULL CHECK (partitioning IN ('column', 'list', 'hash')),
    num_partitions integer,
    consistency_level text NOT NULL DEFAULT 'Bounded',
    is_loaded boolean NOT NULL DEFAULT false,
    properties jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE kite.collection IS 'tables that are collections';

CREATE TABLE kite.field (
    collection regclass,
    column_name name,
    -- Follows from the name when a row comes in, and finds the name again when the column is renamed.
    column_number smallint,
    position smallint NOT NULL,
    -- As kite.describe_collection shows it.
    definition json NOT NULL,
    PRIMARY KEY (collection, column_name)
);
COMMENT ON TABLE kite.field IS 'fields of collections, a column each';

CREATE TABLE kite.partition (
    collection regclass,
    partition text COLLATE "C",
    -- Of a collection that is divided into tables, the one of this partition.
    partition_table regclass,
    is_loaded boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    PRIMARY KEY (collection, partition)
);
COMMENT ON TABLE kite.partition IS 'partitions of collections';

-- Unique in a database, which the functions see to: the collection's schema is its database, and it may move.
CREATE TABLE kite.alias (
    alias text COLLATE "C",
    collection regclass,
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    PRIMARY KEY (alias, collection)
);
COMMENT ON TABLE kite.alias IS 'other names of collections';

CREATE TABLE kite.index (
    collection regclass,
    index_name name,
    column_name name NOT NULL,
    -- What was asked for: field_name, index_type, metric_type, params.
    request jsonb NOT NULL,
    -- Its relation, in the collection's schema; NULL where nothing had to be built.
    relation_name name,
    PRIMARY KEY (collection, index_name)
);
COMMENT ON TABLE kite.index IS 'indexes of collections, as they were asked for';

SELECT pg_catalog.pg_extension_config_dump('kite.database',
    'WHERE EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = schema_name)');
SELECT pg_catalog.pg_extension_config_dump('kite.collection',
    'WHERE EXISTS (SELECT FROM pg_catalog.pg_class WHERE oid = collection)');
SELECT pg_catalog.pg_extension_config_dump('kite.field',
    'WHERE EXISTS (SELECT FROM pg_catalog.pg_class WHERE oid = collection)');
SELECT pg_catalog.pg_extension_config_dump('kite.partition',
    'WHERE EXISTS (SELECT FROM pg_catalog.pg_class WHERE oid = collection)
     AND (partition_table IS NULL OR EXISTS (SELECT FROM pg_catalog.pg_class WHERE oid = partition_table))');
SELECT pg_catalog.pg_extension_config_dump('kite.alias',
    'WHERE EXISTS (SELECT FROM pg_catalog.pg_class WHERE oid = collection)');
SELECT pg_catalog.pg_extension_config_dump('kite.index',
    'WHERE EXISTS (SELECT FROM pg_catalog.pg_class WHERE oid = collection)');

-- Whoever creates the extension dumps the database and restores it, which need not be a superuser. A row gives no rights on its table.
GRANT SELECT, INSERT ON kite.database, kite.collection, kite.field, kite.partition, kite.alias, kite.index TO SESSION_USER;

-- What a role may see: that of the tables that it may read.

CREATE VIEW kite.collections WITH (security_barrier) AS
    SELECT n.nspname AS schema_name, c.relname AS table_name,
        CASE WHEN n.nspname OPERATOR(pg_catalog.=) 'public' THEN 'default' ELSE n.nspname END AS database,
        k.*
    FROM kite.collection k
    JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) k.collection
    JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
    WHERE pg_catalog.has_table_privilege(k.collection, 'SELECT');
CREATE VIEW kite.fields WITH (security_barrier) AS
    SELECT f.* FROM kite.field f WHERE pg_catalog.has_table_privilege(f.collection, 'SELECT');
CREATE VIEW kite.partitions WITH (security_barrier) AS
    SELECT p.* FROM kite.partition p WHERE pg_catalog.has_table_privilege(p.collection, 'SELECT');
CREATE VIEW kite.aliases WITH (security_barrier) AS
    SELECT a.* FROM kite.alias a WHERE pg_catalog.has_table_privilege(a.collection, 'SELECT');
CREATE VIEW kite.indexes WITH (security_barrier) AS
    SELECT i.* FROM kite.index i WHERE pg_catalog.has_table_privilege(i.collection, 'SELECT');
GRANT SELECT ON kite.collections, kite.fields, kite.partitions, kite.aliases, kite.indexes TO PUBLIC;
