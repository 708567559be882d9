//! `kite.create_index`, `drop_index`, `describe_index` and `list_indexes`. What is built for a name of Milvus's is decided by
//! kite-schema; here it is made, and what was asked for is written down.

use super::access::check_readable;
use super::catalog::{Collection, Column, Index};
use super::change::{self, text, whole};
use super::error::notice;
use super::sql::{ident, qualified};
use super::table::META;
use super::{cache, catalog};
use crate::{call::Call, rows};
use kite_schema::{
    Available, Code, DataType, Entity, Error, Field, IndexPlan, IndexRequest, InvertedFile, Method, Metric,
    Result, check_name, fit,
};
use pgrx::pg_sys::{self, Datum};
use pgrx::{IntoDatum, JsonB};
use serde_json::{Map, Value, json};

export! { Error;
    "kite_create_index" => create,
    "kite_drop_index" => drop,
    "kite_describe_index" => describe,
    "kite_list_indexes" => list,
}

fn create(call: &Call) -> Result<()> {
    let collection = change::owned(&call.get::<String>(0).unwrap_or_default())?;
    let field: Option<String> = call.get(1);
    let mut params = call.get::<JsonB>(2).map_or_else(|| json!({}), |JsonB(params)| params);
    if let Some(field) = field {
        let Value::Object(object) = &mut params else {
            return Err(Error::invalid("index_params of one field should be a JSON object"));
        };
        object.retain(|key, _| !matches!(key.as_str(), "field" | "fieldName"));
        object.insert("field_name".into(), field.into());
    }
    for request in IndexRequest::read_all(&params)? {
        make(&collection, &request)?;
    }
    Ok(())
}

/// Makes one index and writes it down. The same again changes nothing.
pub(super) fn make(collection: &Collection, request: &IndexRequest) -> Result<()> {
    let (field, column) = match collection.field(&request.field) {
        Some(Column { field, name, .. }) => (field.clone(), name.as_str()),
        // A key of the rows' own.
        None if collection.is_dynamic => (Field::new(META, DataType::Json), META),
        None => {
            return Err(Error::new(
                Code::FieldNotFound,
                format!("cannot create index on non-exist field: {}", request.field),
            ));
        }
    };
    let name = request.index_name.as_ref().unwrap_or(&request.field);
    if request.index_name.is_some() {
        check_name(Entity::Index, name)?;
    }
    let plan = request.plan(&field, available(request, &field)?)?;
    let asked = asked(request, name, &plan);
    let existing = catalog::indexes(collection.oid);
    let of_column = || existing.iter().filter(|index| index.column == column);
    if let Some(same) = existing.iter().find(|index| &index.name == name) {
        let told = ["field_name", "index_type", "metric_type", "params"];
        if told.iter().all(|key| same.request.get(*key) == asked.get(*key)) {
            notice(format!("index \"{name}\" exists with the same definition, skipping"));
            return Ok(());
        }
        return Err(match same.text("field_name") == request.field {
            true => Error::invalid("at most one distinct index is allowed per field"),
            false => Error::new(Code::IndexDuplicate, format!("index already exists[index={name}]")),
        });
    }
    // JSON has an index for each of its paths, and here all of them share one.
    if field.data_type != DataType::Json && of_column().next().is_some() {
        return Err(Error::invalid("at most one distinct index is allowed per field"));
    }
    let shared = of_column().find_map(|index| index.relation.clone());
    let relation = match plan.method {
        Method::Scan => None,
        _ if shared.is_some() => shared,
        _ => {
            let relation = change::free_name(collection, &[&collection.table, column, "idx"]);
            change::run(&[statement(collection, &relation, &field, column, &plan)?]);
            Some(relation)
        }
    };
    if !plan.ignored.is_empty() {
        notice(format!(
            "index \"{name}\": {} does not know of {}",
            request.index_type,
            plan.ignored.join(", ")
        ));
    }
    change::record(
        "INSERT INTO kite.index (collection, index_name, column_name, request, relation_name)
         VALUES ($1, $2::text::name, $3::text::name, $4, $5::text::name)",
        &[
            change::table(collection.oid),
            text(&fit(name)),
            text(column),
            (pg_sys::JSONBOID, JsonB(Value::Object(asked)).into_datum()),
            (pg_sys::TEXTOID, relation.into_datum()),
        ],
    );
    Ok(())
}

