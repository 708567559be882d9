-- What keeps the catalogs of collections true whoever changes what.

-- Sessions remember what they read here: tell them that it has changed.
CREATE FUNCTION kite.catalog_changed() RETURNS trigger
    AS 'MODULE_PATHNAME', 'kite_catalog_changed' LANGUAGE C;
REVOKE ALL ON FUNCTION kite.catalog_changed() FROM PUBLIC;

CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON kite.collection
    FOR EACH STATEMENT EXECUTE FUNCTION kite.catalog_changed();
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON kite.field
    FOR EACH STATEMENT EXECUTE FUNCTION kite.catalog_changed();
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON kite.partition
    FOR EACH STATEMENT EXECUTE FUNCTION kite.catalog_changed();
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON kite.alias
    FOR EACH STATEMENT EXECUTE FUNCTION kite.catalog_changed();
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON kite.index
    FOR EACH STATEMENT EXECUTE FUNCTION kite.catalog_changed();

-- A restored table numbers its columns anew.
CREATE FUNCTION kite.number_column() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $body$
BEGIN
    NEW.column_number := (
        SELECT attnum FROM pg_attribute
        WHERE attrelid = NEW.collection AND attname = NEW.column_name AND NOT attisdropped
    );
    RETURN NEW;
END
$body$;
REVOKE ALL ON FUNCTION kite.number_column() FROM PUBLIC;
CREATE TRIGGER number_column BEFORE INSERT ON kite.field
    FOR EACH ROW EXECUTE FUNCTION kite.number_column();

-- Plain SQL drops what is registered. Runs as the owner of the catalogs, since any role may drop its own tables, and never raises:
-- a row that is left names no table and counts for nothing.
CREATE FUNCTION kite.follow_drop() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $body$
DECLARE
    tables oid[];
BEGIN
    SELECT array_agg(objid) INTO tables FROM pg_event_trigger_dropped_objects() d
    WHERE d.classid = 'pg_class'::regclass AND d.objsubid = 0 AND (
        EXISTS (SELECT FROM kite.collection c WHERE c.collection = d.objid)
        OR EXISTS (SELECT FROM kite.partition p WHERE p.partition_table = d.objid)
    );
    IF tables IS NOT NULL THEN
        DELETE FROM kite.collection WHERE collection = ANY (tables);
        DELETE FROM kite.field WHERE collection = ANY (tables);
        DELETE FROM kite.partition WHERE collection = ANY (tables) OR partition_table = ANY (tables);
        DELETE FROM kite.alias WHERE collection = ANY (tables);
        DELETE FROM kite.index WHERE collection = ANY (tables);
    END IF;
    IF EXISTS (SELECT FROM pg_event_trigger_dropped_objects() WHERE object_type = 'index') THEN
        DELETE FROM kite.index i USING pg_event_trigger_dropped_objects() d, pg_class c, pg_namespace n
        WHERE d.object_type = 'index' AND i.relation_name = d.object_name AND c.oid = i.collection
            AND n.oid = c.relnamespace AND n.nspname = d.schema_name;
    END IF;
    IF EXISTS (SELECT FROM pg_event_trigger_dropped_objects() WHERE object_type = 'schema') THEN
        DELETE FROM kite.database b USING pg_event_trigger_dropped_objects() d
        WHERE d.object_type = 'schema' AND b.schema_name = d.object_name;
    END IF;
    IF EXISTS (SELECT FROM pg_event_trigger_dropped_objects() WHERE object_type = 'table column' AND original) THEN
        DELETE FROM kite.index i USING kite.field f, pg_event_trigger_dropped_objects() d
        WHERE d.classid = 'pg_class'::regclass AND d.objsubid > 0 AND f.collection = d.objid AND f.column_number = d.objsubid
            AND i.collection = f.collection AND i.column_name = f.column_name;
        DELETE FROM kite.field f USING pg_event_trigger_dropped_objects() d
        WHERE d.classid = 'pg_class'::regclass AND d.objsubid > 0 AND f.collection = d.objid AND f.column_number = d.objsubid;
    END IF;
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING 'the catalogs of collections could not follow a DROP: %', SQLERRM;
END
$body$;
REVOKE ALL ON FUNCTION kite.follow_drop() FROM PUBLIC;
CREATE EVENT TRIGGER kite_follow_drop ON sql_drop EXECUTE FUNCTION kite.follow_drop();

-- Plain SQL renames a column that is a field, an index or a schema. The server does not say what the old name was: of an index or a
-- schema it is the one name in the catalogs that nothing has any more.
CREATE FUNCTION kite.follow_rename() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $body$
BEGIN
    UPDATE kite.index i SET column_name = a.attname
    FROM pg_event_trigger_ddl_commands() d
    JOIN kite.field f ON f.collection = d.objid
    JOIN pg_attribute a ON a.attrelid = d.objid AND a.attnum = f.column_number
    WHERE d.classid = 'pg_class'::regclass AND i.collection = d.objid AND i.column_name = f.column_name
        AND NOT a.attisdropped AND a.attname <> f.column_name;
    UPDATE kite.index i SET relation_name = r.relname
    FROM pg_event_trigger_ddl_commands() d
    JOIN pg_index x ON x.indexrelid = d.objid
    JOIN pg_class r ON r.oid = d.objid
    JOIN pg_class c ON c.oid = x.indrelid
    JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = x.indkey[0]
    WHERE d.classid = 'pg_class'::regclass AND i.collection = c.oid AND i.column_name = a.attname AND i.relation_name IS NOT NULL
        AND NOT EXISTS (SELECT FROM pg_class o WHERE o.relname = i.relation_name AND o.relnamespace = c.relnamespace)
        AND NOT EXISTS (SELECT FROM kite.index j WHERE j.collection = c.oid AND j.relation_name = r.relname);
    UPDATE kite.database b SET schema_name = n.nspname
    FROM pg_event_trigger_ddl_commands() d
    JOIN pg_namespace n ON n.oid = d.objid
    WHERE d.classid = 'pg_namespace'::regclass AND NOT EXISTS (SELECT FROM kite.database o WHERE o.schema_name = n.nspname)
        AND NOT EXISTS (SELECT FROM pg_namespace o WHERE o.nspname = b.schema_name)
        AND 1 = (SELECT count(*) FROM kite.database o WHERE NOT EXISTS (SELECT FROM pg_namespace m WHERE m.nspname = o.schema_name));
    UPDATE kite.field f SET column_name = a.attname
    FROM pg_event_trigger_ddl_commands() d
    JOIN pg_attribute a ON a.attrelid = d.objid
    WHERE d.classid = 'pg_class'::regclass AND f.collection = d.objid AND a.attnum = f.column_number
        AND NOT a.attisdropped AND a.attname <> f.column_name;
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING 'the catalogs of collections could not follow an ALTER TABLE: %', SQLERRM;
END
$body$;
REVOKE ALL ON FUNCTION kite.follow_rename() FROM PUBLIC;
CREATE EVENT TRIGGER kite_follow_rename ON ddl_command_end WHEN TAG IN ('ALTER TABLE', 'ALTER INDEX', 'ALTER SCHEMA')
    EXECUTE FUNCTION kite.follow_rename();
