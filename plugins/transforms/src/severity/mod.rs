//! The transform `severity`: how bad an event is by what it says of itself, from 0 to 100.

mod options;
mod scorer;
mod words;

use lograil_event::{Batch, Field, FieldFlags, Span, Tag};
use lograil_plugin::spec::{no_claims, no_ports, schema_of};
use lograil_plugin::{
    Build, ComponentSpec, ConfigError, ConfigErrors, Outputs, Threading, Transform,
    TransformContext, TransformError,
};

use options::ClassOptions;
pub(crate) use options::SeverityOptions;
use scorer::Scorer;

/// The component type.
pub const SPEC: ComponentSpec = ComponentSpec {
    name: "severity",
    summary: "Says how bad an event is, from 0 to 100, by its level, words, status, duration and error code.",
    manual: include_str!("README.md"),
    schema: schema_of::<SeverityOptions>,
    ports: no_ports,
    claims: no_claims,
    threading: Threading::Async,
    build: Build::Transform(&|options| Ok(Box::new(Severity::new(&options.parse()?)?))),
};

/// The classes, from the least.
const CLASSES: [&str; 4] = ["LOW", "MEDIUM", "HIGH", "CRITICAL"];

/// Scores events and writes it into them.
pub(crate) struct Rater {
    scorer: Scorer,
    score_field: String,
    class_field: String,
    classes: ClassOptions,
    /// The scores of the events of the current batch.
    scores: Vec<f64>,
}

impl Rater {
    /// `None` with what is wrong in `errors`.
    pub(crate) fn new(options: &SeverityOptions, errors: &mut Vec<ConfigError>) -> Option<Self> {
        Some(Self {
            scorer: Scorer::new(options, errors)?,
            score_field: options.score_field.clone(),
            class_field: options.class_field.clone(),
            classes: options.classes.clone(),
            scores: Vec::new(),
        })
    }

    pub(crate) fn start(&mut self, context: &TransformContext) {
        self.scorer.start(context);
    }

    /// Adds score and class to all events of a batch.
    pub(crate) fn rate(&mut self, batch: &mut Batch) {
        if batch.is_empty() {
            return;
        }
        self.scores.clear();
        self.scorer.score(batch, &mut self.scores);
        let mut edit = batch.edit();
        let score_key = edit.key(&self.score_field);
        let class_key = (!self.class_field.is_empty()).then(|| edit.key(&self.class_field));
        // The names are written once a batch; the events share them.
        let mut names = [None::<Span>; CLASSES.len()];
        for (event, score) in self.scores.iter().enumerate() {
            let score = score.round();
            edit.set(event, Field::i64(score_key.0, score as i64));
            let Some(class_key) = class_key else { continue };
            let class = self.classes.of(score);
            let name =
                *names[class].get_or_insert_with(|| edit.push_text(CLASSES[class].as_bytes()));
            edit.set(event, Field::text(class_key.0, Tag::Str, name, FieldFlags::CLEAN));
        }
    }
}

impl ClassOptions {
    /// The place in [`CLASSES`] of a score.
    fn of(&self, score: f64) -> usize {
        [self.medium, self.high, self.critical].iter().filter(|least| score >= **least).count()
    }
}

struct Severity(Rater);

impl Severity {
    fn new(options: &SeverityOptions) -> Result<Self, ConfigErrors> {
        let mut errors = Vec::new();
        if options.score_field.is_empty() {
            let error = ConfigError::new(["score_field"], "the score has no field");
            errors.push(error.help("write a name, such as `severity`"));
        }
        match Rater::new(options, &mut errors).filter(|_| errors.is_empty()) {
            Some(rater) => Ok(Self(rater)),
            None => Err(ConfigErrors(errors)),
        }
    }
}

impl Transform for Severity {
    fn start(&mut self, context: TransformContext) -> Result<(), TransformError> {
        self.0.start(&context);
        Ok(())
    }

    fn process(&mut self, mut batch: Batch, out: &mut Outputs) {
        self.0.rate(&mut batch);
        out.emit(batch);
    }
}

#[cfg(test)]
mod tests;
