//! What is known of types at one point of a program: of variables, and of paths that were assigned to.

use lograil_event::json_text::PathStep;

use crate::kind::Kind;

/// A place whose type can be known: a path of the event, or of the variable in a slot.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Place {
    pub slot: Option<usize>,
    pub steps: Vec<PathStep>,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct State {
    known: Vec<(Place, Kind)>,
}

/// Places that are kept track of; of more, nothing is known.
const KNOWN_MAX: usize = 500;

impl Place {
    /// Whether it is the event itself: an object, until something else is assigned to it.
    fn is_event(&self) -> bool {
        self.slot.is_none() && self.steps.is_empty()
    }

    /// The place that stands for all items of an array.
    fn items(&self) -> Self {
        let mut steps = self.steps.clone();
        steps.push(PathStep::Index(i64::MIN));
        Self { slot: self.slot, steps }
    }

    fn covers(&self, other: &Self) -> bool {
        self.slot == other.slot && other.steps.starts_with(&self.steps)
    }
}

impl State {
    /// The types a place can have.
    pub(super) fn kind(&self, place: &Place) -> Kind {
        if let Some((PathStep::Index(_), array)) = place.steps.split_last() {
            let array = Place { slot: place.slot, steps: array.to_vec() };
            let of_any = if place.slot.is_some() { Kind::ANY | Kind::REGEX } else { Kind::ANY };
            return self.items(&array).map_or(of_any, |kind| kind | Kind::NULL);
        }
        if let Some((_, kind)) = self.known.iter().find(|(known, _)| known == place) {
            return *kind;
        }
        if place.is_event() {
            return Kind::OBJECT;
        }
        if place.slot.is_some() { Kind::ANY | Kind::REGEX } else { Kind::ANY }
    }

    /// The types that items of an array can have, if that is known.
    pub(super) fn items(&self, array: &Place) -> Option<Kind> {
        let items = array.items();
        self.known.iter().find(|(known, _)| *known == items).map(|(_, kind)| *kind)
    }

    /// Notes what the items are of an array that was just set.
    pub(super) fn set_items(&mut self, array: &Place, kind: Kind) {
        let inside_array = array.steps.iter().any(|step| matches!(step, PathStep::Index(_)));
        if !inside_array && self.known.len() <= KNOWN_MAX {
            self.known.push((array.items(), kind));
        }
    }

    /// Notes that a place was set; everything inside and around it is forgotten or follows from it.
    pub(super) fn set(&mut self, place: &Place, kind: Kind) {
        // Of elements nothing is known: two indexes may mean the same one.
        if let Some(at) = place.steps.iter().position(|step| matches!(step, PathStep::Index(_))) {
            let array = Place { slot: place.slot, steps: place.steps[..at].to_vec() };
            return self.set(&array, Kind::ARRAY);
        }
        self.known.retain(|(known, _)| !place.covers(known) && !known.covers(place));
        if self.known.len() > KNOWN_MAX {
            return;
        }
        // With a field set the event itself is an object, whatever it was.
        for at in usize::from(place.slot.is_none())..place.steps.len() {
            let around = Place { slot: place.slot, steps: place.steps[..at].to_vec() };
            self.known.push((around, Kind::OBJECT));
        }
        self.push(place, kind);
    }

    fn push(&mut self, place: &Place, kind: Kind) {
        if !place.is_event() || kind != Kind::OBJECT {
            self.known.push((place.clone(), kind));
        }
    }

    /// Notes what is inside a place that was just set.
    pub(super) fn set_member(&mut self, place: &Place, name: &str, kind: Kind) {
        if place.steps.iter().any(|step| matches!(step, PathStep::Index(_))) {
            return;
        }
        let mut steps = place.steps.clone();
        steps.push(PathStep::Name(name.to_owned()));
        if self.known.len() <= KNOWN_MAX {
            self.known.push((Place { slot: place.slot, steps }, kind));
        }
    }

    /// What is known where the program may have come from here or from `other`.
    pub(super) fn merge(&mut self, other: &Self) {
        self.known.retain_mut(|(place, kind)| {
            match other.known.iter().find(|(known, _)| known == place) {
                Some((_, also)) => *kind = *kind | *also,
                None if place.is_event() => *kind = *kind | Kind::OBJECT,
                None if place.slot.is_some() && place.steps.is_empty() => {
                    *kind = *kind | Kind::NULL
                }
                None => return false,
            }
            true
        });
        for (place, kind) in &other.known {
            if place.steps.is_empty() && !self.known.iter().any(|(known, _)| known == place) {
                let other = if place.is_event() { Kind::OBJECT } else { Kind::NULL };
                self.known.push((place.clone(), *kind | other));
            }
        }
    }

    /// Forgets what differs from `other`.
    pub(super) fn widen(&mut self, other: &Self) {
        self.known.retain(|entry| other.known.contains(entry));
    }
}

impl State {
    pub(super) fn entries(&self) -> impl Iterator<Item = &(Place, Kind)> {
        self.known.iter()
    }

    /// Notes again what was known of a place before something inside of it changed.
    pub(super) fn restore(&mut self, place: &Place, kind: Kind) {
        self.known.retain(|(known, _)| known != place);
        self.push(place, kind);
    }

    /// Forgets variables from a slot on, which are out of scope.
    pub(super) fn forget_from(&mut self, slot: usize) {
        self.known.retain(|(place, _)| place.slot.is_none_or(|of| of < slot));
    }
}
