-- Partitions and aliases.

CREATE FUNCTION kite.create_partition(collection text, partition text) RETURNS void
    AS 'MODULE_PATHNAME', 'kite_create_partition' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION kite.create_partition(text, text) IS 'makes a partition: a name for rows, or a table where the collection is divided into tables';

CREATE FUNCTION kite.drop_partition(collection text, partition text) RETURNS void
    AS 'MODULE_PATHNAME', 'kite_drop_partition' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION kite.drop_partition(text, text) IS 'drops a partition and its rows; one that is not there is a NOTICE';

CREATE FUNCTION kite.has_partition(collection text, partition text) RETURNS boolean
    AS 'MODULE_PATHNAME', 'kite_has_partition' LANGUAGE C STABLE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION kite.has_partition(text, text) IS 'whether a collection has a partition of this name';

CREATE FUNCTION kite.list_partitions(collection text) RETURNS SETOF text
    AS 'MODULE_PATHNAME', 'kite_list_partitions' LANGUAGE C STABLE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION kite.list_partitions(text) IS 'names of the partitions of a collection, in order';

CREATE FUNCTION kite.get_partition_stats(collection text, partition text) RETURNS jsonb
    AS 'MODULE_PATHNAME', 'kite_get_partition_stats' LANGUAGE C STABLE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION kite.get_partition_stats(text, text) IS 'row_count: rows of a partition that you may see';

CREATE FUNCTION kite.create_alias(collection text, alias text) RETURNS void
    AS 'MODULE_PATHNAME', 'kite_create_alias' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION kite.create_alias(text, text) IS 'gives a collection another name, in its database';

CREATE FUNCTION kite.drop_alias(alias text) RETURNS void
    AS 'MODULE_PATHNAME', 'kite_drop_alias' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION kite.drop_alias(text) IS 'takes an alias away';

CREATE FUNCTION kite.alter_alias(collection text, alias text) RETURNS void
    AS 'MODULE_PATHNAME', 'kite_alter_alias' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION kite.alter_alias(text, text) IS 'makes an alias that is there the name of this collection';

CREATE FUNCTION kite.describe_alias(alias text) RETURNS jsonb
    AS 'MODULE_PATHNAME', 'kite_describe_alias' LANGUAGE C STABLE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION kite.describe_alias(text) IS 'the collection and the database of an alias';

CREATE FUNCTION kite.list_aliases(collection text DEFAULT NULL) RETURNS SETOF text
    AS 'MODULE_PATHNAME', 'kite_list_aliases' LANGUAGE C STABLE PARALLEL RESTRICTED;
COMMENT ON FUNCTION kite.list_aliases(text) IS 'aliases of a collection, or of all that you may read in this database, in order';
