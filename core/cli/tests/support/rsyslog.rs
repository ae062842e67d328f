//! rsyslog as a client: it reads the file `rsyslog/input` and sends each of its lines.

use std::fs;
use std::process::{Command, Stdio};

use super::{Background, Place, has};

/// Whether there is an rsyslog with this module (`lmnsd_gtls`), which its package brings. In CI
/// (`LOGRAIL_REQUIRE_SERVERS=1`) there must be one.
pub fn has_rsyslog_with(module: &str, package: &str) -> bool {
    if !has("rsyslogd") {
        return false;
    }
    let directories = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let mut files = directories.map(|dir| dir.path().join(format!("rsyslog/{module}.so")));
    let found = files.any(|file| file.exists());
    if !found {
        assert!(
            std::env::var_os("LOGRAIL_REQUIRE_SERVERS").is_none(),
            "{package} is not installed"
        );
        eprintln!("skipped: {package} is not installed");
    }
    found
}

/// Starts it; `global` are more of its settings, `modules` are loaded, and each line goes through `actions`.
pub fn start(place: &Place, global: &str, modules: &[&str], actions: &str) -> Background {
    let directory = place.path("rsyslog").display().to_string();
    let modules: String =
        modules.iter().map(|module| format!("module(load=\"{module}\")\n")).collect();
    let config = format!(
        r#"
global(workDirectory="{directory}" maxMessageSize="64k" {global})
module(load="imfile" mode="inotify")
{modules}input(type="imfile" file="{directory}/input" tag="x" ruleset="forward")
template(name="counted" type="string" string="<%pri%>1 %timereported:::date-rfc3339% host counted - - - %msg%")
template(name="traditional" type="string" string="<%pri%>%timereported% host traditional: %msg%\n")
template(name="json" type="list" option.jsonf="on") {{
    property(outname="message" name="msg" format="jsonf")
}}
ruleset(name="forward") {{
{actions}
}}
"#
    );
    let config = place.write("rsyslog/rsyslog.conf", config);
    let open = |name: &str| fs::File::create(place.path(name)).unwrap();
    let mut command = Command::new("/usr/sbin/rsyslogd");
    command.args(["-n", "-i", "NONE", "-f"]).arg(config).stdin(Stdio::null());
    command.stdout(open("rsyslog/stdout")).stderr(open("rsyslog/stderr"));
    Background(command.spawn().unwrap())
}
