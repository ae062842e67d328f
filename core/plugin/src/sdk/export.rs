//! The tables of a plugin, and the functions in them that are the same for every kind.

use std::ffi::c_void;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::future::BoxFuture;
use lograil_abi as abi;
use lograil_abi::{Context, Error, Host, Status, Str, component_flags, kind, status};
use serde_json::{Value, json};

use super::call::{Failure, HostHandle, guard, keep_panics, text};
use super::{log, sink, source, transform};
use crate::clock::Clock;
use crate::error::{ConfigError, ConfigErrors};
use crate::options::Options;
use crate::spec::{Build, ComponentSpec, Threading};

/// A component's table and, behind it, what it was made from.
#[repr(C)]
struct Exported {
    table: abi::Component,
    spec: ComponentSpec,
}

/// The tables of a library, made when the host first asks for them.
pub struct Tables(OnceLock<abi::Plugin>);

impl Tables {
    /// No tables yet.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it starts a static, where Default is no help")]
    pub const fn new() -> Self {
        Self(OnceLock::new())
    }
}

/// The body of the exported function: the tables for `host`, or null and the reason.
///
/// # Safety
/// `host` must be null or a host's table, which lives as long as the program; `error` null or a buffer.
pub unsafe fn enter(
    tables: &'static Tables,
    components: &[ComponentSpec],
    host: *const Host,
    error: *mut Error,
) -> *const abi::Plugin {
    let mut plugin = std::ptr::null();
    guard(error, || {
        if host.is_null() {
            return Err(Failure::new(status::VERSION, "there is no host"));
        }
        // SAFETY: the host's table lives as long as the program, by the rules of the interface.
        let host = unsafe { &*host };
        if host.abi_major != abi::ABI_MAJOR || (host.size as usize) < size_of::<Host>() {
            let text = format!(
                "the host speaks version {}.{}, the plugin {}.{}",
                host.abi_major,
                host.abi_minor,
                abi::ABI_MAJOR,
                abi::ABI_MINOR
            );
            return Err(Failure::new(status::VERSION, text));
        }
        keep_panics();
        log::start(host);
        plugin = tables.0.get_or_init(|| make(components));
        Ok(status::OK)
    });
    plugin
}

fn make(components: &[ComponentSpec]) -> abi::Plugin {
    let tables: Vec<*const abi::Component> = components
        .iter()
        .map(|spec| {
            let exported = Exported { table: table(spec), spec: *spec };
            std::ptr::from_ref(Box::leak(Box::new(exported))).cast()
        })
        .collect();
    let tables = tables.leak();
    abi::Plugin {
        size: size_of::<abi::Plugin>() as u32,
        abi_major: abi::ABI_MAJOR,
        abi_minor: abi::ABI_MINOR,
        components: tables.as_ptr(),
        component_count: tables.len() as u32,
        reserved: 0,
    }
}

fn table(spec: &ComponentSpec) -> abi::Component {
    let mut table = abi::Component {
        size: size_of::<abi::Component>() as u32,
        kind: kind::TRANSFORM,
        flags: component_flags::TOKENS,
        reserved: 0,
        name: Str::new(spec.name),
        summary: Str::new(spec.summary),
        manual: Str::new(spec.manual),
        schema: Str::new((spec.schema)().to_string().leak()),
        ports: Some(ports),
        claims: Some(claims),
        create: Some(create),
        destroy: None,
        start: None,
        process: None,
        tick: None,
        flush: None,
        open: None,
        write: None,
        commit: None,
        close: None,
        reopen: None,
        pull: None,
        interrupt: None,
        replays: None,
        state: None,
        traits: None,
    };
    match spec.build {
        Build::Transform(_) => transform::fill(&mut table),
        Build::Source(_) => source::fill(&mut table),
        Build::Sink(_) => {
            sink::fill(&mut table);
            if spec.threading == Threading::Blocking {
                table.flags |= component_flags::BLOCKING;
            }
        }
    }
    table
}

/// The spec behind a table of ours.
///
/// # Safety
/// `component` must be one of the tables that [`make`] made.
unsafe fn spec_of<'a>(component: *const abi::Component) -> &'a ComponentSpec {
    // SAFETY: every table that the host got from us is the head of an `Exported`, which is never freed.
    unsafe { &(*component.cast::<Exported>()).spec }
}