/// What is kept of a request.
fn asked(request: &IndexRequest, name: &str, plan: &IndexPlan) -> Map<String, Value> {
    let mut asked = Map::new();
    asked.insert("field_name".into(), request.field.as_str().into());
    asked.insert("index_name".into(), name.into());
    asked.insert("index_type".into(), request.index_type.as_str().into());
    if let Some(metric) = plan.metric {
        asked.insert("metric_type".into(), metric.name().into());
    }
    asked.insert("params".into(), Value::Object(request.params.clone()));
    if let Some(note) = &plan.note {
        asked.insert("note".into(), note.as_str().into());
    }
    asked
}

/// What this server can build for the field.
fn available(request: &IndexRequest, field: &Field) -> Result<Available> {
    let inverted_file = match request.metric(field.data_type)? {
        None => None,
        Some(metric) => operator_class(field.data_type, metric).and_then(|class| {
            let found = change::ask_one(
                "SELECT a.amname::text FROM pg_am a JOIN pg_opclass c ON c.opcmethod = a.oid JOIN pg_namespace n ON n.oid = c.opcnamespace
                 WHERE a.amname IN ('ivf', 'ivfflat') AND c.opcname = $1::name AND n.nspname = $2::name ORDER BY 1 LIMIT 1",
                &[text(&class), text(&catalog::types_schema())],
            );
            found.map(|name| if name == "ivf" { InvertedFile::Ivf } else { InvertedFile::IvfFlat })
        }),
    };
    Ok(Available { inverted_file, trigrams: trigram_schema().is_some() })
}

fn trigram_schema() -> Option<String> {
    change::ask_one(
        "SELECT n.nspname::text FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_trgm'",
        &[],
    )
}

/// The operator class by which vectors of this type are compared so. There is none for matches of structures.
fn operator_class(data_type: DataType, metric: Metric) -> Option<String> {
    let kind = match data_type {
        DataType::Float16Vector | DataType::Int8Vector => "halfvec",
        DataType::SparseFloatVector => "sparsevec",
        DataType::BinaryVector => "bit",
        _ => "vector",
    };
    let metric = match metric {
        Metric::L2 => "l2",
        Metric::Ip => "ip",
        Metric::Cosine => "cosine",
        Metric::Hamming => "hamming",
        Metric::Jaccard => "jaccard",
        Metric::Substructure | Metric::Superstructure => return None,
    };
    Some(format!("{kind}_{metric}_ops"))
}

fn statement(
    collection: &Collection,
    relation: &str,
    field: &Field,
    column: &str,
    plan: &IndexPlan,
) -> Result<String> {
    let vector_class = || {
        let class = plan.metric.and_then(|metric| operator_class(field.data_type, metric));
        class.map(|class| qualified(&catalog::types_schema(), &class))
    };
    let (method, class) = match plan.method {
        Method::Hnsw => ("hnsw", vector_class()),
        Method::Ivf => ("ivf", vector_class()),
        Method::IvfFlat => ("ivfflat", vector_class()),
        Method::Hash => ("hash", None),
        Method::GinPaths => ("gin", Some("pg_catalog.jsonb_path_ops".to_owned())),
        Method::GinElements => ("gin", None),
        Method::GinTrigrams => ("gin", trigram_schema().map(|schema| qualified(&schema, "gin_trgm_ops"))),
        Method::Btree | Method::Scan => ("btree", None),
    };
    let options = plan.options.iter().map(|(name, value)| format!("{name} = {value}"));
    let options = options.collect::<Vec<_>>().join(", ");
    let options = if options.is_empty() { options } else { format!(" WITH ({options})") };
    let class = class.map_or_else(String::new, |class| format!(" {class}"));
    Ok(format!(
        "CREATE INDEX {} ON {} USING {method} ({}{class}){options}",
        ident(relation),
        whole(collection),
        ident(column),
    ))
}

