//! A component in Rust behind the interface without a library between them: both sides of the crossing in one program,
//! for tools that see undefined behaviour but load no libraries.

use std::ffi::c_void;
use std::mem::offset_of;
use std::panic;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use lograil_abi as abi;
use lograil_event::{Batch, Change, Field, Origin, Placement, Selection, Span, Tag};
use lograil_plugin::sdk::{Tables, enter};
use lograil_plugin::spec::no_claims;
use lograil_plugin::{Build, ComponentSpec, Outputs, Port, Threading, Transform};
use lograil_testkit::{TransformHarness, batch_of_json};
use serde_json::{Value, json};

use crate::call::ErrorText;
use crate::host;
use crate::instance::Loaded;
use crate::library::{loaded, spec};

/// Does to each batch, in turn, what transforms do, and holds back the last one.
#[derive(Default)]
struct Changes {
    turn: usize,
    held: Option<Batch>,
}

impl Transform for Changes {
    fn process(&mut self, mut batch: Batch, out: &mut Outputs) {
        let turn = self.turn % 6;
        self.turn += 1;
        let mut edit = batch.edit();
        let (new, old) = (edit.key("new"), edit.key("a"));
        for event in 0..edit.events().len() {
            match turn {
                // In place, as long as there is room, and behind it.
                0 => edit.append(event, Field::i64(new.0, event as i64)),
                1 => edit.set_str(event, new, "a text of its own"),
                // In a copy.
                2 => edit.set_str(event, old, "changed"),
                3 => drop(edit.remove(event, old)),
                _ => {}
            }
        }
        match turn {
            4 => {
                let mut odd = Selection::default();
                odd.push((1..batch.len()).step_by(2).fold(0, |all, event| all | 1 << event));
                let odd = batch.share_of(&odd);
                let all = batch.len() + odd.len();
                out.create(all.saturating_sub(2));
                out.emit_to(Port(1), odd);
                out.emit(batch);
            }
            5 => {
                let before = self.held.replace(batch);
                before.into_iter().for_each(|before| out.emit(before));
            }
            _ => out.emit(batch),
        }
    }

    fn flush(&mut self, out: &mut Outputs) {
        self.held.take().into_iter().for_each(|held| out.emit(held));
    }

    fn state(&self) -> Option<Vec<u8>> {
        Some(self.turn.to_string().into_bytes())
    }
}

static CHANGES: Tables = Tables::new();

const SPEC: ComponentSpec = ComponentSpec {
    name: "crossing.changes",
    summary: "Changes.",
    manual: "# changes",
    schema: || json!({ "type": "object" }),
    ports: |_| vec!["odd".to_owned()],
    claims: no_claims,
    threading: Threading::Async,
    build: Build::Transform(&|_| Ok(Box::new(Changes::default()))),
};

/// The component as a host gets it from a library.
fn behind_the_interface(tables: &'static Tables, component: &ComponentSpec) -> ComponentSpec {
    spec(loaded("crossing", table_of(tables, component)).unwrap()).unwrap()
}

/// The table that the library gives.
fn table_of(tables: &'static Tables, component: &ComponentSpec) -> *const abi::Component {
    // The library's panics go to the host, those of this test to whoever runs it.
    let hook = panic::take_hook();
    let mut error = ErrorText::new();
    // SAFETY: the host's table is static, the error buffer lives during the call.
    let plugin = unsafe { enter(tables, &[*component], host::table(), error.for_call()) };
    panic::set_hook(hook);
    assert!(!plugin.is_null(), "{}", error.text());
    // SAFETY: the tables were made just now, and live as long as the program.
    unsafe { *(*plugin).components }
}

