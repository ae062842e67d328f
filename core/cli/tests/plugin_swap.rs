//! Plugins that are exchanged while they run: no event is lost, states are handed over, memory is bounded, and a version
//! that does not fit leaves the old one at work. `LOGRAIL_SWAPS` sets how often.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::http::{self, get};
use support::{Background, Place, until};

const TOPOLOGY: &str = r#"
data_dir = "data"
[admin]
listen = "127.0.0.1:0"
[plugins]
dir = "plugins"
[sources.app]
type = "file"
include = ["logs/*.log"]
glob_minimum_cooldown = "20ms"
[transforms.masked]
type = "mask.digits"
inputs = ["app"]
[sinks.out]
type = "file"
inputs = ["masked"]
path = "out.log"
encoding.codec = "text"
encoding.format = "{message}"
"#;

/// Versions of the C example: each marks the lines with a letter of its own.
fn versions(place: &Place) -> Option<[PathBuf; 3]> {
    if !support::has("cc") {
        return None;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    let source = fs::read_to_string(root.join("examples/c-transform/mask.c")).unwrap();
    // Digits must stay here, as it is by them that lines are told apart: the first letter is replaced instead.
    let change = "text.ptr[at] >= '0' && text.ptr[at] <= '9' ? '#'";
    assert!(source.contains(change));
    let build = |name: &str, text: String| {
        let (source, library) =
            (place.write(&format!("{name}.c"), text), place.path(&format!("{name}.so")));
        let built = Command::new("cc")
            .args(["-std=c11", "-fPIC", "-shared", "-fvisibility=hidden", "-I"])
            .arg(root.join("core/abi/include"))
            .arg("-o")
            .arg(&library)
            .arg(source)
            .status();
        assert!(built.unwrap().success());
        library
    };
    let letter = |letter: char| source.replace(change, &format!("at == 0 ? '{letter}'"));
    let refuses = letter('c').replace(
        "    mask *made = (mask *)malloc(sizeof *made);\n",
        "    mask *made = NULL;\n    (void)host, (void)context, (void)instance;\n    if (!made) return lr_fail(error, LR_FAILED, \"this version refuses\");\n",
    );
    Some([build("a", letter('a')), build("b", letter('b')), build("refuses", refuses)])
}

/// Puts a version in the plugin directory as a whole.
fn install(place: &Place, library: &Path) {
    install_as(place, library, "mask.so");
}

fn install_as(place: &Place, library: &Path, name: &str) {
    let (dir, new) = (place.path("plugins"), format!("{name}.new"));
    fs::create_dir_all(&dir).unwrap();
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
    fs::copy(library, dir.join(&new)).unwrap();
    fs::set_permissions(dir.join(&new), fs::Permissions::from_mode(0o644)).unwrap();
    fs::rename(dir.join(&new), dir.join(name)).unwrap();
}

fn lines(range: std::ops::Range<u64>) -> String {
    range.fold(String::new(), |mut text, n| {
        writeln!(text, "-{n}").unwrap();
        text
    })
}

fn reload(place: &Place, running: &Background) {
    let answers = || {
        let log = place.read("stderr");
        log.lines().filter(|line| line.contains("reload: ") && line.ends_with("s)")).count()
    };
    let before = answers();
    running.signal("HUP");
    until("the reload is told", || answers() > before);
}

fn resident_kib(running: &Background) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", running.0.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Starts with version `a`.
fn start(place: &Place) -> Option<([PathBuf; 3], Background)> {
    let versions = versions(place)?;
    install(place, &versions[0]);
    fs::create_dir_all(place.path("logs")).unwrap();
    place.write("t.toml", TOPOLOGY);
    let mut running = place.start(&["run", "--quiet", "t.toml"]);
    until("it runs", || {
        assert!(running.is_running(), "{}", place.read("stderr"));
        place.path("out.log").exists()
    });
    Some((versions, running))
}

#[test]
fn swaps_under_load_lose_and_double_nothing_and_memory_is_bounded() {
    let swaps = std::env::var("LOGRAIL_SWAPS").map_or(1_000, |swaps| swaps.parse().unwrap());
    let place = Place::new();
    let Some((versions, running)) = start(&place) else { return };
    let (mut next, mut memory) = (0, 0);
    for swap in 1..=swaps {
        place.append("logs/a.log", lines(next..next + 300));
        install(&place, &versions[swap % 2]);
        reload(&place, &running);
        next += 300;
        if swap == swaps / 2 {
            memory = resident_kib(&running);
        }
    }
    let out = || place.read("out.log");
    until("all lines are out", || out().lines().count() as u64 >= next);
    let more = resident_kib(&running).saturating_sub(memory);
    assert_eq!(running.stop().code(), Some(0), "{}", place.read("stderr"));
    let (out, log) = (out(), place.read("stderr"));
    let numbers: BTreeSet<u64> = out.lines().map(|line| line[1..].parse().unwrap()).collect();
    assert_eq!((out.lines().count() as u64, numbers.len() as u64), (next, next), "{log}");
    for letter in ['a', 'b'] {
        assert!(out.lines().filter(|line| line.starts_with(letter)).count() > 100, "{letter}");
    }
    assert_eq!(log.matches("reload: changed masked").count(), swaps, "{log}");
    assert!(more < 16 * 1024, "{more} KiB more after the second half of {swaps} swaps");
}

/// Each version is another file here, as it is in use: 1,000 of them must not use up what the system lets a program open.
#[test]
fn a_version_costs_no_open_file_and_two_swaps_at_a_time_are_refused() {
    let place = Place::new();
    let Some((versions, running)) = start(&place) else { return };
    let open = || fs::read_dir(format!("/proc/{}/fd", running.0.id())).unwrap().count();
    let (before, version) = (open(), fs::read(&versions[0]).unwrap());
    for swap in 0..20_u8 {
        let other = place.write("other.so", [&version[..], &[swap]].concat());
        install(&place, &other);
        reload(&place, &running);
    }
    assert_eq!(place.read("stderr").matches("reload: changed masked").count(), 20);
    assert!(open() < before + 10, "{} open files, {before} before", open());
    let directory = fs::File::open(place.path("plugins")).unwrap();
    directory.lock().unwrap();
    let ran = place.run(&["plugin", "swap", versions[1].to_str().unwrap(), "t.toml"]);
    assert_eq!(ran.code(), 1);
    assert!(ran.stderr().contains("another swap in "), "{}", ran.stderr());
    assert_eq!(running.stop().code(), Some(0), "{}", place.read("stderr"));
}

/// A reload that is under way has read the old file: what it changes is no answer to a swap that comes meanwhile.
#[test]
fn a_swap_waits_for_a_reload_that_is_under_way() {
    let place = Place::new();
    let Some((versions, running)) = start(&place) else { return };
    let address = http::admin_address(&place);
    support::plugins::make_plugin(&place, "core/cli/tests/plugins/faulty", "faulty.so");
    // The reload waits a second for a sink that does not open.
    let bad = "[sinks.bad]\ntype = \"faulty.sink\"\ninputs = [\"masked\"]\nfault = \"open_hang\"\n";
    place.write("t.toml", format!("{TOPOLOGY}{bad}"));
    running.signal("HUP");
    until("it is being read", || place.read("data/run.json").contains("\"is_changing\":true"));
    let swapped = place.run(&["plugin", "swap", versions[1].to_str().unwrap(), "t.toml"]);
    assert!(swapped.assert_success().stdout().contains("changed masked"), "{}", swapped.stdout());
    let plugins = get(address, "/plugins").json();
    let wanted = lograil_loader::sha256_hex(&fs::read(&versions[1]).unwrap());
    let found = plugins["plugins"].as_array().unwrap().iter();
    assert!(found.clone().any(|plugin| plugin["sha256"] == wanted), "{plugins:#}");
}

/// A version of the plugin whose source, transform and sink are exchanged together.
fn whole_chain(place: &Place, version: &str, refuses: &str) -> PathBuf {
    let library = place.path(&format!("{version}-{refuses}.so"));
    let root = support::plugins::repository();
    let built = Command::new("cc")
        .args(["-std=c11", "-O1", "-fPIC", "-shared", "-fvisibility=hidden", "-pthread", "-I"])
        .arg(root.join("core/abi/include"))
        .args([format!("-DVERSION=\"{version}\""), format!("-DREFUSES=\"{refuses}\"")])
        .arg("-o")
        .arg(&library)
        .arg(root.join("core/cli/tests/plugins/swapped/swapped.c"))
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    library
}

const WHOLE_CHAIN: &str = r#"
data_dir = "data"
[plugins]
dir = "plugins"
[sources.numbers]
type = "swapped.source"
[transforms.seen]
type = "swapped.transform"
inputs = ["numbers"]
[sinks.out]
type = "swapped.sink"
inputs = ["seen"]
"#;

/// Lines of the sink: the number, how many events the transform had seen, the versions of transform and sink.
fn written(place: &Place) -> Vec<(u64, u64, String)> {
    let line = |line: &str| {
        let mut parts = line.split(' ');
        let mut next = || parts.next().unwrap().to_owned();
        (next().parse().unwrap(), next().parse().unwrap(), next())
    };
    place.read("out").lines().map(line).collect()
}

/// The numbers come once each and in order, and the transform has counted all of them.
fn assert_nothing_is_missing(place: &Place) {
    for (line, (number, seen, _)) in written(place).into_iter().enumerate() {
        assert_eq!((number, seen), (line as u64 + 1, line as u64 + 1), "line {line}");
    }
}

/// Waits until more lines are out, of these versions of transform and sink.
fn goes_on(place: &Place, versions: &str) {
    let before = written(place).len();
    until("new lines are out", || {
        let all = written(place);
        all.len() > before + 40 && all.last().is_some_and(|last| last.2 == versions)
    });
}

#[test]
fn sources_states_and_sinks_are_swapped_under_load() {
    let swaps = std::env::var("LOGRAIL_SWAPS").map_or(1_000, |swaps| swaps.parse().unwrap());
    if !support::has("cc") {
        return;
    }
    let place = Place::new();
    let versions = ["a", "b"].map(|version| whole_chain(&place, version, "nothing"));
    install_as(&place, &versions[0], "swapped.so");
    place.write("t.toml", WHOLE_CHAIN);
    let running = place.start(&["run", "--quiet", "t.toml"]);
    until("it runs", || !place.read("out").is_empty());
    for swap in 1..=swaps {
        install_as(&place, &versions[swap % 2], "swapped.so");
        reload(&place, &running);
    }
    assert_eq!(running.stop().code(), Some(0), "{}", place.read("stderr"));
    let log = place.read("stderr");
    assert_eq!(log.matches("reload: changed numbers, seen, out").count(), swaps, "{log}");
    assert!(!log.contains("at the same time") && !log.contains("ERROR"), "{log}");
    assert_nothing_is_missing(&place);
    let of_both = |version: &str| written(&place).iter().any(|line| line.2 == version);
    assert!(of_both("aa") && of_both("bb"));
}

#[test]
fn a_version_that_fails_at_any_step_leaves_the_old_one_at_work() {
    if !support::has("cc") {
        return;
    }
    let place = Place::new();
    let (a, b) = (whole_chain(&place, "a", "nothing"), whole_chain(&place, "b", "nothing"));
    install_as(&place, &a, "swapped.so");
    place.write("t.toml", WHOLE_CHAIN);
    let running = place.start(&["run", "--quiet", "t.toml"]);
    until("it runs", || !place.read("out").is_empty());
    let wrong = [
        (place.write("none.so", "no library"), "it is no ELF file"),
        (whole_chain(&place, "x", "entry"), "this version does not want to"),
        (whole_chain(&place, "x", "options"), "this version wants other options"),
        (whole_chain(&place, "x", "create"), "this version cannot be made"),
        (whole_chain(&place, "x", "state"), "this version does not know the state"),
        (whole_chain(&place, "x", "open"), "this version cannot open the file"),
        (whole_chain(&place, "x", "start"), "start: this version cannot reach its peer"),
    ];
    for (tries, (library, why)) in wrong.iter().enumerate() {
        install_as(&place, library, "swapped.so");
        running.signal("HUP");
        let refusals = || place.read("stderr").matches("reload: nothing is changed").count();
        until("it is refused", || refusals() > tries);
        assert!(place.read("stderr").contains(why), "{why}: {}", place.read("stderr"));
        goes_on(&place, "aa");
    }
    install_as(&place, &b, "swapped.so");
    reload(&place, &running);
    goes_on(&place, "bb");
    assert_eq!(running.stop().code(), Some(0), "{}", place.read("stderr"));
    assert_nothing_is_missing(&place);
}

#[test]
fn a_source_whose_start_does_not_return_leaves_the_old_one_at_work() {
    if !support::has("cc") {
        return;
    }
    let place = Place::new();
    install_as(&place, &whole_chain(&place, "a", "nothing"), "swapped.so");
    let plugins = "[plugins]\ndir = \"plugins\"\n";
    assert!(WHOLE_CHAIN.contains(plugins));
    place.write(
        "t.toml",
        WHOLE_CHAIN.replace(
            plugins,
            &format!("{plugins}hang_limit = \"1s\"\n[admin]\nlisten = \"127.0.0.1:0\"\n"),
        ),
    );
    let running = place.start(&["run", "--quiet", "t.toml"]);
    let address = http::admin_address(&place);
    until("it runs", || !place.read("out").is_empty());
    install_as(&place, &whole_chain(&place, "x", "start_hang"), "swapped.so");
    running.signal("HUP");
    until("it is refused", || place.read("stderr").contains("reload: nothing is changed"));
    let why =
        "start source numbers: plugin swapped: start: `start` has not come to its end for 1.0 s";
    assert!(place.read("stderr").contains(why), "{}", place.read("stderr"));
    goes_on(&place, "aa");
    let plugins = get(address, "/plugins").json();
    let told = plugins["plugins"][0]["last_error"]["message"].as_str().unwrap_or_default();
    assert!(told.contains(why), "{plugins:#}");
    assert_eq!(running.stop().code(), Some(0), "{}", place.read("stderr"));
    assert_nothing_is_missing(&place);
}

#[test]
fn the_command_swaps_and_puts_the_old_version_back_where_the_new_one_fails() {
    let place = Place::new();
    let Some(([_, b, refuses], running)) = start(&place) else { return };
    let address = http::admin_address(&place);
    let told = || get(address, "/plugins").json();
    assert_eq!((&told()["plugins"][0]["generation"], &told()["reload"]), (&1.into(), &().into()));
    let out = || place.read("out.log");
    place.append("logs/a.log", lines(0..1));
    until("the old version works", || out() == "a0\n");
    let file = |path: &Path| path.to_str().unwrap().to_owned();
    let swapped = place.run(&["plugin", "swap", &file(&b), "t.toml"]);
    swapped.assert_success();
    assert!(swapped.stdout().contains("changed masked"), "{}", swapped.stdout());
    place.append("logs/a.log", lines(1..2));
    until("the new version works", || out() == "a0\nb1\n");
    let plugins = told();
    let plugin = &plugins["plugins"][0];
    assert_eq!(
        (&plugin["generation"], &plugin["state"]),
        (&2.into(), &"running".into()),
        "{plugins:#}"
    );
    assert_eq!((&plugin["used_by"][0], &plugin["last_error"]), (&"masked".into(), &().into()));
    assert_eq!(plugins["reload"]["messages"][0], "changed masked", "{plugins:#}");

    let failed = place.run(&["plugin", "swap", &file(&refuses), "t.toml"]);
    assert_eq!(failed.code(), 1);
    assert!(failed.stderr().contains("this version refuses"), "{}", failed.stderr());
    assert!(failed.stderr().contains("is as it was"), "{}", failed.stderr());
    assert_eq!(fs::read(place.path("plugins/mask.so")).unwrap(), fs::read(&b).unwrap());
    assert_eq!(fs::read_dir(place.path("plugins")).unwrap().count(), 1);

    let none = place.write("none.so", "no library");
    assert_eq!(place.run(&["plugin", "swap", &file(&none), "t.toml"]).code(), 1);
    // A file that cannot be used is found by a reload too, and leaves the old one at work.
    install(&place, &refuses);
    running.signal("HUP");
    until("the mistake is told", || told()["reload"]["count"] == 2);
    assert!(place.read("stderr").contains("reload: nothing is changed"));
    place.append("logs/a.log", lines(2..3));
    until("the old version goes on", || out() == "a0\nb1\nb2\n");
    let plugins = told();
    let plugin = &plugins["plugins"][0];
    let error = plugin["last_error"]["message"].as_str().unwrap_or_default();
    assert!(error.contains("this version refuses"), "{plugins:#}");
    let is_refused = &plugins["reload"]["is_refused"];
    assert_eq!((&plugin["generation"], is_refused), (&2.into(), &true.into()), "{plugins:#}");
    assert_eq!(running.stop().code(), Some(0), "{}", place.read("stderr"));
}