fn drop(call: &Call) -> Result<()> {
    let collection = change::owned(&call.get::<String>(0).unwrap_or_default())?;
    let name: String = call.get(1).unwrap_or_default();
    let indexes = catalog::indexes(collection.oid);
    let Some(index) = indexes.iter().find(|index| index.name == name) else {
        notice(format!("index \"{name}\" does not exist, skipping"));
        return Ok(());
    };
    change::record(
        "DELETE FROM kite.index WHERE collection = $1 AND index_name = $2::text::name",
        &[change::table(collection.oid), text(&fit(&name))],
    );
    let Some(relation) = &index.relation else { return Ok(()) };
    let is_shared =
        indexes.iter().any(|other| other.name != name && other.relation.as_ref() == Some(relation));
    if !is_shared && catalog::relation(collection.namespace, relation).is_some() {
        change::run(&[format!("DROP INDEX {}", qualified(&collection.schema, relation))]);
    }
    Ok(())
}

fn describe(call: &Call) -> Result<JsonB> {
    let collection = cache::find(&call.get::<String>(0).unwrap_or_default())?;
    check_readable(collection.oid);
    let name: String = call.get(1).unwrap_or_default();
    let indexes = catalog::indexes(collection.oid);
    let index = indexes.iter().find(|index| index.name == name);
    let index =
        index.ok_or_else(|| Error::new(Code::IndexNotFound, format!("index not found[indexName={name}]")))?;
    Ok(JsonB(described(&collection, index)))
}

fn described(collection: &Collection, index: &Index) -> Value {
    let rows = catalog::class(collection.oid, |form| form.reltuples).filter(|rows| *rows >= 0.0);
    let rows = rows.map_or(Value::Null, |rows| (rows as i64).into());
    let mut described = json!({
        "index_name": index.name,
        "field_name": index.text("field_name"),
        "index_type": index.text("index_type"),
        "params": index.request.get("params").cloned().unwrap_or_else(|| json!({})),
        "state": "Finished",
        // An index of the server has every row of its table, so that only the table's estimate can be said.
        "total_rows": rows,
        "indexed_rows": rows,
        "pending_index_rows": 0,
    });
    if let Some(metric) = index.request.get("metric_type") {
        described["metric_type"] = metric.clone();
    }
    let mut built = json!({ "access_method": null });
    if let Some(relation) = &index.relation {
        let found = catalog::relation(collection.namespace, relation).map(|oid| {
            change::ask(
                "SELECT a.amname::text, pg_get_indexdef(c.oid), (i.indisvalid AND i.indisready)::text
                 FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid JOIN pg_am a ON a.oid = c.relam WHERE c.oid = $1",
                &[change::table(oid)],
            )
        });
        match found.into_iter().flatten().next().as_deref() {
            Some([method, definition, valid]) => {
                built = json!({
                    "access_method": method,
                    "relation": qualified(&collection.schema, relation),
                    "definition": definition,
                });
                if valid.as_deref() != Some("true") {
                    described["state"] = "Failed".into();
                    described["index_state_fail_reason"] = "the index is not valid".into();
                }
            }
            _ => {
                described["state"] = "Failed".into();
                described["index_state_fail_reason"] = "the index was dropped".into();
            }
        }
    }
    if let Some(note) = index.request.get("note") {
        built["note"] = note.clone();
    }
    described["built"] = built;
    described
}

fn list(call: &Call) -> Result<Datum> {
    let collection = cache::find(&call.get::<String>(0).unwrap_or_default())?;
    check_readable(collection.oid);
    let field: Option<String> = call.get(1);
    let mut indexes = catalog::indexes(collection.oid);
    indexes.retain(|index| field.as_deref().is_none_or(|field| index.text("field_name") == field));
    let mut names: Vec<String> = indexes.into_iter().map(|index| index.name).collect();
    names.sort_unstable();
    rows::answer(call, names.into_iter().map(|name| [name.into_datum()]));
    Ok(Datum::null())
}
