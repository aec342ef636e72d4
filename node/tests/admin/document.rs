//! Answers held to the OpenAPI document: as much of JSON Schema as it uses, and strict, so that a field which the document
//! does not have is an error.

use serde_json::{Map, Value};

/// The document, and which of its operations have been asked.
pub(crate) struct Document {
    root: Value,
}

impl Document {
    pub(crate) fn new(root: Value) -> Self {
        Self { root }
    }

    /// Every operation, as method and path.
    pub(crate) fn operations(&self) -> Vec<(String, String)> {
        let paths = self.root["paths"].as_object().unwrap();
        let of_path = |(path, operations): (&String, &Value)| {
            let methods: Vec<_> =
                operations.as_object().unwrap().keys().map(|it| it.to_uppercase()).collect();
            methods.into_iter().map(|method| (method, path.clone())).collect::<Vec<_>>()
        };
        paths.iter().flat_map(of_path).collect()
    }

    /// Checks what an operation answered when it was done.
    pub(crate) fn check(&self, method: &str, path: &str, answer: &Value) {
        let operation = &self.root["paths"][path][method.to_ascii_lowercase()];
        assert!(operation.is_object(), "{method} {path} is not in the document");
        let content = operation["responses"]["200"]["content"].as_object().unwrap();
        let schema = &content.values().next().unwrap()["schema"];
        if let Err(error) = self.fits(schema, answer) {
            panic!("{method} {path}: {error}: {answer:#}");
        }
    }

    /// Checks a failure.
    pub(crate) fn check_failure(&self, answer: &Value) {
        let schema = &self.root["components"]["schemas"]["Failure"];
        self.fits(schema, answer).unwrap_or_else(|error| panic!("{error}: {answer:#}"));
    }

    fn fits(&self, schema: &Value, value: &Value) -> Result<(), String> {
        let Value::Object(schema) = schema else { panic!("no schema: {schema}") };
        if let Some(reference) = schema.get("$ref") {
            let path = reference.as_str().unwrap().strip_prefix('#').unwrap();
            return self.fits(self.root.pointer(path).unwrap(), value);
        }
        for word in ["oneOf", "anyOf"] {
            if let Some(choices) = schema.get(word) {
                let outcomes: Vec<_> =
                    choices.as_array().unwrap().iter().map(|schema| self.fits(schema, value)).collect();
                if !outcomes.iter().any(Result::is_ok) {
                    return Err(format!("none of {word} fits: {outcomes:?}"));
                }
            }
        }
        if let Some(only) = schema.get("const")
            && only != value
        {
            return Err(format!("{value} is not {only}"));
        }
        if let Some(allowed) = schema.get("enum")
            && !allowed.as_array().unwrap().contains(value)
        {
            return Err(format!("{value} is none of {allowed}"));
        }
        if let Some(minimum) = schema.get("minimum")
            && value.as_f64().is_some_and(|number| number < minimum.as_f64().unwrap())
        {
            return Err(format!("{value} is below {minimum}"));
        }
        match schema.get("type") {
            None => {}
            Some(Value::String(kind)) if is_of(kind, value) => {}
            Some(Value::Array(kinds)) if kinds.iter().any(|kind| is_of(kind.as_str().unwrap(), value)) => {}
            Some(kind) => return Err(format!("{value} is no {kind}")),
        }
        if let (Some(items), Some(values)) = (schema.get("items"), value.as_array()) {
            values.iter().try_for_each(|value| self.fits(items, value))?;
        }
        match (schema.get("properties"), value.as_object()) {
            (Some(Value::Object(properties)), Some(fields)) => self.fields_fit(schema, properties, fields),
            _ => Ok(()),
        }
    }

    fn fields_fit(
        &self,
        schema: &Map<String, Value>,
        properties: &Map<String, Value>,
        fields: &Map<String, Value>,
    ) -> Result<(), String> {
        for required in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
            if !fields.contains_key(required.as_str().unwrap()) {
                return Err(format!("{required} is missing"));
            }
        }
        for (name, value) in fields {
            let schema = properties.get(name).ok_or_else(|| format!("{name} is not in the document"))?;
            self.fits(schema, value).map_err(|error| format!("{name}: {error}"))?;
        }
        Ok(())
    }
}

fn is_of(kind: &str, value: &Value) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("the document has a type {other}"),
    }
}

#[test]
fn the_check_bites() {
    let schemas = serde_json::json!({ "components": { "schemas": { "Failure": {
        "type": "object", "properties": { "code": { "enum": ["a"] }, "n": { "type": ["integer", "null"] } },
        "required": ["code"],
    } } } });
    let document = Document::new(schemas);
    let fits = |text: &str| {
        let value = serde_json::from_str(text).unwrap();
        document.fits(&document.root["components"]["schemas"]["Failure"], &value).is_ok()
    };
    assert!(fits(r#"{"code": "a"}"#) && fits(r#"{"code": "a", "n": null}"#));
    for wrong in
        [r#"{}"#, r#"{"code": "b"}"#, r#"{"code": "a", "n": "1"}"#, r#"{"code": "a", "more": 1}"#, "1"]
    {
        assert!(!fits(wrong), "{wrong}");
    }
}
