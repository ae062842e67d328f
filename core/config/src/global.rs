//! What a topology sets for the whole process, beside its components.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lograil_plugin::schemars::JsonSchema;
use lograil_plugin::{ByteSize, Period, Secret, schemars};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::diagnostic::{Diagnostic, SourceFile};
use crate::document::{Span, Table, Value};
use crate::schema::{self, Validator, option_names};
use crate::topology::KINDS;
use crate::{json, suggest};

/// Settings of the whole process, resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Global {
    /// Where checkpoints and buffers live, resolved against the directory that lograil runs in.
    pub data_dir: Option<PathBuf>,
    /// The admin server, if there is to be one.
    pub admin: Option<AdminOptions>,
    /// How long a stop may take before what is in flight is given up.
    pub shutdown_timeout: Period,
    /// The channels between components.
    pub buffer: BufferOptions,
    /// Where plugins come from.
    pub plugins: PluginOptions,
}

/// Where plugins come from: `[plugins]`, its paths resolved against the directory that lograil runs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginOptions {
    /// The only directory that plugins may come from; all in it are loaded, unless `path` lists some.
    pub dir: Option<PathBuf>,
    /// The plugins to load.
    pub path: Vec<PathBuf>,
    /// The sha256 that files must have, by file name.
    pub sha256: BTreeMap<String, String>,
    /// How long a call into a plugin may last before a warning names it.
    pub hang_after: Period,
    /// How long it may last before its instance is left behind.
    pub hang_limit: Option<Period>,
}

impl Default for PluginOptions {
    fn default() -> Self {
        PluginsTable::default().resolve(Path::new(""))
    }
}

/// The admin server: `[admin]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminOptions {
    /// Where it listens.
    pub listen: SocketAddr,
    /// What everything but the page and the probes asks for.
    pub token: Option<Secret>,
    /// How long a question to a store may take.
    pub query_timeout: Period,
}

/// The channels between components: `[buffer]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(crate = "schemars")]
#[serde(default, deny_unknown_fields)]
pub struct BufferOptions {
    /// How many bytes of events may wait on one edge before its sender has to.
    pub max_bytes: ByteSize,
}

impl Default for BufferOptions {
    fn default() -> Self {
        Self { max_bytes: ByteSize(8 << 20) }
    }
}

/// The top level of a topology as it is written, without the tables of components.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[schemars(crate = "schemars")]
#[serde(default, deny_unknown_fields)]
pub(crate) struct GlobalOptions {
    /// Where checkpoints and buffers live.
    pub data_dir: Option<PathBuf>,
    /// How long a stop may take before what is in flight is given up.
    pub shutdown_timeout: Period,
    /// The admin server.
    pub admin: Option<AdminTable>,
    /// The channels between components.
    pub buffer: BufferOptions,
    /// Where plugins come from.
    pub plugins: PluginsTable,
}

/// `[plugins]` as it is written.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[schemars(crate = "schemars")]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PluginsTable {
    /// The only directory that plugins may come from. All of its `*.so` are loaded, unless `path` lists some.
    pub dir: Option<PathBuf>,
    /// The plugins to load: file names in `dir`, or paths where there is no `dir`.
    pub path: Vec<PathBuf>,
    /// The sha256 that files must have, in hexadecimal, by file name.
    pub sha256: BTreeMap<String, String>,
    /// How long a call into a plugin may last before a warning names it, and again whenever as much has passed.
    pub hang_after: Period,
    /// How long a call, or an operation of a sink, may last before its instance is left behind and another takes over.
    /// Without it: for ever. With it, each call goes by another thread. Longer than 0.
    pub hang_limit: Option<Period>,
}

impl Default for PluginsTable {
    fn default() -> Self {
        let hang_after = Period(Duration::from_secs(30));
        Self { dir: None, path: Vec::new(), sha256: BTreeMap::new(), hang_after, hang_limit: None }
    }
}

impl PluginsTable {
    fn resolve(self, base_dir: &Path) -> PluginOptions {
        let dir = self.dir.map(|dir| base_dir.join(dir));
        let start = dir.as_deref().unwrap_or(base_dir);
        let path = self.path.iter().map(|path| start.join(path)).collect();
        let (hang_after, hang_limit) = (self.hang_after, self.hang_limit);
        PluginOptions { dir, path, sha256: self.sha256, hang_after, hang_limit }
    }
}

impl Default for GlobalOptions {
    fn default() -> Self {
        Self {
            data_dir: None,
            shutdown_timeout: Period(Duration::from_secs(60)),
            admin: None,
            buffer: BufferOptions::default(),
            plugins: PluginsTable::default(),
        }
    }
}

/// `[admin]` as it is written.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[schemars(crate = "schemars")]
#[serde(deny_unknown_fields)]
pub(crate) struct AdminTable {
    /// Address and port, `127.0.0.1:9598`.
    pub listen: String,
    /// Allows an address that other machines can reach, although there is no `token`.
    #[serde(default)]
    pub allow_remote: bool,
    /// What everything but the page and the probes asks for, as `Authorization: Bearer TOKEN`.
    pub token: Option<Secret>,
    /// How long a question to a store may take.
    #[serde(default = "default_query_timeout")]
    pub query_timeout: Period,
}

