//! One instance of a plugin's component.

use std::ffi::c_void;
use std::ops::Range;
use std::sync::Arc;

use lograil_abi as abi;
use lograil_abi::{Str, status};
use lograil_plugin::{ConfigError, ConfigErrors, Options};
use serde::Deserialize;

use crate::call::ErrorText;
use crate::calls::Function;
use crate::context::Context;
use crate::traits::Traits;
use crate::watchdog::watch;
use crate::{host, lane, left_behind};

/// A component type of a plugin.
#[derive(Clone, Copy)]
pub(crate) struct Loaded {
    pub plugin: &'static str,
    pub name: &'static str,
    /// Its table, as long as this program knows it; what the plugin does not have is missing.
    pub table: &'static abi::Component,
    /// The plugin's own, which is given back to it.
    pub own_table: *const abi::Component,
}

// SAFETY: the plugin's own table is read-only and lives as long as the library, which is never unloaded.
unsafe impl Send for Loaded {}
// SAFETY: as above.
unsafe impl Sync for Loaded {}

/// An instance, destroyed when dropped.
pub(crate) struct Instance {
    pub pointer: *mut c_void,
    pub context: Arc<Context>,
    pub error: ErrorText,
    pub traits: Traits,
    loaded: Loaded,
}

// SAFETY: the interface demands that an instance may be served by any thread, by one at a time.
unsafe impl Send for Instance {}

/// The pointer of an instance on its way to another thread.
struct Given(*mut c_void);

// SAFETY: as for `Instance`.
unsafe impl Send for Given {}

impl Given {
    fn get(self) -> *mut c_void {
        self.0
    }
}

#[derive(Deserialize)]
struct Mistake {
    #[serde(default)]
    path: Vec<String>,
    within: Option<[usize; 2]>,
    message: String,
    help: Option<String>,
}

impl Instance {
    /// Makes an instance; what the plugin says about the options goes back to the user.
    pub fn create(loaded: Loaded, options: &str) -> Result<Self, ConfigErrors> {
        match left_behind::unanswered(&loaded) {
            Some(name) => Err(refused(loaded, &format!("`{name}` does not return"))),
            None => Self::make(loaded, options),
        }
    }

    /// Makes an instance from options that were accepted before.
    pub fn create_again(loaded: Loaded, options: &str) -> Result<Self, String> {
        Self::make(loaded, options)
            .map_err(|errors| errors.0.first().map(|e| e.message.clone()).unwrap_or_default())
    }

    fn make(loaded: Loaded, options: &str) -> Result<Self, ConfigErrors> {
        let refused = |why: String| refused(loaded, &why);
        left_behind::refusal(loaded.name).map_or(Ok(()), |why| Err(refused(why)))?;
        let context = Arc::new(Context::new(loaded));
        watch(&context);
        let (options, its_context) = (options.to_owned(), Arc::clone(&context));
        let call = move || Self::create_here(loaded, &options, its_context);
        let made = lane::prepare(&context, Function::Create, call).map_err(refused)??;
        Traits::of(made, loaded.table).map_err(refused)
    }

    /// The call itself, on the thread that may be left behind with it.
    fn create_here(
        loaded: Loaded,
        options: &str,
        context: Arc<Context>,
    ) -> Result<Self, ConfigErrors> {
        let mut error = ErrorText::new();
        let mut pointer = std::ptr::null_mut();
        let no_place = Vec::<String>::new;
        let Some(create) = loaded.table.create else {
            return Err(ConfigError::new(no_place(), "the plugin cannot make one").into());
        };
        // SAFETY: table and host live forever, the context as long as the instance, the rest during the call.
        let made = unsafe {
            create(
                loaded.own_table,
                host::table(),
                context.as_handle(),
                Str::new(options),
                &raw mut pointer,
                error.for_call(),
            )
        };
        if made < status::OK {
            let mistakes: Option<Vec<Mistake>> =
                if error.is_json() { serde_json::from_str(&error.text()).ok() } else { None };
            let Some(mistakes) = mistakes.filter(|list| !list.is_empty()) else {
                return Err(ConfigError::new(no_place(), error.text()).into());
            };
            return Err(ConfigErrors(mistakes.into_iter().map(Mistake::into_error).collect()));
        }
        Ok(Self { pointer, context, error, traits: Traits::default(), loaded })
    }
}

/// What the plugin does not say itself.
fn refused(loaded: Loaded, why: &str) -> ConfigErrors {
    let message = format!("plugin {}: {why}", loaded.plugin);
    ConfigError::new(Vec::<String>::new(), message).into()
}

impl Mistake {
    fn into_error(self) -> ConfigError {
        let within: Option<Range<usize>> = self.within.map(|[start, end]| start..end);
        ConfigError { path: self.path, within, message: self.message, help: self.help }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let Some(destroy) = self.loaded.table.destroy {
            let pointer = Given(self.pointer);
            // SAFETY: made by `create` of the same table, and not used after this.
            let call = move || unsafe { destroy(pointer.get()) };
            if let Err(why) = lane::prepare(&self.context, Function::Destroy, call) {
                let (id, plugin) = (self.context.calls.id(), self.loaded.plugin);
                tracing::error!(component_id = id, "plugin {plugin}: {why}");
            }
        }
        self.context.drop_tokens();
    }
}

/// The text of options as plugins get it.
pub(crate) fn options_text(options: &Options) -> String {
    options.0.to_string()
}
