//! Makes the OpenAPI document from the table of routes and the types, and holds the committed file to it.
//!
//! After a change: `ROOKERY_WRITE_OPENAPI=1 cargo test -p rookery-node openapi` writes the file anew.

use std::collections::{BTreeMap, BTreeSet};

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::api::{self, NODE_HEADER};
use super::routes::{Answered, DOCUMENT, Route, routes};

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/admin/openapi.json");

fn generator() -> SchemaGenerator {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    settings.into_generator()
}

/// Every type that a route names, by name.
fn schemas() -> Map<String, Value> {
    let mut generator = generator();
    macro_rules! all {
        ($($name:ident)*) => {
            $({
                generator.subschema_for::<api::$name>();
            })*
        };
    }
    all! {
        Failure Done Status Drain DrainRequest LogLevel Nodes Slots ViewChanged Weight Draining RebalanceRequest Rebalanced
        Where Sessions Connections Page ConnectionsQuery Kick Kicked Users UserShown AddUser Suspend Standing Devices TokenRequest
        TokenMade Inbox Peek Group GroupWhere GroupMembers Channels ChannelShown Followers Bans AddBan BanAdded Reports ReportsQuery ReportShown BackupRequest BackupLine CheckLine TraceQuery TraceLine
    }
    generator.take_definitions(true).into_iter().collect()
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// `{name}` in a path.
fn path_parameters(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

fn operation(route: &Route, schemas: &Map<String, Value>) -> Value {
    let described = |name: &str| match name {
        "user" => "a handle, or `id:` and the user's number",
        "device" => "the device's name, or `id:` and its number",
        "group" => "the group's number, or `g:` and its number",
        "node" => "the node's name",
        "report" => "the report's id, 24 hexadecimal digits",
        "network" => "an address, or a network with its slash written as %2F",
        other => panic!("nothing is said of {{{other}}}"),
    };
    let mut parameters: Vec<Value> = path_parameters(route.path)
        .map(|name| {
            let schema = json!({ "type": "string" });
            json!({ "name": name, "in": "path", "required": true, "description": described(name), "schema": schema })
        })
        .collect();
    if let Some(query) = route.query {
        for (name, schema) in schemas[query]["properties"].as_object().expect("queries are objects") {
            parameters.push(json!({ "name": name, "in": "query", "required": false, "schema": schema }));
        }
    }
    let content = match route.answer {
        Answered::Json(name) => json!({ "application/json": { "schema": reference(name) } }),
        Answered::Lines(name) => json!({ "application/x-ndjson": { "schema": reference(name) } }),
        Answered::Text => json!({ "text/plain": { "schema": { "type": "string" } } }),
        Answered::Document => json!({ "application/json": { "schema": { "type": "object" } } }),
    };
    parameters.push(json!({ "$ref": format!("#/components/parameters/{NODE_HEADER}") }));
    let mut operation = json!({
        "summary": route.summary,
        "parameters": parameters,
        "responses": {
            "200": { "description": "done", "content": content },
            "default": {
                "description": "not done",
                "content": { "application/json": { "schema": reference("Failure") } },
            },
        },
    });
    if let Some(body) = route.body {
        operation["requestBody"] =
            json!({ "content": { "application/json": { "schema": reference(body) } } });
    }
    operation
}

fn document() -> Value {
    let schemas = schemas();
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for route in routes() {
        let method = route.method.as_str().to_ascii_lowercase();
        let before = paths.entry(route.path).or_default().insert(method, operation(&route, &schemas));
        assert!(before.is_none(), "{} {} is there twice", route.method, route.path);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Rookery admin API",
            "version": "1",
            "description": "Each node answers for itself and for the store. Fields are only ever added.",
        },
        "security": [{ "token": [] }],
        "paths": paths,
        "components": {
            "parameters": {
                NODE_HEADER: {
                    "name": NODE_HEADER,
                    "in": "header",
                    "required": false,
                    "description": "The name of the node that is meant. Another one does nothing and answers `wrong_node`.",
                    "schema": { "type": "string" },
                },
            },
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
            "schemas": schemas,
        },
    })
}

#[test]
fn the_committed_document_is_what_the_routes_and_types_say() {
    let made = format!("{:#}\n", document());
    if std::env::var_os("ROOKERY_WRITE_OPENAPI").is_some() {
        std::fs::write(PATH, &made).unwrap();
        return;
    }
    assert!(made == DOCUMENT, "openapi.json is not what routes and types say; see the head of openapi.rs");
}

#[test]
fn every_name_in_the_document_leads_to_a_schema_and_every_schema_is_used() {
    let document: Value = serde_json::from_str(DOCUMENT).unwrap();
    let mut named = BTreeSet::new();
    fn collect(value: &Value, named: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                if let Some(Value::String(reference)) = fields.get("$ref") {
                    match reference.strip_prefix("#/components/schemas/") {
                        Some(name) => drop(named.insert(name.to_owned())),
                        None => assert_eq!(*reference, format!("#/components/parameters/{NODE_HEADER}")),
                    }
                }
                fields.values().for_each(|value| collect(value, named));
            }
            Value::Array(values) => values.iter().for_each(|value| collect(value, named)),
            _ => {}
        }
    }
    collect(&document, &mut named);
    let schemas = document["components"]["schemas"].as_object().unwrap();
    // Those of queries are written out as parameters.
    named.extend(routes().iter().filter_map(|route| route.query).map(str::to_owned));
    assert_eq!(named, schemas.keys().cloned().collect());
}

#[test]
fn everything_in_the_document_is_described() {
    for (name, schema) in schemas() {
        assert!(schema.get("description").is_some(), "{name}");
        for (field, schema) in schema["properties"].as_object().into_iter().flatten() {
            assert!(schema.get("description").is_some(), "{name}.{field}");
        }
    }
    assert!(String::schema_name() == "string");
}
