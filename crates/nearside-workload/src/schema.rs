//! The JSON Schema of the project file, for editors.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::project_file::ProjectFile;

/// The JSON Schema of `nearside.toml`, always the same for one build.
#[must_use]
pub fn schema() -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<ProjectFile>().to_value();
    without_null(&mut schema);
    schema
}

/// TOML has no null: an optional key is left out instead.
fn without_null(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if let Some(Value::Array(types)) = object.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    object.insert("type".to_owned(), only);
                }
            }
            if object.get("default").is_some_and(Value::is_null) {
                object.remove("default");
            }
            if let Some(Value::Array(choices)) = object.get_mut("anyOf") {
                choices.retain(|choice| choice.get("type").is_none_or(|name| name != "null"));
                if let [only] = choices.as_slice() {
                    let only = only.clone();
                    object.remove("anyOf");
                    object.extend(only.as_object().cloned().unwrap_or_default());
                }
            }
            object.values_mut().for_each(without_null);
        }
        Value::Array(values) => values.iter_mut().for_each(without_null),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_is_stable_and_has_no_null() {
        let text = schema().to_string();
        assert_eq!(text, schema().to_string());
        assert!(!text.contains("null"), "{text}");
        assert!(text.contains("\"phase\"") && text.contains("core_seconds_per_gb"));
    }

    #[test]
    fn what_must_be_there_is_required() {
        let schema = schema();
        assert_eq!(schema["required"], serde_json::json!(["version"]));
        assert_eq!(schema["properties"]["version"]["const"], 1);
        assert_eq!(schema["$defs"]["DatasetTable"]["required"], serde_json::json!(["path"]));
        assert_eq!(schema["additionalProperties"], false);
    }
}
