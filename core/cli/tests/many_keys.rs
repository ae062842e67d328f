//! Keys without end through every transform that keeps something for each of them: the memory of the process stops
//! growing. `LOGRAIL_KEYS` sets how many, ten million as well.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use support::{Background, Place};

/// What each transform may remember is reached within the first quarter of the keys.
const TOPOLOGY: &str = r#"
data_dir = "data"
[buffer]
max_bytes = "1 MiB"
[sources.in]
type = "stdin"
[transforms.json]
type = "parse"
inputs = ["in"]
format = "json"

[transforms.anomaly]
type = "anomaly"
inputs = ["json"]
value = "v"
rate = { interval = "1s" }
key_field = "k"
novelty = { field = "message", max_texts = 10000 }
[transforms.burst]
type = "burst"
inputs = ["json"]
key_field = "k"
[transforms.template]
type = "template"
inputs = ["json"]
max_templates = 1000
[transforms.aggregate]
type = "aggregate"
inputs = ["json"]
window = "1m"
group_by = ["k"]
aggregates = { p = { function = "quantiles", field = "v", quantiles = [0.5] }, d = { function = "distinct", field = "message" } }
[transforms.dedupe]
type = "dedupe"
inputs = ["json"]
fields.match = ["k"]
[transforms.throttle]
type = "throttle"
inputs = ["json"]
threshold = 1
window = "1h"
key_field = "k"
max_keys = 10000
[transforms.reduce]
type = "reduce"
inputs = ["json"]
group_by = ["k"]
[transforms.metrics]
type = "log_to_metric"
inputs = ["json"]
metrics = [{ kind = "histogram", name = "v", field = "v", labels = { k = "k" } }]

[sinks.out]
type = "null"
inputs = ["anomaly", "burst", "template", "aggregate", "dedupe", "throttle", "reduce", "metrics"]
"#;

/// How often the memory is looked at.
const LOOKS: u64 = 40;

/// A word for each number, without a digit, which `template` would take for a value.
fn word(mut number: u64) -> String {
    let mut word = String::from("w");
    while number > 0 {
        word.push(char::from(b'a' + (number % 26) as u8));
        number /= 26;
    }
    word
}

fn resident_bytes(process: &Background) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", process.0.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[test]
fn memory_stops_growing_however_many_keys_come() {
    let keys = std::env::var("LOGRAIL_KEYS").map_or(200_000, |keys| keys.parse().unwrap());
    let place = Place::new();
    place.write("t.toml", TOPOLOGY);
    let mut command = place.lograil(&["run", "t.toml"]);
    command.stdin(Stdio::piped()).stdout(Stdio::null());
    command.stderr(fs::File::create(place.path("stderr")).unwrap());
    let mut running = Background(command.spawn().unwrap());
    let mut input = running.0.stdin.take().unwrap();
    let mut looks = Vec::new();
    for look in 0..LOOKS {
        let mut lines = String::new();
        for key in look * keys / LOOKS..(look + 1) * keys / LOOKS {
            let word = word(key);
            let value = key % 1000;
            writeln!(lines, r#"{{"k":"{word}","message":"{word}x {word} {word}y","v":{value}}}"#)
                .unwrap();
            if lines.len() > 1 << 20 {
                input.write_all(lines.as_bytes()).unwrap();
                lines.clear();
            }
        }
        input.write_all(lines.as_bytes()).unwrap();
        looks.push(resident_bytes(&running) >> 20);
    }
    drop(input);
    assert!(running.wait().success(), "{}", place.read("stderr"));
    let told = place.read("stderr");
    assert!(told.contains(&format!("source in: {keys} in, {keys} out")), "{told}");
    println!("MiB while {keys} keys came: {looks:?}");
    let most = |from: u64, to: u64| looks[from as usize..to as usize].iter().max().unwrap();
    let (before, after) = (most(LOOKS / 4, LOOKS / 2), most(LOOKS * 3 / 4, LOOKS));
    assert!(*after <= before + before / 4 + 16, "{looks:?}");
}
