use super::*;
use proptest::prelude::*;

fn own() -> Value {
    json!({"auto_id": true, "enable_dynamic_field": true, "fields": [
        {"name": "id", "data_type": "INT64", "is_primary": true},
        {"name": "v", "data_type": "FLOAT_VECTOR", "dim": 384},
        {"name": "t", "data_type": "VARCHAR", "max_length": 512, "nullable": true, "default_value": ""},
        {"name": "a", "data_type": "ARRAY", "element_type": "INT8", "max_capacity": 4}]})
}

#[test]
fn three_spellings_mean_the_same() {
    let to_dict = json!({"auto_id": true, "description": "", "enable_dynamic_field": true, "functions": [], "fields": [
        {"name": "id", "description": "", "type": 5, "params": {}, "is_primary": true, "auto_id": true},
        {"name": "v", "description": "", "type": 101, "params": {"dim": 384}},
        {"name": "t", "type": 21, "params": {"max_length": 512}, "nullable": true, "default_value": {"string_data": ""}},
        {"name": "a", "type": 22, "params": {"max_capacity": 4}, "element_type": 2}]});
    let rest = json!({"autoId": "true", "enabledDynamicField": true, "fields": [
        {"fieldName": "id", "dataType": "Int64", "isPrimary": true},
        {"fieldName": "v", "dataType": "FloatVector", "elementTypeParams": {"dim": "384"}},
        {"fieldName": "t", "dataType": "VarChar", "elementTypeParams": {"max_length": 512}, "nullable": true, "defaultValue": ""},
        {"fieldName": "a", "dataType": "Array", "elementDataType": "Int8", "elementTypeParams": {"max_capacity": "4"}}]});
    let expected = Definition::read(&own()).expect("own");
    assert_eq!(Definition::read(&to_dict).as_ref(), Ok(&expected));
    assert_eq!(Definition::read(&rest).as_ref(), Ok(&expected));
    assert_eq!(Definition::read(&expected.to_json()).as_ref(), Ok(&expected));
    // And what `describe_collection` adds.
    let mut described = expected.to_json();
    for (key, value) in [("type", json!(5)), ("field_id", json!(100)), ("column", json!("id"))] {
        described["fields"][0][key] = value;
    }
    assert_eq!(Definition::read(&described).as_ref(), Ok(&expected));
    assert!(expected.fields[0].auto_id && expected.fields[3].element_type == Some(DataType::Int8));
}

/// A schema of a key, a vector and this field.
fn with(field: &Value) -> Value {
    json!({"fields": [{"name": "id", "data_type": "INT64", "is_primary": true},
                      {"name": "v", "data_type": "FLOAT_VECTOR", "dim": 2}, field]})
}

#[test]
fn what_is_not_allowed_is_said() {
    let cases = [
        (json!({"name": "x"}), 1101, "field x has no data_type"),
        (json!({"name": "id", "data_type": 5}), 1100, "duplicated field name id found"),
        (
            json!({"name": "x", "data_type": 5, "is_primary": true}),
            105,
            "there are more than one primary key, field name = id, x",
        ),
        (
            json!({"name": "x", "data_type": 101}),
            1100,
            "dimension is not defined in field type params of field x, check type param `dim` for vector field",
        ),
        (
            json!({"name": "x", "data_type": 101, "dim": 1}),
            1100,
            "invalid dimension: 1 of field x. should be in range 2 ~ 16000",
        ),
        (
            json!({"name": "x", "data_type": 101, "dim": -1}),
            1100,
            "dim of field x should be a whole number within its range, not -1",
        ),
        (
            json!({"name": "x", "data_type": 100, "dim": 12}),
            1100,
            "invalid dimension: 12 of field x. binary vector dimension should be multiple of 8.",
        ),
        (
            json!({"name": "x", "data_type": 21}),
            1101,
            "type param(max_length) should be specified for the field(x)",
        ),
        (
            json!({"name": "x", "data_type": 21, "max_length": 65536}),
            1100,
            "the maximum length specified for the field(x) should be in (0, 65535], but got 65536 instead",
        ),
        (
            json!({"name": "x", "data_type": 22, "max_capacity": 1}),
            1101,
            "element data type should be specified for the field(x)",
        ),
        (
            json!({"name": "x", "data_type": 22, "element_type": 23, "max_capacity": 1}),
            1100,
            "element type JSON of the field(x) is not supported",
        ),
        (
            json!({"name": "x", "data_type": 22, "element_type": 5, "max_capacity": 4097}),
            1100,
            "the maximum capacity specified for a Array should be in (0, 4096], but got 4097 for the field(x)",
        ),
        (
            json!({"name": "x", "data_type": 5, "auto_id": true}),
            1100,
            "only primary key can be with AutoID enabled: field x",
        ),
        (
            json!({"name": "x", "data_type": 11, "is_partition_key": true}),
            1100,
            "the data type of partition key should be Int64 or VarChar",
        ),
        (
            json!({"name": "x", "data_type": 23, "default_value": 1}),
            1100,
            "type (JSON) not support default_value: field x",
        ),
        (
            json!({"name": "x", "data_type": 2, "default_value": 128}),
            1100,
            "type (Int8) of field (x) does not match default_value 128",
        ),
        (
            json!({"name": "x", "data_type": 10, "default_value": 1e39}),
            1100,
            "type (Float) of field (x) does not match default_value 1e+39",
        ),
        (
            json!({"name": "x", "data_type": 21, "max_length": 1, "default_value": "ab"}),
            1100,
            "the length (2) of string exceeds max length (1): default_value of field x",
        ),
        (json!({"name": "x", "data_type": 5, "nulable": true}), 1100, "field x has no key \"nulable\""),
        (
            json!({"name": "$meta", "data_type": 5}),
            1701,
            "Invalid field name: $meta. The first character of a field name must be an underscore or letter.",
        ),
        (json!(1), 1100, "a field of the schema should be a JSON object, not 1"),
    ];
    for (field, code, message) in cases {
        let error = Definition::read(&with(&field)).expect_err(message);
        assert_eq!((error.code.number(), error.message.as_str()), (code, message), "{field}");
    }
}

