//! The catalogs of schema `kite`, written. Who may do so is decided before, by ownership of the collection's table.

use super::access::as_owner;
use super::spi;
use kite_schema::{Definition, Partitioning, fit};
use pgrx::pg_sys::{self, Oid};
use pgrx::{IntoDatum, JsonB};
use serde_json::Value;

const TEXT: Oid = pg_sys::TEXTOID;
const TABLE: Oid = pg_sys::REGCLASSOID;

/// Registers a table as a collection. `tables` are those of its partitions, in the order of
/// [`Definition::first_partitions`], where there are any.
pub(super) fn collection(
    table: Oid,
    name: &str,
    definition: &Definition,
    consistency_level: &str,
    tables: &[Option<Oid>],
) {
    let partitions = match definition.partitioning {
        Partitioning::Hash(number) => i32::try_from(number).ok(),
        _ => None,
    };
    let long_name = (fit(name) != name).then(|| name.to_owned());
    as_owner(|| {
        spi::connect(|spi| {
            spi.write(
                "INSERT INTO kite.collection (collection, long_name, description, is_dynamic, partitioning, num_partitions,
                     consistency_level, properties)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                &[
                    (TABLE, table.into_datum()),
                    (TEXT, long_name.into_datum()),
                    (TEXT, definition.description.as_str().into_datum()),
                    (pg_sys::BOOLOID, definition.is_dynamic.into_datum()),
                    (TEXT, definition.partitioning.name().into_datum()),
                    (pg_sys::INT4OID, partitions.into_datum()),
                    (TEXT, consistency_level.into_datum()),
                    (pg_sys::JSONBOID, JsonB(Value::Object(definition.properties.clone())).into_datum()),
                ],
            );
            for (position, field) in (0_i16..).zip(&definition.fields) {
                spi.write(
                    "INSERT INTO kite.field (collection, column_name, position, definition) VALUES ($1, $2::text::name, $3, $4::text::json)",
                    &[
                        (TABLE, table.into_datum()),
                        (TEXT, fit(&field.name).into_datum()),
                        (pg_sys::INT2OID, position.into_datum()),
                        (TEXT, field.to_json().to_string().into_datum()),
                    ],
                );
            }
            for (place, partition) in definition.first_partitions().into_iter().enumerate() {
                spi.write(
                    "INSERT INTO kite.partition (collection, partition, partition_table) VALUES ($1, $2, $3)",
                    &[
                        (TABLE, table.into_datum()),
                        (TEXT, partition.into_datum()),
                        (TABLE, tables.get(place).copied().flatten().into_datum()),
                    ],
                );
            }
        });
    });
}

/// Forgets a table that is gone.
pub(super) fn forget(table: Oid) {
    as_owner(|| {
        spi::connect(|spi| {
            for statement in [
                "DELETE FROM kite.collection WHERE collection = $1",
                "DELETE FROM kite.field WHERE collection = $1",
                "DELETE FROM kite.partition WHERE collection = $1",
                "DELETE FROM kite.alias WHERE collection = $1",
                "DELETE FROM kite.index WHERE collection = $1",
            ] {
                spi.write(statement, &[(TABLE, table.into_datum())]);
            }
        });
    });
}

/// Writes down the name of a renamed collection, where an identifier is too short for it.
pub(super) fn rename(table: Oid, name: &str) {
    let long_name = (fit(name) != name).then(|| name.to_owned());
    as_owner(|| {
        spi::connect(|spi| {
            let parameters = [(TABLE, table.into_datum()), (TEXT, long_name.into_datum())];
            spi.write("UPDATE kite.collection SET long_name = $2 WHERE collection = $1", &parameters);
        });
    });
}
