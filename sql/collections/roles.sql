-- Users, roles and privileges of Milvus, on those of the server. All of it runs with the caller's rights: CREATE ROLE needs CREATEROLE,
-- GRANT needs the table or a grant option. Roles belong to the whole server, not to a database.

CREATE FUNCTION kite.check_password(password text) RETURNS void
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    IF octet_length(password) NOT BETWEEN 6 AND 72 THEN
        RAISE invalid_parameter_value USING
            MESSAGE = format('invalid password length: [6, 72], got %s', octet_length(password)),
            DETAIL = 'Milvus''s code is 1100 (ParameterInvalid).';
    END IF;
END
$body$;
COMMENT ON FUNCTION kite.check_password(text) IS 'refuses a password of fewer than 6 bytes, or more than 72';

CREATE FUNCTION kite.create_user(user_name text, password text) RETURNS void
    LANGUAGE plpgsql STRICT SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    PERFORM kite.check_password(password);
    EXECUTE format('CREATE ROLE %I LOGIN PASSWORD %L', user_name, password);
END
$body$;
COMMENT ON FUNCTION kite.create_user(text, text) IS 'makes a role that can log in';

CREATE FUNCTION kite.update_password(user_name text, new_password text) RETURNS void
    LANGUAGE plpgsql STRICT SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    PERFORM kite.check_password(new_password);
    EXECUTE format('ALTER ROLE %I PASSWORD %L', user_name, new_password);
END
$body$;
COMMENT ON FUNCTION kite.update_password(text, text) IS 'sets the password of a role';

CREATE FUNCTION kite.drop_user(user_name text) RETURNS void
    LANGUAGE plpgsql STRICT SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = user_name AND NOT rolcanlogin) THEN
        RAISE undefined_object USING MESSAGE = format('"%s" is a role, not a user', user_name),
            HINT = 'kite.drop_role drops it.';
    END IF;
    EXECUTE format('DROP ROLE %I', user_name);
END
$body$;
COMMENT ON FUNCTION kite.drop_user(text) IS 'drops a role that can log in';

CREATE FUNCTION kite.list_users() RETURNS SETOF text
    LANGUAGE sql STABLE PARALLEL SAFE
    BEGIN ATOMIC
        SELECT rolname::text FROM pg_catalog.pg_roles WHERE rolcanlogin ORDER BY 1;
    END;
COMMENT ON FUNCTION kite.list_users() IS 'roles that can log in, in order';

CREATE FUNCTION kite.describe_user(user_name text) RETURNS jsonb
    LANGUAGE plpgsql STABLE STRICT SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    role record;
BEGIN
    SELECT oid, rolname, rolsuper INTO role FROM pg_roles WHERE rolname = user_name AND rolcanlogin;
    IF NOT FOUND THEN
        RAISE undefined_object USING MESSAGE = format('user "%s" does not exist', user_name);
    END IF;
    RETURN jsonb_build_object('user_name', role.rolname, 'is_superuser', role.rolsuper, 'roles', (
        SELECT coalesce(jsonb_agg(r.rolname ORDER BY r.rolname), '[]')
        FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid WHERE m.member = role.oid));
END
$body$;
COMMENT ON FUNCTION kite.describe_user(text) IS 'the roles of a user';

CREATE FUNCTION kite.create_role(role_name text) RETURNS void
    LANGUAGE plpgsql STRICT SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
END
$body$;
COMMENT ON FUNCTION kite.create_role(text) IS 'makes a role that privileges are granted to';

CREATE FUNCTION kite.list_roles() RETURNS SETOF text
    LANGUAGE sql STABLE PARALLEL SAFE
    BEGIN ATOMIC
        SELECT rolname::text FROM pg_catalog.pg_roles
        WHERE NOT rolcanlogin AND NOT pg_catalog.starts_with(rolname::text, 'pg_') ORDER BY 1;
    END;
COMMENT ON FUNCTION kite.list_roles() IS 'roles that cannot log in, but for those of the server, in order';

CREATE FUNCTION kite.grant_role(user_name text, role_name text) RETURNS void
    LANGUAGE plpgsql STRICT SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    EXECUTE format('GRANT %I TO %I', role_name, user_name);
END
$body$;
COMMENT ON FUNCTION kite.grant_role(text, text) IS 'makes a user a member of a role';

CREATE FUNCTION kite.revoke_role(user_name text, role_name text) RETURNS void
    LANGUAGE plpgsql STRICT SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    EXECUTE format('REVOKE %I FROM %I', role_name, user_name);
END
$body$;
COMMENT ON FUNCTION kite.revoke_role(text, text) IS 'ends the membership of a user in a role';

