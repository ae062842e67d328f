//! Plain functions for loaded components: a spec asks its schema and ports of functions that carry no data, so
//! each component gets one of a fixed number of slots, and functions that look there. A newer version of a
//! component takes the slot of the older one.

use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, Ordering};

use lograil_abi as abi;
use lograil_abi::Str;
use serde_json::{Value, json};

use crate::calls::Function;
use crate::context::Context;
use crate::instance::Loaded;
use crate::{lane, watchdog};

/// Most component types that plugins can bring into one program.
pub(crate) const SLOTS_MAX: usize = 128;

static SLOTS: [AtomicPtr<Loaded>; SLOTS_MAX] =
    [const { AtomicPtr::new(std::ptr::null_mut()) }; SLOTS_MAX];

/// The functions of one component.
#[derive(Clone, Copy)]
pub(crate) struct SlotFunctions {
    pub schema: fn() -> Value,
    pub ports: fn(&Value) -> Vec<String>,
    pub claims: fn(&Value) -> Vec<String>,
}

fn in_slot(index: usize) -> Option<&'static Loaded> {
    // SAFETY: what is put there lives forever.
    unsafe { SLOTS[index].load(Ordering::Acquire).as_ref() }
}

/// Gives a component its slot, in place of an older version of it; `None` when all are taken by others. Called
/// under the lock of the list of plugins.
pub(crate) fn take(loaded: &'static Loaded) -> Option<SlotFunctions> {
    let is_its_own = |index: &usize| {
        in_slot(*index).is_none_or(|other| {
            (other.plugin, other.name, other.table.kind)
                == (loaded.plugin, loaded.name, loaded.table.kind)
        })
    };
    let index = (0..SLOTS_MAX).find(is_its_own)?;
    SLOTS[index].store(std::ptr::from_ref(loaded).cast_mut(), Ordering::Release);
    FUNCTIONS.get(index).copied()
}

const fn functions<const I: usize>() -> SlotFunctions {
    SlotFunctions {
        schema: || in_slot(I).map_or_else(|| json!({}), |loaded| schema(loaded.table)),
        ports: |options| {
            in_slot(I)
                .map_or_else(Vec::new, |one| texts(one, one.table.ports, Function::Ports, options))
        },
        claims: |options| {
            in_slot(I).map_or_else(Vec::new, |one| {
                texts(one, one.table.claims, Function::Claims, options)
            })
        },
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

/// What a function of a component says. Of one that does not return nothing; then no instance is made either.
fn texts(loaded: &Loaded, ask: Option<Texts>, function: Function, options: &Value) -> Vec<String> {
    unsafe extern "C" fn collect(list: *mut c_void, text: Str) {
        // SAFETY: `list` is the vector below, lent for the call; the text lives during it.
        let (list, text) = unsafe { (&mut *list.cast::<Vec<String>>(), text.bytes()) };
        list.push(String::from_utf8_lossy(text).into_owned());
    }
    let Some(ask) = ask else { return Vec::new() };
    let (loaded, options) = (*loaded, options.to_string());
    let context = Arc::new(Context::new(loaded));
    watchdog::watch(&context);
    let call = move || {
        // As a whole: the pointer in it alone may not go to another thread.
        let loaded = &loaded;
        let (options, mut list) = (Str::new(&options), Vec::<String>::new());
        // SAFETY: the table is the plugin's own, the text and the vector live during the call.
        let code = unsafe { ask(loaded.own_table, options, (&raw mut list).cast(), collect) };
        if code < abi::status::OK {
            let (plugin, name) = (loaded.plugin, function.name());
            tracing::error!(
                component_type = loaded.name,
                "plugin {plugin}: `{name}` failed with status {code}"
            );
        }
        list
    };
    lane::prepare(&context, function, call).unwrap_or_else(|why| {
        let plugin = loaded.plugin;
        tracing::error!(component_type = loaded.name, "plugin {plugin}: {why}");
        Vec::new()
    })
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