#[test]
fn limits_hold() {
    let many = |kind: i64, count: usize| {
        let fields = (0..count).map(|n| json!({"name": format!("f{n}"), "type": kind, "dim": 8}));
        let mut fields: Vec<Value> = fields.collect();
        fields.push(json!({"name": "id", "type": 5, "is_primary": true}));
        Definition::read(&json!({"fields": fields}))
    };
    assert!(many(101, 10).is_ok());
    assert_eq!(
        many(101, 11).expect_err("eleven").message,
        "maximum vector field's number should be limited to 10"
    );
    assert_eq!(many(101, 256).expect_err("257").message, "maximum field's number should be limited to 256");
    assert_eq!(many(101, 0).expect_err("none").message, "schema does not contain vector field");
    assert_eq!(
        Definition::read(&json!({"fields": []})).expect_err("nothing").message,
        "primary key is not specified"
    );
}

#[test]
fn rows_are_divided_as_asked() {
    let mut plain = Definition::read(&own()).expect("own");
    let set = |definition: &mut Definition, properties: Value| {
        let properties = properties.as_object().cloned().unwrap_or_default();
        definition.set_properties(&properties).map(|()| definition.partitioning)
    };
    assert_eq!(set(&mut plain, json!({"collection.ttl.seconds": 60})), Ok(Partitioning::Column));
    assert_eq!(set(&mut plain, json!({"partitioning": "list"})), Ok(Partitioning::List));
    assert!(set(&mut plain, json!({"partitioning": "hash"})).is_err());
    assert!(set(&mut plain, json!({"collection.ttl.seconds": -1})).is_err());
    assert!(set(&mut plain, json!({"num_partitions": 4})).is_err());
    let key = with(&json!({"name": "k", "data_type": 21, "max_length": 9, "is_partition_key": true}));
    let mut keyed = Definition::read(&key).expect("keyed");
    assert_eq!(set(&mut keyed, json!({})), Ok(Partitioning::Hash(16)));
    assert_eq!(set(&mut keyed, json!({"num_partitions": "4"})), Ok(Partitioning::Hash(4)));
    assert_eq!(keyed.first_partitions().len(), 4);
    assert!(set(&mut keyed, json!({"num_partitions": 1025})).is_err());
    assert!(set(&mut keyed, json!({"partitioning": "list"})).is_err());
}

#[test]
fn the_quick_form_is_a_key_and_a_vector() {
    let form = QuickForm {
        dimension: 768,
        primary_field: "id",
        id_type: "string",
        max_length: None,
        vector_field: "vector",
        auto_id: false,
    };
    let definition = Definition::quick(&form).expect("quick");
    assert!(definition.is_dynamic && definition.fields.len() == 2);
    assert_eq!(definition.fields[0].max_length, Some(65_535));
    assert!(Definition::quick(&QuickForm { dimension: 0, ..form }).is_err());
    assert!(Definition::quick(&QuickForm { id_type: "uuid", ..form }).is_err());
    assert!(Definition::quick(&QuickForm { vector_field: "id", ..form }).is_err());
}

/// JSON of any shape, with the keys that mean something among others.
fn noise() -> impl Strategy<Value = Value> {
    let keys =
        "(name|type|data_type|dim|params|max_length|fields|fieldName|default_value|element_type|[a-z]{0,3})";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0i64..110).prop_map(Value::from),
        "\\PC{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map(keys, inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

#[test]
fn requests_for_indexes_are_read() {
    let own = json!({"field_name": "v", "index_type": "hnsw", "metric_type": "L2", "params": {"M": 16, "efConstruction": 200}});
    let flat =
        json!([{"fieldName": "v", "indexType": "HNSW", "metricType": "L2", "M": 16, "efConstruction": 200}]);
    let read = crate::IndexRequest::read_all(&own).expect("own");
    assert_eq!(crate::IndexRequest::read_all(&flat).as_ref(), Ok(&read));
    assert_eq!((read[0].index_type.as_str(), read[0].params.len()), ("HNSW", 2));
    let bare = crate::IndexRequest::read_all(&json!({"field_name": "v"})).expect("bare");
    assert_eq!((bare[0].index_type.as_str(), &bare[0].metric_type), ("AUTOINDEX", &None));
    assert!(crate::IndexRequest::read_all(&json!({"index_type": "HNSW"})).is_err());
}

proptest! {
    #[test]
    fn noise_is_refused_or_comes_back(value in noise(), fields in proptest::collection::vec(noise(), 0..4)) {
        let _ = crate::IndexRequest::read_all(&value);
        for schema in [value, json!({"fields": fields})] {
            if let Ok(definition) = Definition::read(&schema) {
                prop_assert_eq!(Definition::read(&definition.to_json()), Ok(definition));
            }
        }
    }
}