-- What the server calls a privilege of Milvus: on a table, on a schema, or neither, since only owners do such things.
CREATE FUNCTION kite.privilege_rights(privilege text, OUT on_table text, OUT on_schema text)
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    CASE
        WHEN privilege IN ('Search', 'Query', 'GetLoadState', 'GetLoadingProgress', 'DescribeCollection', 'ShowCollections',
            'GetStatistics', 'HasPartition', 'ShowPartitions', 'IndexDetail', 'DescribeAlias', 'ListAliases', 'Flush', 'GetFlushState',
            'CollectionReadOnly') THEN on_table := 'SELECT';
        WHEN privilege = 'Insert' THEN on_table := 'INSERT';
        WHEN privilege = 'Delete' THEN on_table := 'SELECT, DELETE';
        WHEN privilege = 'Upsert' THEN on_table := 'SELECT, INSERT, UPDATE, DELETE';
        WHEN privilege = 'TruncateCollection' THEN on_table := 'TRUNCATE';
        WHEN privilege = 'CollectionReadWrite' THEN on_table := 'SELECT, INSERT, UPDATE, DELETE';
        WHEN privilege IN ('CollectionAdmin', 'All', '*') THEN on_table := 'ALL';
        WHEN privilege IN ('DatabaseReadOnly', 'DescribeDatabase', 'ListDatabases') THEN on_schema := 'USAGE';
        WHEN privilege IN ('DatabaseReadWrite', 'DatabaseAdmin', 'CreateCollection') THEN on_schema := 'USAGE, CREATE';
        WHEN privilege IN ('CreateIndex', 'DropIndex', 'Load', 'Release', 'CreatePartition', 'DropPartition', 'CreateAlias', 'DropAlias',
            'DropCollection', 'RenameCollection', 'Compaction', 'AddCollectionField', 'AlterCollection', 'Import', 'LoadBalance') THEN
            RAISE feature_not_supported USING MESSAGE = format('privilege %s is the owner''s of a table and cannot be granted', privilege),
                HINT = 'Grant membership in the role that owns the table.';
        WHEN privilege LIKE 'Cluster%' OR privilege LIKE '%Ownership' OR privilege IN ('CreateDatabase', 'DropDatabase', 'FlushAll') OR privilege LIKE '%PrivilegeGroup%'
            OR privilege LIKE '%ResourceGroup%' THEN
            RAISE feature_not_supported USING MESSAGE = format('privilege %s is no right on a table or a schema', privilege),
                HINT = 'ALTER ROLE gives CREATEROLE, GRANT … ON DATABASE gives CREATE.';
        ELSE
            RAISE invalid_parameter_value USING MESSAGE = format('not found the privilege name[%s]', privilege),
                DETAIL = 'Milvus''s code is 1100 (ParameterInvalid).';
    END CASE;
END
$body$;
COMMENT ON FUNCTION kite.privilege_rights(text) IS 'rights of the server that a privilege of Milvus stands for';

-- The statements that grant or revoke a privilege.
CREATE FUNCTION kite.privilege_statements(granted boolean, role_name text, privilege text, collection text, database text)
    RETURNS SETOF text LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    rights record := kite.privilege_rights(privilege);
    here text := coalesce(nullif(database, ''), current_setting('kite.database'));
    tail text := CASE WHEN granted THEN 'TO' ELSE 'FROM' END || ' ' || quote_ident(role_name);
    verb text := CASE WHEN granted THEN 'GRANT' ELSE 'REVOKE' END;
    name text := privilege_statements.collection;
    table_oid oid;
    each record;
BEGIN
    PERFORM FROM pg_roles WHERE rolname = role_name;
    IF NOT FOUND THEN
        RAISE undefined_object USING MESSAGE = format('role "%s" does not exist', role_name);
    END IF;
    IF rights.on_schema IS NOT NULL THEN
        RETURN NEXT format('%s %s ON SCHEMA %I %s', verb, rights.on_schema, kite.describe_database(here) ->> 'schema', tail);
        RETURN;
    END IF;
    IF name <> '*' THEN
        name := CASE WHEN strpos(name, '.') > 0 THEN name ELSE here || '.' || name END;
        table_oid := (kite.describe_collection(name) ->> 'collection_id')::oid;
    END IF;
    FOR each IN
        SELECT c.collection AS oid, c.schema_name, c.table_name FROM kite.collections c
        WHERE privilege_statements.collection = '*' AND (here = '*' OR c.database = here)
        UNION ALL
        SELECT c.collection, c.schema_name, c.table_name FROM kite.collections c
        WHERE c.collection = table_oid
    LOOP
        RETURN NEXT format('%s %s ON TABLE %I.%I %s', verb, rights.on_table, each.schema_name, each.table_name, tail);
        IF granted AND NOT has_schema_privilege(role_name, each.schema_name, 'USAGE') THEN
            RETURN NEXT format('GRANT USAGE ON SCHEMA %I %s', each.schema_name, tail);
        END IF;
        -- Keys that are texts come from a sequence.
        IF rights.on_table ~ 'INSERT|ALL' THEN
            RETURN QUERY SELECT format('%s USAGE ON SEQUENCE %s %s', verb, d.objid::regclass, tail)
                FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
                WHERE d.classid = 'pg_class'::regclass AND d.refobjid = each.oid AND d.deptype = 'a';
        END IF;
    END LOOP;