/// All that comes out of a run, as `port event`.
fn outputs(spec: &ComponentSpec) -> Vec<String> {
    let events: Vec<Value> = (0..5).map(|n| json!({"a": format!("x{n}"), "n": n})).collect();
    let mut harness = TransformHarness::build(spec, json!({})).holds_back().unbalanced();
    let mut all = Vec::new();
    for turn in 0..14 {
        let batch = batch_of_json(&events[turn % 5..]);
        all.extend(harness.feed(batch).batches);
        all.extend(harness.tick().batches);
    }
    all.extend(harness.flush().batches);
    let state = harness.state().map(|state| String::from_utf8(state).unwrap());
    let shown = |(port, batch): (Port, Batch)| {
        let events = lograil_testkit::events_of(&batch).into_iter();
        events.map(move |event| format!("{} {event}", port.0)).collect::<Vec<_>>()
    };
    all.into_iter().flat_map(shown).chain(state).collect()
}

#[test]
fn what_crosses_the_interface_is_what_does_not() {
    let spec = behind_the_interface(&CHANGES, &SPEC);
    assert_eq!((spec.ports)(&json!({})), ["odd"]);
    let expected = outputs(&SPEC);
    assert!(expected.len() > 40, "{expected:?}");
    assert_eq!(outputs(&spec), expected);
}

/// Names changes whose texts lie in segments: some that were there, and its own.
struct NamesChanges;

impl Transform for NamesChanges {
    fn process(&mut self, mut batch: Batch, out: &mut Outputs) {
        let mut changes = lograil_event::Changes::default();
        let (old, copy, own) = (batch.key("a"), batch.key("copy"), batch.key("own"));
        let copies: Vec<Change> = batch
            .iter()
            .map(|event| event.field(old).map_or(Change::KEEP, |field| Change::set(*field)))
            .collect();
        changes.each(copy, Placement::Append, copies);
        changes.all_str(&mut batch, own, "a text of its own");
        out.emit_changed(batch, &mut changes);
    }
}

/// A batch of so many segments, every second with an origin, that some are joined where there is one more. A few have an
/// event.
fn crowded() -> Batch {
    let mut batch = Batch::new();
    let mut edit = batch.edit();
    let key = edit.key("a");
    for number in 0..238_u32 {
        let text = Bytes::from(format!("text {number:03}"));
        let origin = (number % 2 == 1).then_some(Origin { stream: 1, offset: number.into() });
        let (len, segment) = (text.len() as u32, edit.add_segment(text, origin));
        let span = Span { segment, offset: 0, len };
        if number % 40 < 2 {
            edit.push_line(number.into(), key, Tag::Str, span, span);
        }
    }
    batch
}

#[test]
fn changes_mean_what_they_meant_where_segments_are_joined() {
    let spec = ComponentSpec {
        name: "crossing.names_changes",
        build: Build::Transform(&|_| Ok(Box::new(NamesChanges))),
        ..SPEC
    };
    static OWN: Tables = Tables::new();
    // Host and library log to each other here, where a call fails.
    let _quiet = tracing::subscriber::set_default(tracing::subscriber::NoSubscriber::default());
    let made = |spec: &ComponentSpec| {
        let mut harness = TransformHarness::build(spec, json!({}));
        let batches = harness.feed(crowded()).batches.into_iter();
        batches
            .flat_map(|(port, batch)| {
                let events = lograil_testkit::events_of(&batch).into_iter();
                events.map(move |event| format!("{} {event}", port.0)).collect::<Vec<_>>()
            })
            .collect::<Vec<_>>()
    };
    let expected = made(&spec);
    assert_eq!(expected.len(), 12);
    assert_eq!(made(&behind_the_interface(&OWN, &spec)), expected);
}

/// Names its changes instead of making them, column by column, and leaves events out.
struct Columns;

impl Transform for Columns {
    fn process(&mut self, mut batch: Batch, out: &mut Outputs) {
        let (new, old) = (batch.key("new"), batch.key("a"));
        let mut changes = lograil_event::Changes::default();
        let number = |event| Change::set(Field::i64(new.0, event as i64));
        changes.each(new, Placement::Append, (0..batch.len()).map(number));
        changes.all_str(&mut batch, old, "changed");
        changes.keep(&Selection::of(batch.len(), |event| event != 1));
        out.discard("left_out", usize::from(batch.len() > 1));
        out.emit_changed(batch, &mut changes);
    }
}

