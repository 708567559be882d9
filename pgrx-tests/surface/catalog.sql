-- Every object of the extension $1 as one line of text: what a client, a dump or the planner relies on, and
-- nothing else. Left out on purpose: OIDs, costs, planner support functions, HASHES and MERGES flags, the C symbol.
-- Names are short: put the extension's schema (and nothing but pg_catalog) on the search_path first.
WITH member AS (
    SELECT d.classid, d.objid
    FROM pg_depend d
    JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass
    WHERE e.extname = $1 AND d.deptype = 'e'
),
line (text) AS (
    SELECT format('type %s length=%s byval=%s align=%s storage=%s category=%s preferred=%s delimiter=%s '
                  'input=%s output=%s receive=%s send=%s typmod_in=%s typmod_out=%s analyze=%s subscript=%s array=%s',
                  t.typname, t.typlen, t.typbyval,
                  CASE t.typalign WHEN 'c' THEN 'char' WHEN 's' THEN 'int2' WHEN 'i' THEN 'int4' ELSE 'double' END,
                  CASE t.typstorage WHEN 'p' THEN 'plain' WHEN 'e' THEN 'external' WHEN 'x' THEN 'extended' ELSE 'main' END,
                  t.typcategory, t.typispreferred, t.typdelim,
                  t.typinput, t.typoutput, t.typreceive, t.typsend, t.typmodin, t.typmodout, t.typanalyze, t.typsubscript,
                  t.typarray::regtype)
    FROM member m JOIN pg_type t ON m.classid = 'pg_type'::regclass AND t.oid = m.objid
    UNION ALL
    SELECT format('function %s returns %s%s %s %s parallel=%s%s%s',
                  p.oid::regprocedure, CASE WHEN p.proretset THEN 'setof ' ELSE '' END, p.prorettype::regtype,
                  CASE p.provolatile WHEN 'i' THEN 'immutable' WHEN 's' THEN 'stable' ELSE 'volatile' END,
                  CASE WHEN p.proisstrict THEN 'strict' ELSE 'called-on-null' END,
                  CASE p.proparallel WHEN 's' THEN 'safe' WHEN 'r' THEN 'restricted' ELSE 'unsafe' END,
                  CASE WHEN p.prosecdef THEN ' security-definer' ELSE '' END,
                  CASE WHEN p.proleakproof THEN ' leakproof' ELSE '' END)
    FROM member m JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid
    WHERE p.prokind <> 'a'
    UNION ALL
    SELECT format('aggregate %s returns %s kind=%s step=%s state=%s final=%s combine=%s serial=%s deserial=%s '
                  'moving-step=%s initial=%s sort=%s parallel=%s',
                  p.oid::regprocedure, p.prorettype::regtype, a.aggkind,
                  a.aggtransfn::regprocedure, a.aggtranstype::regtype, a.aggfinalfn, a.aggcombinefn, a.aggserialfn,
                  a.aggdeserialfn, a.aggmtransfn, coalesce(a.agginitval, 'null'), a.aggsortop::regoperator,
                  CASE p.proparallel WHEN 's' THEN 'safe' WHEN 'r' THEN 'restricted' ELSE 'unsafe' END)
    FROM member m
    JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid
    JOIN pg_aggregate a ON a.aggfnoid = p.oid
    UNION ALL
    SELECT format('operator %s returns %s function=%s commutator=%s negator=%s restrict=%s join=%s',
                  o.oid::regoperator, o.oprresult::regtype, o.oprcode::regprocedure,
                  CASE WHEN o.oprcom = 0 THEN '-' ELSE o.oprcom::regoperator::text END,
                  CASE WHEN o.oprnegate = 0 THEN '-' ELSE o.oprnegate::regoperator::text END,
                  o.oprrest, o.oprjoin)
    FROM member m JOIN pg_operator o ON m.classid = 'pg_operator'::regclass AND o.oid = m.objid
    UNION ALL
    SELECT format('cast %s to %s method=%s context=%s',
                  c.castsource::regtype, c.casttarget::regtype,
                  CASE c.castmethod WHEN 'f' THEN c.castfunc::regprocedure::text WHEN 'i' THEN 'inout' ELSE 'binary' END,
                  CASE c.castcontext WHEN 'i' THEN 'implicit' WHEN 'a' THEN 'assignment' ELSE 'explicit' END)
    FROM member m JOIN pg_cast c ON m.classid = 'pg_cast'::regclass AND c.oid = m.objid
    UNION ALL
    SELECT format('access-method %s type=%s handler=%s', a.amname, a.amtype, a.amhandler)
    FROM member m JOIN pg_am a ON m.classid = 'pg_am'::regclass AND a.oid = m.objid
    UNION ALL
    SELECT format('operator-class %s %s for=%s default=%s family=%s stores=%s', a.amname, c.opcname, c.opcintype::regtype,
                  c.opcdefault, f.opfname, CASE WHEN c.opckeytype = 0 THEN '-' ELSE c.opckeytype::regtype::text END)
    FROM member m
    JOIN pg_opclass c ON m.classid = 'pg_opclass'::regclass AND c.oid = m.objid
    JOIN pg_opfamily f ON f.oid = c.opcfamily
    JOIN pg_am a ON a.oid = c.opcmethod
    UNION ALL
    SELECT format('family-operator %s %s %s %s purpose=%s', a.amname, f.opfname, o.amopstrategy, o.amopopr::regoperator,
                  CASE WHEN o.amoppurpose = 's' THEN 'search'
                       ELSE 'order-by ' || (SELECT opfname FROM pg_opfamily WHERE oid = o.amopsortfamily) END)
    FROM member m
    JOIN pg_opfamily f ON m.classid = 'pg_opfamily'::regclass AND f.oid = m.objid
    JOIN pg_am a ON a.oid = f.opfmethod
    JOIN pg_amop o ON o.amopfamily = f.oid
    UNION ALL
    SELECT format('family-function %s %s %s(%s,%s) %s', a.amname, f.opfname, s.amprocnum,
                  s.amproclefttype::regtype, s.amprocrighttype::regtype, s.amproc::regprocedure)
    FROM member m
    JOIN pg_opfamily f ON m.classid = 'pg_opfamily'::regclass AND f.oid = m.objid
    JOIN pg_am a ON a.oid = f.opfmethod
    JOIN pg_amproc s ON s.amprocfamily = f.oid
)
SELECT text FROM line ORDER BY text COLLATE "C"
