//! Loading a file that was examined, and turning its tables into component specs.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use lograil_abi as abi;
use lograil_plugin::{Build, ComponentSpec, Threading};

use crate::call::ErrorText;
use crate::calls::{Calls, Function};
use crate::error::PluginError;
use crate::image::{Hash, Image};
use crate::instance::Loaded;
use crate::manifest::{self, Manifest};
use crate::trial::{self, Watch};
use crate::trust::{Trust, Trusted};
use crate::{crash, host, signals, sink, slots, source, transform};

/// A plugin whose components can be used.
#[derive(Debug, Clone)]
pub struct LoadedPlugin {
    /// Its file, without symbolic links.
    pub path: PathBuf,
    hash: Arc<Hash>,
    /// What it says about itself.
    pub manifest: Manifest,
    /// Its components; they live as long as the program.
    pub components: Vec<ComponentSpec>,
}

impl LoadedPlugin {
    /// The sha256 of the file in hexadecimal. Of a large file it takes a while to be known.
    pub fn sha256(&self) -> io::Result<&str> {
        self.hash.sha256()
    }
}

/// What was loaded so far: a file is loaded once, however often it is asked for.
static LOADED: Mutex<Vec<(LoadedPlugin, Vec<&'static Loaded>)>> = Mutex::new(Vec::new());

type Entry = unsafe extern "C" fn(*const abi::Host, *mut abi::Error) -> *const abi::Plugin;

/// Loads a plugin that satisfies `trust`. It stays loaded until the program ends.
pub fn load(path: &Path, trust: &Trust) -> Result<LoadedPlugin, PluginError> {
    let Trusted { path, file } = trust.read(path)?;
    let unreadable = |source| PluginError::Read { path: path.clone(), source };
    let manifest = manifest::parse(&path, &file.view().map_err(unreadable)?)?;
    let mut all = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    let is_it = |one: &LoadedPlugin| {
        one.path == path
            && one.sha256().is_ok_and(|known| file.sha256().is_ok_and(|new| new == known))
    };
    if let Some((plugin, tables)) = all.iter().find(|(one, _)| is_it(one)) {
        // Where a newer version had been tried in between, this one speaks for its components again.
        for table in tables {
            slots::take(table);
        }
        return Ok(plugin.clone());
    }
    let name: &'static str = manifest.name.clone().leak();
    let plugin = open(&path, &file, name)?;
    let (mut components, mut tables) = (Vec::new(), Vec::new());
    for at in 0..plugin.component_count as usize {
        // SAFETY: the plugin vouches for its list of tables.
        let table = unsafe { *plugin.components.add(at) };
        let made = loaded(name, table).and_then(|loaded| Ok((loaded, spec(loaded)?)));
        let (loaded, spec) = made.map_err(|why| PluginError::Tables { path: path.clone(), why })?;
        components.push(spec);
        tables.push(loaded);
    }
    let loaded = LoadedPlugin { path, hash: Hash::of(file), manifest, components };
    check_against_manifest(&loaded)?;
    all.push((loaded.clone(), tables));
    Ok(loaded)
}

/// Loads the library and calls its entry.
fn open(
    path: &Path,
    image: &Image,
    name: &'static str,
) -> Result<&'static abi::Plugin, PluginError> {
    trial::run(path, name, image.file())?;
    let _watch = Watch::begin(path);
    // The library stays also where the image does not.
    link(&unlike_any_before(&image.path()), path, name)
}

/// The same path, written as none was before: the system's loader takes what has the name of a library that it has loaded
/// for that one, and the number of a file that is closed comes again.
fn unlike_any_before(path: &Path) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let nowhere: String =
        (0..u32::BITS).map(|bit| if count >> bit & 1 == 0 { "/" } else { "./" }).collect();
    let rest = path.strip_prefix("/proc/self").unwrap_or(path);
    PathBuf::from(format!("/proc/self/{nowhere}{}", rest.display()))
}

/// Runs the library's initialisers and its entry.
pub(crate) fn link(
    in_memory: &Path,
    path: &Path,
    name: &'static str,
) -> Result<&'static abi::Plugin, PluginError> {
    let cannot = |why: String| PluginError::Load { path: path.to_owned(), why };
    let calls = Calls::new(name, "the library");
    let in_call = calls.enter(Function::Entry);
    let _kept = signals::Kept::new();
    // SAFETY: this runs the library's initialisers. Plugins are trusted code, and this one is where trusted
    // ones are (`Trust`).
    let library = unsafe { Library::open(Some(in_memory), RTLD_NOW | RTLD_LOCAL) };
    let library = library.map_err(|error| {
        let why = describe(&error);
        cannot(why.strip_prefix(&format!("{}: ", in_memory.display())).unwrap_or(&why).to_owned())
    })?;
    // SAFETY: the symbol has this type in every plugin of this major version, which its name contains.
    let entry = unsafe { library.get::<Entry>(abi::SYMBOL.as_bytes()) }.map(|entry| *entry);
    // Whatever the entry does from here on, its code must stay where it is.
    std::mem::forget(library);
    let broken = |why: String| PluginError::Tables { path: path.to_owned(), why };
    let entry = entry.map_err(|_| broken(format!("it does not export `{}`", abi::SYMBOL)))?;
    crash::report_crashes_of(name, entry as usize);
    let mut error = ErrorText::new();
    // SAFETY: the host's table is static, the error buffer lives during the call.
    let plugin = unsafe { entry(host::table(), error.for_call()) };
    drop(in_call);
    if plugin.is_null() {
        return Err(broken(format!("its entry refuses: {}", error.text())));
    }
    // SAFETY: the plugin vouches that its table lives as long as the library, which is forever.
    let plugin = unsafe { &*plugin };
    if (plugin.size as usize) < size_of::<abi::Plugin>() || plugin.abi_major != abi::ABI_MAJOR {
        return Err(broken("its table is of another version than its manifest".to_owned()));
    }
    Ok(plugin)
}