const COLUMNS: ComponentSpec = ComponentSpec {
    name: "crossing.columns",
    build: Build::Transform(&|_| Ok(Box::new(Columns))),
    ..SPEC
};

static COLUMNS_TABLES: Tables = Tables::new();

/// What an output ends with where the host is older than changes by columns.
const OUTPUT_BYTES_BEFORE_COLUMNS: usize = offset_of!(abi::Output, columns);

static COLUMNS_GIVEN: AtomicUsize = AtomicUsize::new(0);
static BATCHES_GIVEN: AtomicUsize = AtomicUsize::new(0);

/// What a host before 1.4 does: it knows nothing of what lies behind `release`.
unsafe extern "C" fn emit_before_columns(
    context: *mut abi::Context,
    output: *const abi::Output,
) -> abi::Status {
    // SAFETY: the library gives an output as long as it says; what is not copied are numbers that are zero, pointers that
    // are null.
    unsafe {
        COLUMNS_GIVEN.fetch_add((*output).column_count as usize, Ordering::Relaxed);
        BATCHES_GIVEN.fetch_add(1, Ordering::Relaxed);
        let mut known: abi::Output = std::mem::zeroed();
        let bytes = OUTPUT_BYTES_BEFORE_COLUMNS;
        std::ptr::copy_nonoverlapping(output.cast::<u8>(), (&raw mut known).cast::<u8>(), bytes);
        known.size = bytes as u32;
        ((*host::table()).emit)(context, &raw const known)
    }
}

type Create = unsafe extern "C" fn(
    *const abi::Component,
    *const abi::Host,
    *mut abi::Context,
    abi::Str,
    *mut *mut c_void,
    *mut abi::Error,
) -> abi::Status;

static CREATE: OnceLock<Create> = OnceLock::new();
static HOST_BEFORE_COLUMNS: OnceLock<abi::Host> = OnceLock::new();

/// Makes an instance that has such a host.
unsafe extern "C" fn create_before_columns(
    component: *const abi::Component,
    _: *const abi::Host,
    context: *mut abi::Context,
    options: abi::Str,
    instance: *mut *mut c_void,
    error: *mut abi::Error,
) -> abi::Status {
    let (create, host) = (CREATE.get().unwrap(), HOST_BEFORE_COLUMNS.get().unwrap());
    // SAFETY: handed on as it came; the other host is static.
    unsafe { create(component, host, context, options, instance, error) }
}

#[test]
fn a_host_that_cannot_make_changes_gets_them_made() {
    let table = table_of(&COLUMNS_TABLES, &COLUMNS);
    let current = loaded("crossing", table).unwrap();
    let expected = outputs(&COLUMNS);
    assert!(expected.iter().any(|event| event.contains("changed")), "{expected:?}");
    assert_eq!(outputs(&spec(current).unwrap()), expected);

    // SAFETY: the host's table is static.
    let host = unsafe { *host::table() };
    let before = abi::Host { abi_minor: 3, emit: emit_before_columns, ..host };
    HOST_BEFORE_COLUMNS.set(before).unwrap();
    CREATE.set(current.table.create.unwrap()).unwrap();
    let its = abi::Component { create: Some(create_before_columns), ..*current.table };
    let older: &'static Loaded =
        Box::leak(Box::new(Loaded { table: Box::leak(Box::new(its)), ..*current }));
    assert_eq!(outputs(&spec(older).unwrap()), expected);
    let given = |count: &AtomicUsize| count.load(Ordering::Relaxed);
    assert!(given(&BATCHES_GIVEN) > 0, "it was this host");
    assert_eq!(given(&COLUMNS_GIVEN), 0, "the library made them itself");
}
