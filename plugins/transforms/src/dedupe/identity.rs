//! What makes two events the same: a 128-bit hash over fields.

use lograil_event::{Batch, EventRef, Key};
use lograil_plugin::ConfigError;

use crate::event_key::{KeyHasher, append_text, append_value};
use crate::field_path::FieldPath;

/// Which fields count, and their hash.
pub(super) struct Identity {
    fields: Fields,
    hasher: KeyHasher,
    scratch: Vec<u8>,
    /// The keys of the fields in the current batch.
    keys: Vec<Option<Key>>,
}

enum Fields {
    Only(Vec<FieldPath>),
    /// All but these names.
    AllBut(Vec<FieldPath>),
}

impl Identity {
    /// `None` with what is wrong in `errors`.
    pub(super) fn new(
        matched: Option<&[String]>,
        ignored: Option<&[String]>,
        errors: &mut Vec<ConfigError>,
    ) -> Option<Self> {
        let before = errors.len();
        let fields = match (matched, ignored) {
            (Some(_), Some(_)) => {
                let error =
                    ConfigError::new(["fields", "ignore"], "both `match` and `ignore` are given");
                errors.push(error.help("keep one of them"));
                return None;
            }
            (Some([]), None) => {
                let error = ConfigError::new(["fields", "match"], "no field is named");
                errors.push(error.help("name one, or leave `fields` out: then all fields count"));
                return None;
            }
            (Some(names), None) => Fields::Only(paths("match", names, errors)),
            (None, ignored) => {
                let paths = paths("ignore", ignored.unwrap_or_default(), errors);
                for (at, _) in paths.iter().enumerate().filter(|(_, path)| !path.is_whole_field()) {
                    let path = ["fields", "ignore", &*at.to_string()];
                    let error = ConfigError::new(path, "a part of a field cannot be ignored");
                    errors.push(
                        error.help("ignore the whole field, or list with `match` what counts"),
                    );
                }
                Fields::AllBut(paths)
            }
        };
        let identity =
            Self { fields, hasher: KeyHasher::new(), scratch: Vec::new(), keys: Vec::new() };
        (errors.len() == before).then_some(identity)
    }

    /// The key of the hash: a secret.
    pub(super) fn hash_key(&self) -> u128 {
        self.hasher.key()
    }

    /// Hashes from now on as with this key.
    pub(super) fn set_hash_key(&mut self, key: u128) {
        self.hasher = KeyHasher::with_key(key);
    }

    /// Resolves names to the keys of a batch, once for all its events.
    pub(super) fn bind(&mut self, batch: &Batch) {
        let (Fields::Only(paths) | Fields::AllBut(paths)) = &self.fields;
        self.keys.clear();
        self.keys.extend(paths.iter().map(|path| path.key(batch)));
    }

    /// The hash of an event of the batch; `None` if it has none of the fields that count.
    pub(super) fn hash(&mut self, event: EventRef<'_>) -> Option<u128> {
        match &self.fields {
            Fields::Only(paths) => {
                let mut has_any = false;
                self.hasher.form.clear();
                for (path, key) in paths.iter().zip(&self.keys) {
                    let value = path.get(event, *key, &mut self.scratch);
                    has_any |= value.is_some();
                    append_value(value, &mut self.hasher.form);
                }
                has_any.then(|| self.hasher.hash())
            }
            Fields::AllBut(_) => {
                // The sum does not depend on the order of the fields. As each part has a name of its own and
                // is a keyed hash, sums are as hard to make equal as the parts.
                let mut sum: Option<u128> = None;
                for field in event.fields() {
                    let key = Key(field.key);
                    if self.keys.contains(&Some(key)) {
                        continue;
                    }
                    let batch = event.batch();
                    self.hasher.form.clear();
                    append_text(b'k', batch.keys().name(key).as_bytes(), &mut self.hasher.form);
                    append_value(Some(batch.value(field)), &mut self.hasher.form);
                    sum = Some(sum.unwrap_or(0).wrapping_add(self.hasher.hash()));
                }
                sum
            }
        }
    }
}

fn paths(option: &str, names: &[String], errors: &mut Vec<ConfigError>) -> Vec<FieldPath> {
    let parse = |(at, name): (usize, &String)| {
        let at = at.to_string();
        FieldPath::parse(name, &["fields", option, &at]).map_err(|error| errors.push(error)).ok()
    };
    names.iter().enumerate().filter_map(parse).collect()
}