/// The whole of what the system's loader said, which names the missing library or version.
fn describe(error: &libloading::Error) -> String {
    use std::error::Error;
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}

/// A component's table, as much of it as plugin and program know; the rest is missing.
pub(crate) fn loaded(
    plugin: &'static str,
    table: *const abi::Component,
) -> Result<&'static Loaded, String> {
    if table.is_null() {
        return Err("a component's table is missing".to_owned());
    }
    // SAFETY: the size is the first field of every table, and the plugin vouches that the table lives forever.
    let size = unsafe { (*table).size } as usize;
    if size < abi::COMPONENT_BYTES_MIN {
        return Err("a component's table is shorter than version 1.0 says".to_owned());
    }
    // SAFETY: all its fields are numbers, texts that may be none, and functions that may be missing; the plugin
    // vouches for `size` bytes.
    let known = unsafe {
        let mut known: abi::Component = std::mem::zeroed();
        let both = size.min(size_of::<abi::Component>());
        std::ptr::copy_nonoverlapping(table.cast::<u8>(), (&raw mut known).cast::<u8>(), both);
        known
    };
    let known = Box::leak(Box::new(known));
    let name = text("name", known.name)?;
    if name.is_empty() {
        return Err("a component has no name".to_owned());
    }
    Ok(Box::leak(Box::new(Loaded { plugin, name, table: known, own_table: table })))
}

fn text(what: &str, text: abi::Str) -> Result<&'static str, String> {
    // SAFETY: the plugin vouches that texts of its tables live forever.
    std::str::from_utf8(unsafe { text.bytes() })
        .map_err(|_| format!("a component's {what} is not UTF-8"))
}

/// The spec of a component with this table.
pub(crate) fn spec(loaded: &'static Loaded) -> Result<ComponentSpec, String> {
    let Loaded { name, table, .. } = *loaded;
    let schema = text("schema", table.schema)?;
    if !schema.is_empty() && serde_json::from_str::<serde_json::Value>(schema).is_err() {
        return Err(format!("the schema of `{name}` is no JSON"));
    }
    let (summary, manual) = (text("summary", table.summary)?, text("manual", table.manual)?);
    let build = match table.kind {
        abi::kind::TRANSFORM if table.process.is_some() => transform::build(*loaded),
        abi::kind::SINK if table.open.is_some() && table.write.is_some() => sink::build(*loaded),
        abi::kind::SOURCE if table.pull.is_some() => source::build(*loaded),
        1..=3 => return Err(format!("`{name}` lacks a function that its kind must have")),
        other => return Err(format!("`{name}` is of the unknown kind {other}")),
    };
    if table.create.is_none() || table.destroy.is_none() {
        return Err(format!("`{name}` lacks `create` or `destroy`"));
    }
    let blocks = match build {
        Build::Source(_) => true,
        Build::Sink(_) => table.flags & abi::component_flags::BLOCKING != 0,
        // One that never returns must not take a thread that others share.
        Build::Transform(_) => true,
    };
    let Some(functions) = slots::take(loaded) else {
        let most = slots::SLOTS_MAX;
        return Err(format!("it brings more components than the {most} that plugins may bring"));
    };
    Ok(ComponentSpec {
        name,
        summary,
        manual,
        schema: functions.schema,
        ports: functions.ports,
        claims: functions.claims,
        threading: if blocks { Threading::Blocking } else { Threading::Async },
        build,
    })
}

/// What was said in the file must be what is there: it is what the user was shown.
fn check_against_manifest(loaded: &LoadedPlugin) -> Result<(), PluginError> {
    let mut said: Vec<(&str, &str)> =
        loaded.manifest.components.iter().map(|c| (&*c.kind, &*c.name)).collect();
    let mut found: Vec<(&str, &str)> =
        loaded.components.iter().map(|spec| (spec.kind().name(), spec.name)).collect();
    said.sort_unstable();
    found.sort_unstable();
    if said == found {
        return Ok(());
    }
    let why = format!("its manifest names the components {said:?}, its table {found:?}");
    Err(PluginError::Tables { path: loaded.path.clone(), why })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_kept_of_a_file_that_cannot_be_loaded() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("program.so");
        // This very test has the manifest of a plugin, but a program is no library.
        std::fs::copy(std::env::current_exe().unwrap(), &path).unwrap();
        let loaded = load(&path, &Trust::default());
        assert!(matches!(loaded, Err(PluginError::Load { .. })), "{loaded:?}");
        let open = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
        let mut files = open.filter_map(|entry| std::fs::read_link(entry.path()).ok());
        assert!(!files.any(|file| file.to_string_lossy().contains("memfd:program.so")));
    }
}
