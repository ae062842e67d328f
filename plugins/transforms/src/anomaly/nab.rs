//! How well real incidents are found: needs the series and the scorer of the Numenta Anomaly Benchmark, which are not
//! part of the repository; found through LOGRAIL_SHARED_DATA, and says so where they are missing.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use lograil_codec::time::parse_rfc3339;

use super::method::{Method, MethodName, Series};
use crate::shared_data;

/// The columns `timestamp` (without a zone) and `value` of a series.
fn series_of(path: &Path) -> Vec<(i64, f64)> {
    let text = std::fs::read_to_string(path).unwrap();
    let rows = text.lines().skip(1).map(|line| {
        let (time, value) = line.split_once(',').unwrap();
        (parse_rfc3339(format!("{time}Z").as_bytes()).unwrap(), value.trim().parse().unwrap())
    });
    rows.collect()
}

fn score(method: &Method, series: &[(i64, f64)]) -> Vec<f64> {
    let mut state = Series::new(method);
    series.iter().map(|(time_ns, value)| state.push(method, *time_ns, *value).score()).collect()
}

fn files(data: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for category in std::fs::read_dir(data).unwrap() {
        let category = category.unwrap().path();
        if category.is_dir() {
            files.extend(std::fs::read_dir(category).unwrap().map(|file| file.unwrap().path()));
        }
    }
    files.sort();
    files
}

/// The points of the benchmark, by profile, as its scorer prints them.
fn points(python: &str, root: &Path, method: &Method, out: &Path) -> serde_json::Value {
    let data = root.join("nab/data");
    let write = |file: &PathBuf| {
        let mut text = "anomaly_score\n".to_owned();
        for score in score(method, &series_of(file)) {
            writeln!(text, "{score:.12}").unwrap();
        }
        let target = out.join(file.strip_prefix(&data).unwrap());
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::write(target, text).unwrap();
    };
    // On two threads, for the sake of `random_cut_forest`.
    let (even, odd): (Vec<_>, Vec<_>) =
        files(&data).into_iter().enumerate().partition(|(at, _)| at % 2 == 0);
    std::thread::scope(|scope| {
        scope.spawn(|| even.iter().for_each(|(_, file)| write(file)));
        odd.iter().for_each(|(_, file)| write(file));
    });
    let mut command = Command::new(python);
    command.arg(root.join("../tools/nab_score.py")).arg(out).arg("--json");
    let output = command.arg("--root").arg(root.join("nab")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn finds_the_incidents_of_the_benchmark() {
    let Some(root) = shared_data::root() else { return };
    let Some(python) = shared_data::python() else { return };
    println!("| NAB, half | standard | low FP | low FN | windows hit | false rows | threshold |");
    println!("|---|--:|--:|--:|--:|--:|--:|");
    for name in [
        MethodName::Auto,
        MethodName::Ewma,
        MethodName::Mad,
        MethodName::Quantile,
        MethodName::HalfSpaceTrees,
        MethodName::RandomCutForest,
    ] {
        let method = Method { name, limit: 5.0, weight: 0.02, chance: 1e-4 };
        let out = tempfile::tempdir().unwrap();
        let points = points(python, &root, &method, out.path());
        let of = |profile: &str| points[profile]["all"]["score"].as_f64().unwrap();
        let standard = &points["standard"];
        println!(
            "| {name:?} | {:.2} | {:.2} | {:.2} | {}/{} | {} | {:.4} |",
            of("standard"),
            of("reward_low_FP_rate"),
            of("reward_low_FN_rate"),
            standard["all"]["hit"],
            standard["all"]["windows"],
            standard["all"]["fp_rows"],
            standard["threshold"].as_f64().unwrap(),
        );
        if name == MethodName::Auto {
            assert!(of("standard") >= 64.0, "{points}");
        }
    }
}

#[test]
fn the_scores_of_a_beginning_are_the_beginning_of_the_scores() {
    let Some(root) = shared_data::root() else { return };
    let method = Method { name: MethodName::Auto, limit: 5.0, weight: 0.02, chance: 1e-4 };
    for file in files(&root.join("nab/data")) {
        let series = series_of(&file);
        let whole = score(&method, &series);
        for cut in (1..=20).map(|part| series.len() * part / 20) {
            let bits = |scores: &[f64]| scores.iter().map(|s| s.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&score(&method, &series[..cut])), bits(&whole[..cut]), "{file:?}");
        }
        let moved: Vec<_> = series.iter().map(|(time, v)| (*time, v * 1000.0 - 250.0)).collect();
        for (one, two) in whole.iter().zip(score(&method, &moved)) {
            assert!((one - two).abs() < 1e-6, "{file:?}: {one} and {two}");
        }
    }
}
