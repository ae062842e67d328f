//! Where batches can be put into what runs.

use std::sync::Arc;

use super::Assembly;
use crate::injection::{Entrance, Entrances};

impl Assembly {
    /// The entrances of all components of the plan, by id.
    pub fn entrances(&mut self) -> Entrances {
        let mut entrances = Entrances::new();
        for component in self.plan.components.clone() {
            let id = &component.id;
            if self.sources.contains_key(id) {
                let Some(outlet) = self.outlets.get(id).cloned() else { continue };
                let counts = self.counts(&component);
                let number = self.tracker.source(id);
                entrances.insert(id.clone(), Entrance::Output { outlet, counts, number });
            } else if let Some(edge) = self.edges.get(id).cloned() {
                entrances.insert(id.clone(), Entrance::Edge(edge));
            } else if let Some(chain) = self.chains.iter().find(|chain| chain.ids.contains(id)) {
                let id: Arc<str> = id.as_str().into();
                let door = chain.door.clone();
                entrances.insert(id.to_string(), Entrance::Door(id, door));
            }
        }
        entrances
    }
}