/// Longer, and the browser that asked has most likely given up.
fn default_query_timeout() -> Period {
    Period(Duration::from_secs(10))
}

impl Global {
    /// The settings in the form of the file.
    pub(crate) fn to_json(&self) -> Json {
        json!({
            "data_dir": self.data_dir,
            "shutdown_timeout": self.shutdown_timeout,
            "admin": self.admin.as_ref().map(|admin| json!({
                "listen": admin.listen,
                "token": admin.token,
                "query_timeout": admin.query_timeout,
            })),
            "buffer": { "max_bytes": self.buffer.max_bytes },
            "plugins": {
                "dir": self.plugins.dir,
                "path": self.plugins.path,
                "sha256": self.plugins.sha256,
                "hang_after": self.plugins.hang_after,
                "hang_limit": self.plugins.hang_limit,
            },
        })
    }
}

/// Reads the settings; `None` if they hold a mistake.
pub(crate) fn check(
    mut table: Table,
    base_dir: &Path,
    files: &[SourceFile],
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Global> {
    let before = diagnostics.len();
    let schema = lograil_plugin::spec::schema_of::<GlobalOptions>();
    unknown_names(&mut table, &schema, diagnostics);
    schema::annotate(&schema, &mut table);
    let at = Span { file: 0, start: 0, end: 0 };
    let validator = Validator { root: &schema, owner: "the topology", extra_names: &[] };
    diagnostics.extend(validator.check(&table, at));
    if diagnostics.len() > before {
        return None;
    }
    let options: GlobalOptions = match serde_json::from_value(json::options(&table)) {
        Ok(options) => options,
        Err(error) => {
            let message = format!("the settings of the topology: {error}");
            diagnostics.push(Diagnostic::error("invalid-option", message).at(at, ""));
            return None;
        }
    };
    let admin = match &options.admin {
        Some(admin) => Some(AdminOptions {
            listen: listen(admin, &table, files, diagnostics)?,
            token: admin.token.clone(),
            query_timeout: admin.query_timeout,
        }),
        None => None,
    };
    check_hangs(&options.plugins, &table, diagnostics)?;
    Some(Global {
        data_dir: options.data_dir.map(|data_dir| base_dir.join(data_dir)),
        admin,
        shutdown_timeout: options.shutdown_timeout,
        buffer: options.buffer,
        plugins: options.plugins.resolve(base_dir),
    })
}

/// Takes names out that the top level does not know.
fn unknown_names(table: &mut Table, schema: &Json, diagnostics: &mut Vec<Diagnostic>) {
    let mut known: Vec<&str> = KINDS.iter().map(|kind| kind.table()).collect();
    known.push("tests");
    known.extend(option_names(schema, schema));
    table.entries.retain(|entry| {
        if known.contains(&entry.key.as_str()) {
            return true;
        }
        let (code, what) = match entry.node.value {
            Value::Table(_) | Value::Array(_) => ("unknown-table", "table"),
            _ => ("unknown-option", "option"),
        };
        let message = format!("unknown {what} `{}` at the top level", entry.key);
        let close = suggest::closest(&entry.key, known.iter().copied());
        let label = suggest::label(close, format!("no such {what}"));
        let help = format!("at the top level: {}", suggest::list(known.iter().copied()));
        diagnostics.push(Diagnostic::error(code, message).at(entry.key_span, label).help(help));
        false
    });
}

/// Limits of time that would be over at once.
fn check_hangs(
    plugins: &PluginsTable,
    table: &Table,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<()> {
    let limit = plugins
        .hang_limit
        .map(|limit| ("hang_limit", limit, "leave it out: then a call may last for ever"));
    let after = (
        "hang_after",
        plugins.hang_after,
        "write how long a call may last before a warning, such as `30s`",
    );
    for (name, period, help) in [Some(after), limit].into_iter().flatten() {
        if period.0.is_zero() {
            let node = table.get("plugins")?.node.descend(&[name.to_owned()]);
            let message = format!("option `plugins.{name}` must be longer than 0");
            let diagnostic = Diagnostic::error("range", message);
            diagnostics.push(diagnostic.at(node.span, "no time at all").help(help));
            return None;
        }
    }
    Some(())
}

/// The address of the admin server, which others reach only if that is asked for.
fn listen(
    admin: &AdminTable,
    table: &Table,
    files: &[SourceFile],
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<SocketAddr> {
    let node = &table.get("admin")?.node;
    let node = node.descend(&["listen".to_owned()]);
    let span = node.text_span(files, 0..admin.listen.len());
    let Ok(address) = admin.listen.parse::<SocketAddr>() else {
        diagnostics.push(
            Diagnostic::error("format", "option `admin.listen` is not an address and a port")
                .at(span, "not an address and a port")
                .help("write `listen = \"127.0.0.1:9598\"`"),
        );
        return None;
    };
    if !address.ip().is_loopback() && !admin.allow_remote && admin.token.is_none() {
        diagnostics.push(
            Diagnostic::error("remote-admin", "the admin server would be open to other machines")
                .at(span, "not a loopback address")
                .help(
                    "set a `token` in `[admin]`, or say `allow_remote = true` if anybody may ask",
                ),
        );
        return None;
    }
    Some(address)
}
