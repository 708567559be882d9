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
    IF EXISTS (SELECT FROM pg_event_trigger_dropped_objects() WHERE object_type = 'table column' AND original) THEN
        DELETE FROM kite.field f USING pg_event_trigger_dropped_objects() d
        WHERE d.classid = 'pg_class'::regclass AND d.objsubid > 0 AND f.collection = d.objid AND f.column_number = d.objsubid;
    END IF;
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING 'the catalogs of collections could not follow a DROP: %', SQLERRM;
END
$body$;
REVOKE ALL ON FUNCTION kite.follow_drop() FROM PUBLIC;
CREATE EVENT TRIGGER kite_follow_drop ON sql_drop EXECUTE FUNCTION kite.follow_drop();

-- Plain SQL renames a column that is a field.
CREATE FUNCTION kite.follow_rename() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $body$
BEGIN
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
CREATE EVENT TRIGGER kite_follow_rename ON ddl_command_end WHEN TAG IN ('ALTER TABLE')
    EXECUTE FUNCTION kite.follow_rename();
