//! Plain functions for loaded components: a spec asks its schema and ports of functions that carry no data, so
//! each component gets one of a fixed number of slots, and functions that look there.

use std::ffi::c_void;
use std::sync::OnceLock;

use lograil_abi as abi;
use lograil_abi::Str;
use serde_json::{Value, json};

/// Most component types that plugins can bring into one program.
pub(crate) const SLOTS_MAX: usize = 128;

static SLOTS: [OnceLock<&'static abi::Component>; SLOTS_MAX] =
    [const { OnceLock::new() }; SLOTS_MAX];

/// The functions of one component.
#[derive(Clone, Copy)]
pub(crate) struct SlotFunctions {
    pub schema: fn() -> Value,
    pub ports: fn(&Value) -> Vec<String>,
    pub claims: fn(&Value) -> Vec<String>,
}

/// Gives a component a slot; `None` when all are taken.
pub(crate) fn take(component: &'static abi::Component) -> Option<SlotFunctions> {
    let index = SLOTS.iter().position(|slot| slot.set(component).is_ok())?;
    FUNCTIONS.get(index).copied()
}

const fn functions<const I: usize>() -> SlotFunctions {
    SlotFunctions {
        schema: || SLOTS[I].get().map_or_else(|| json!({}), |component| schema(component)),
        ports: |options| SLOTS[I].get().map_or_else(Vec::new, |c| texts(c, c.ports, options)),
        claims: |options| SLOTS[I].get().map_or_else(Vec::new, |c| texts(c, c.claims, options)),
    }
}

fn schema(component: &abi::Component) -> Value {
    // SAFETY: texts of a table live as long as the library, which is never unloaded.
    let text = unsafe { component.schema.bytes() };
    // Checked when the library was loaded.
    serde_json::from_slice(text).unwrap_or_else(
        |_| json!({ "type": "object", "properties": {}, "additionalProperties": false }),
    )
}

type Texts = unsafe extern "C" fn(
    *const abi::Component,
    Str,
    *mut c_void,
    unsafe extern "C" fn(*mut c_void, Str),
) -> abi::Status;

fn texts(component: &abi::Component, ask: Option<Texts>, options: &Value) -> Vec<String> {
    unsafe extern "C" fn collect(list: *mut c_void, text: Str) {
        // SAFETY: `list` is the vector below, lent for the call; the text lives during it.
        let (list, text) = unsafe { (&mut *list.cast::<Vec<String>>(), text.bytes()) };
        list.push(String::from_utf8_lossy(text).into_owned());
    }
    let mut list: Vec<String> = Vec::new();
    if let Some(ask) = ask {
        let options = options.to_string();
        // SAFETY: the table is the plugin's own, the text and the vector live during the call.
        unsafe { ask(component, Str::new(&options), (&raw mut list).cast(), collect) };
    }
    list
}

macro_rules! sixteen {
    ($($high:literal)*) => {
        [$(
            functions::<{ $high * 16 }>(), functions::<{ $high * 16 + 1 }>(),
            functions::<{ $high * 16 + 2 }>(), functions::<{ $high * 16 + 3 }>(),
            functions::<{ $high * 16 + 4 }>(), functions::<{ $high * 16 + 5 }>(),
            functions::<{ $high * 16 + 6 }>(), functions::<{ $high * 16 + 7 }>(),
            functions::<{ $high * 16 + 8 }>(), functions::<{ $high * 16 + 9 }>(),
            functions::<{ $high * 16 + 10 }>(), functions::<{ $high * 16 + 11 }>(),
            functions::<{ $high * 16 + 12 }>(), functions::<{ $high * 16 + 13 }>(),
            functions::<{ $high * 16 + 14 }>(), functions::<{ $high * 16 + 15 }>(),
        )*]
    };
}

static FUNCTIONS: [SlotFunctions; SLOTS_MAX] = sixteen!(0 1 2 3 4 5 6 7);
