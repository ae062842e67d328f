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
use crate::host;

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
    loaded: Loaded,
}

// SAFETY: the interface demands that an instance may be served by any thread, by one at a time.
unsafe impl Send for Instance {}

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
        let context = Arc::new(Context::new(loaded));
        let mut error = ErrorText::new();
        let mut pointer = std::ptr::null_mut();
        let no_place = Vec::<String>::new;
        let Some(create) = loaded.table.create else {
            return Err(ConfigError::new(no_place(), "the plugin cannot make one").into());
        };
        let in_call = context.calls.enter(Function::Create);
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
        drop(in_call);
        if made < status::OK {
            let mistakes: Option<Vec<Mistake>> =
                if error.is_json() { serde_json::from_str(&error.text()).ok() } else { None };
            let Some(mistakes) = mistakes.filter(|list| !list.is_empty()) else {
                return Err(ConfigError::new(no_place(), error.text()).into());
            };
            return Err(ConfigErrors(mistakes.into_iter().map(Mistake::into_error).collect()));
        }
        Ok(Self { pointer, context, error, loaded })
    }

    /// Makes an instance from options that were accepted before.
    pub fn create_again(loaded: Loaded, options: &str) -> Result<Self, String> {
        Self::create(loaded, options)
            .map_err(|errors| errors.0.first().map(|e| e.message.clone()).unwrap_or_default())
    }
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
            let _in_call = self.context.calls.enter(Function::Destroy);
            // SAFETY: made by `create` of the same table, and not used after this.
            unsafe { destroy(self.pointer) };
        }
        self.context.drop_tokens();
    }
}

/// The text of options as plugins get it.
pub(crate) fn options_text(options: &Options) -> String {
    options.0.to_string()
}