END
$body$;
COMMENT ON FUNCTION kite.privilege_statements(boolean, text, text, text, text) IS
    'what kite.grant_privilege and revoke_privilege run';

CREATE FUNCTION kite.grant_privilege(role_name text, privilege text, collection text DEFAULT '*', database text DEFAULT NULL)
    RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    statement text;
BEGIN
    FOR statement IN SELECT kite.privilege_statements(true, role_name, privilege, collection, database) LOOP
        EXECUTE statement;
    END LOOP;
END
$body$;
COMMENT ON FUNCTION kite.grant_privilege(text, text, text, text) IS
    'grants what a privilege of Milvus stands for, on a collection or on all that there are in a database';

CREATE FUNCTION kite.revoke_privilege(role_name text, privilege text, collection text DEFAULT '*', database text DEFAULT NULL)
    RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    statement text;
BEGIN
    FOR statement IN SELECT kite.privilege_statements(false, role_name, privilege, collection, database) LOOP
        EXECUTE statement;
    END LOOP;
END
$body$;
COMMENT ON FUNCTION kite.revoke_privilege(text, text, text, text) IS 'revokes what kite.grant_privilege granted';

CREATE FUNCTION kite.describe_role(role_name text) RETURNS jsonb
    LANGUAGE plpgsql STABLE STRICT SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    role oid;
BEGIN
    SELECT oid INTO role FROM pg_roles WHERE rolname = role_name;
    IF NOT FOUND THEN
        RAISE undefined_object USING MESSAGE = format('role "%s" does not exist', role_name);
    END IF;
    RETURN jsonb_build_object('role', role_name, 'privileges', (
        SELECT coalesce(jsonb_agg(jsonb_build_object('object_type', 'Collection', 'db_name', c.database,
            'object_name', coalesce(c.long_name, c.table_name), 'privilege', a.privilege_type)
            ORDER BY c.database, c.table_name, a.privilege_type), '[]')
        FROM kite.collections c JOIN pg_class t ON t.oid = c.collection, aclexplode(t.relacl) a WHERE a.grantee = role));
END
$body$;
COMMENT ON FUNCTION kite.describe_role(text) IS 'rights that a role was granted on collections that you may read';

CREATE FUNCTION kite.drop_role(role_name text, force_drop boolean DEFAULT false) RETURNS void
    LANGUAGE plpgsql STRICT SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    each record;
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = role_name AND rolcanlogin) THEN
        RAISE undefined_object USING MESSAGE = format('"%s" is a user, not a role', role_name),
            HINT = 'kite.drop_user drops it.';
    END IF;
    IF force_drop THEN
        FOR each IN
            SELECT DISTINCT c.schema_name, c.table_name FROM kite.collections c JOIN pg_class t ON t.oid = c.collection,
                aclexplode(t.relacl) a JOIN pg_roles r ON r.oid = a.grantee
            WHERE r.rolname = role_name
        LOOP
            EXECUTE format('REVOKE ALL ON TABLE %I.%I FROM %I', each.schema_name, each.table_name, role_name);
        END LOOP;
        FOR each IN
            SELECT DISTINCT s.oid::regclass AS sequence FROM kite.collections c
            JOIN pg_depend d ON d.refobjid = c.collection AND d.classid = 'pg_class'::regclass AND d.deptype = 'a'
            JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S', aclexplode(s.relacl) a JOIN pg_roles r ON r.oid = a.grantee
            WHERE r.rolname = role_name
        LOOP
            EXECUTE format('REVOKE ALL ON SEQUENCE %s FROM %I', each.sequence, role_name);
        END LOOP;
        FOR each IN
            SELECT DISTINCT n.nspname FROM pg_namespace n, aclexplode(n.nspacl) a JOIN pg_roles r ON r.oid = a.grantee
            WHERE r.rolname = role_name AND n.nspname IN (SELECT c.schema_name FROM kite.collections c)
        LOOP
            EXECUTE format('REVOKE ALL ON SCHEMA %I FROM %I', each.nspname, role_name);
        END LOOP;
    END IF;
    EXECUTE format('DROP ROLE %I', role_name);
END
$body$;
COMMENT ON FUNCTION kite.drop_role(text, boolean) IS
    'drops a role that cannot log in; by force_drop after taking away what it was granted on collections';
