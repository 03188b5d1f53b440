//! The JSON Schemas of a source, compiled once for each version of its document.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use catalog::Registered;
use jsonschema::Validator;
use model::document::Pixel;
use serde_json::Value;
use serde_json::value::RawValue;

/// The schemas of one version of a document, by the name of the event.
type Compiled = Arc<HashMap<String, Result<Validator, String>>>;

/// Compiled schemas, by source.
#[derive(Default)]
pub struct Schemas(Mutex<HashMap<String, (u64, Compiled)>>);

impl Schemas {
    /// What is wrong with an event by the schema of its name; nothing when it has
    /// none.
    pub fn problem(
        &self,
        source: &Registered,
        pixel: &Pixel,
        name: &str,
        event: &RawValue,
    ) -> Option<String> {
        if !pixel.schemas.contains_key(name) {
            return None;
        }
        let compiled = self.compiled(source, pixel);
        match compiled.get(name)? {
            Err(reason) => Some(format!("the schema of `{name}` cannot be used: {reason}")),
            Ok(validator) => {
                let event: Value = serde_json::from_str(event.get()).ok()?;
                let error = validator.iter_errors(&event).next()?;
                let place = error.instance_path().to_string();
                let place = if place.is_empty() { "the event".to_owned() } else { place };
                Some(format!("by the schema of `{name}`: {place}: {error}"))
            }
        }
    }

    fn compiled(&self, source: &Registered, pixel: &Pixel) -> Compiled {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let name = &source.document.source;
        match all.get(name) {
            Some((version, compiled)) if *version == source.config_version => compiled.clone(),
            _ => {
                let compile = |(name, schema): (&String, &Value)| {
                    (
                        name.clone(),
                        jsonschema::validator_for(schema).map_err(|error| error.to_string()),
                    )
                };
                let compiled: Compiled = Arc::new(pixel.schemas.iter().map(compile).collect());
                all.insert(name.clone(), (source.config_version, compiled.clone()));
                compiled
            }
        }
    }
}