/// The options of a component.
///
/// # Safety
/// As for [`Str::bytes`].
unsafe fn options(given: Str) -> Result<Value, Failure> {
    // SAFETY: the caller vouches for it.
    serde_json::from_str(unsafe { text(given) })
        .map_err(|error| Failure::new(status::INVALID, format!("the options are no JSON: {error}")))
}

unsafe extern "C" fn ports(
    component: *const abi::Component,
    given: Str,
    arg: *mut c_void,
    each: abi::EachText,
) -> Status {
    // SAFETY: the host gives back our table, a text that lives during the call, and its own callback.
    unsafe { list(component, given, arg, each, |spec| spec.ports) }
}

unsafe extern "C" fn claims(
    component: *const abi::Component,
    given: Str,
    arg: *mut c_void,
    each: abi::EachText,
) -> Status {
    // SAFETY: as above.
    unsafe { list(component, given, arg, each, |spec| spec.claims) }
}

/// Says one by one what a function of the component's spec lists.
///
/// # Safety
/// `component` must be one of our tables, `given` a text that lives during the call, `arg` and `each` the host's.
unsafe fn list(
    component: *const abi::Component,
    given: Str,
    arg: *mut c_void,
    each: abi::EachText,
    of: impl FnOnce(&ComponentSpec) -> fn(&Value) -> Vec<String>,
) -> Status {
    guard(std::ptr::null_mut(), || {
        // SAFETY: the caller vouches for it.
        let (spec, given) = unsafe { (spec_of(component), options(given)?) };
        for text in of(spec)(&given) {
            // SAFETY: as above.
            unsafe { each(arg, Str::new(&text)) };
        }
        Ok(status::OK)
    })
}

unsafe extern "C" fn create(
    component: *const abi::Component,
    host: *const Host,
    context: *mut Context,
    given: Str,
    instance: *mut *mut c_void,
    error: *mut Error,
) -> Status {
    guard(error, || {
        // SAFETY: the host gives back our table, and texts that live during the call.
        let (spec, given) = unsafe { (spec_of(component), Options(options(given)?)) };
        let host = HostHandle::new(host, context);
        let made = match spec.build {
            Build::Transform(build) => {
                transform::new(host, spec.name, build(&given).map_err(mistakes)?)
            }
            Build::Source(build) => source::new(host, spec.name, build(&given).map_err(mistakes)?),
            Build::Sink(build) => sink::new(host, spec.name, build(&given).map_err(mistakes)?),
        };
        // SAFETY: the host gives a place for the pointer.
        unsafe { *instance = made };
        Ok(status::OK)
    })
}

fn mistakes(errors: ConfigErrors) -> Failure {
    let describe = |error: ConfigError| {
        let within = error.within.map(|within| [within.start, within.end]);
        json!({ "path": error.path, "within": within, "message": error.message, "help": error.help })
    };
    let list: Vec<Value> = errors.0.into_iter().map(describe).collect();
    let text = Value::Array(list).to_string();
    Failure { status: status::CONFIG, text, flags: abi::ERROR_IS_JSON }
}

/// Says one text, a JSON object.
///
/// # Safety
/// `arg` and `each` must be those of the host's call.
pub(super) unsafe fn say(arg: *mut c_void, each: abi::EachText, said: &Value) -> Status {
    // SAFETY: the caller vouches for it; the text lives during the call.
    unsafe { each(arg, Str::new(&said.to_string())) };
    status::OK
}

/// A time as numbers say it, of which the greatest stands for no bound.
pub(super) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// The host's clock; waiting is done by the library's own runtime.
pub(super) struct HostClock(pub HostHandle);

impl HostClock {
    pub fn shared(host: HostHandle) -> Arc<dyn Clock> {
        Arc::new(Self(host))
    }
}

impl Clock for HostClock {
    fn now_ns(&self) -> i64 {
        // SAFETY: any thread may ask, as long as the instance lives.
        unsafe { (self.0.table().now_ns)(self.0.context()) }
    }

    fn monotonic(&self) -> Duration {
        // SAFETY: as above.
        Duration::from_nanos(unsafe { (self.0.table().monotonic_ns)(self.0.context()) })
    }

    fn sleep(&self, period: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(period))
    }
}
