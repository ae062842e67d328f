//! Telling the user that a component refuses events, where nobody reads them but the file of dead letters.
//!
//! **Invariant:** once a component, however many there are; the metrics count them.

use std::collections::HashSet;
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lograil_plugin::Port;
use lograil_runtime::{Observer, TopologyStatus};

use crate::dead_letters;

/// How often the counts are looked at.
const PERIOD: Duration = Duration::from_secs(1);

/// Which components were told of.
pub(crate) struct Refusals {
    file: PathBuf,
    told: HashSet<String>,
}

impl Refusals {
    /// For a topology whose dead letters go to `file`.
    pub(crate) fn kept_in(file: &Path) -> Self {
        Self { file: file.to_owned(), told: HashSet::new() }
    }

    /// Looks again and again.
    pub(crate) async fn watch(&mut self, observer: &Observer) -> Infallible {
        loop {
            tokio::time::sleep(PERIOD).await;
            self.tell(&observer.status());
        }
    }

    /// Tells of the components that have refused events by now.
    pub(crate) fn tell(&mut self, status: &TopologyStatus) {
        let mut components = status.components.iter();
        let Some(sink) = components.find(|component| component.id == dead_letters::ID) else {
            return;
        };
        for component in &status.components {
            let refused = component.ledger.dead_lettered;
            let port = format!("{}.{}", component.id, Port::DEAD_LETTER_NAME);
            if refused > 0 && sink.inputs.contains(&port) && self.told.insert(component.id.clone())
            {
                tracing::warn!(
                    component_id = component.id,
                    "events are refused, {refused} so far; they are kept in {} with the reason, further ones are only counted",
                    self.file.display()
                );
            }
        }
    }
}
