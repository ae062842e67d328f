//! Laws of every method: the past decides, units do not matter, what was learned survives; and what each finds.

use proptest::prelude::*;

use super::*;

/// All; the last takes a hundred times as long as the others.
const NAMES: [MethodName; 6] = [
    MethodName::Auto,
    MethodName::Ewma,
    MethodName::Mad,
    MethodName::Quantile,
    MethodName::HalfSpaceTrees,
    MethodName::RandomCutForest,
];

/// The methods for a case with this seed: the slow one for every eighth.
fn names(seed: u64) -> &'static [MethodName] {
    if seed.is_multiple_of(8) { &NAMES } else { &NAMES[..5] }
}

const MINUTE_NS: i64 = 60_000_000_000;

fn method(name: MethodName) -> Method {
    Method { name, limit: 5.0, weight: 0.02, chance: 1e-4 }
}

/// Numbers that look random: uniform in [0, 1).
fn uniform(seed: u64) -> impl Iterator<Item = f64> {
    (1u64..).map(move |at| {
        let bits = crate::event_key::mix(crate::event_key::mix(seed).wrapping_add(at)) >> 11;
        bits as f64 / (1u64 << 53) as f64
    })
}

/// About normal: the sum of twelve uniform ones.
fn normal(seed: u64) -> impl Iterator<Item = f64> {
    let mut uniform = uniform(seed);
    std::iter::repeat_with(move || uniform.by_ref().take(12).sum::<f64>() - 6.0)
}

fn scores(name: MethodName, values: &[f64]) -> Vec<f64> {
    let method = method(name);
    let mut series = Series::new(&method);
    let each = values.iter().enumerate();
    each.map(|(at, value)| series.push(&method, at as i64 * 5 * MINUTE_NS, *value).score())
        .collect()
}

/// Four days with a rhythm, noise, a spike and a shift.
fn days(seed: u64) -> Vec<f64> {
    let noise: Vec<f64> = normal(seed).take(1152).collect();
    let mut values: Vec<f64> = noise
        .iter()
        .enumerate()
        .map(|(at, noise)| 100.0 + 20.0 * (at as f64 / 288.0 * std::f64::consts::TAU).sin() + noise)
        .collect();
    values[900] += 80.0;
    values[1100..].iter_mut().for_each(|value| *value += 30.0);
    values
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_past_alone_decides(seed in any::<u64>(), cut in 0usize..1152) {
        let values = days(seed);
        for &name in names(seed) {
            let whole = scores(name, &values);
            prop_assert_eq!(&scores(name, &values[..cut])[..], &whole[..cut], "{:?}", name);
        }
    }

    #[test]
    fn units_do_not_matter(seed in any::<u64>(), shift in -1e4f64..1e4, scale in 0.01f64..1e3) {
        let values = days(seed);
        let other: Vec<f64> = values.iter().map(|value| value * scale + shift).collect();
        for &name in names(seed) {
            for (at, (one, two)) in scores(name, &values).iter().zip(scores(name, &other)).enumerate() {
                prop_assert!((one - two).abs() < 1e-4, "{:?} at {}: {} and {}", name, at, one, two);
            }
        }
    }

    #[test]
    fn what_was_learned_survives(seed in any::<u64>(), cut in 0usize..1152) {
        let values = days(seed);
        for &name in names(seed) {
            let method = method(name);
            let whole = scores(name, &values);
            let mut series = Series::new(&method);
            for (at, value) in values.iter().enumerate() {
                if at == cut {
                    let mut out = StateWriter::new("", "");
                    series.write(&mut out);
                    let bytes = out.finish();
                    let mut from = StateReader::open(&bytes, "", "").unwrap();
                    series = Series::read(&mut from, &method).unwrap();
                }
                let score = series.push(&method, at as i64 * 5 * MINUTE_NS, *value).score();
                prop_assert_eq!(score.to_bits(), whole[at].to_bits(), "{:?} at {}", name, at);
            }
        }
    }

    #[test]
    fn any_numbers_get_a_score_from_0_to_1(
        values in proptest::collection::vec(
            prop_oneof![Just(0.0), Just(1.0), Just(f64::MAX), Just(f64::MIN), any::<f64>()], 0..400,
        ),
        seed in any::<u64>(),
    ) {
        let values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        for &name in names(seed) {
            for score in scores(name, &values) {
                prop_assert!((0.0..=1.0).contains(&score), "{:?}: {}", name, score);
            }
        }
    }
}

#[test]
fn a_spike_is_seen_and_what_is_usual_is_not() {
    for name in NAMES {
        let values = days(1);
        let scores = scores(name, &values);
        let alarms: Vec<usize> = (0..values.len()).filter(|at| scores[*at] >= 0.5).collect();
        println!("{name:?}: {alarms:?}");
        // The quantiles need a thousand values first.
        if name != MethodName::Quantile {
            assert!(alarms.contains(&900), "{name:?}: {alarms:?}");
            let early = alarms.iter().filter(|at| (300..900).contains(*at)).count();
            assert!(early <= 6, "{name:?}: {early} of 600: {alarms:?}");
        }
    }
}

#[test]
fn a_constant_that_changes_is_an_alarm_and_one_that_does_not_is_none() {
    for name in NAMES {
        // The quantiles need a thousand values first.
        if name == MethodName::Quantile {
            continue;
        }
        let mut values = vec![7.0; 600];
        assert!(scores(name, &values).iter().all(|score| *score < 0.5), "{name:?}");
        values[500] = 7.1;
        assert!(scores(name, &values)[500] >= 0.5, "{name:?}");
    }
}

#[test]
fn numbers_that_are_no_measurements_do_not_switch_a_method_off() {
    let written = |series: &Series| {
        let mut out = StateWriter::new("", "");
        series.write(&mut out);
        out.finish()
    };
    for name in NAMES {
        let method = method(name);
        let mut series = Series::new(&method);
        let mut values: Vec<f64> = normal(7).take(3_000).map(|noise| 50.0 + noise).collect();
        for (at, huge) in [(3, f64::MAX), (70, 1e200), (71, f64::MIN), (72, f64::MAX)] {
            values[at] = huge;
        }
        for (at, value) in values.into_iter().enumerate() {
            let judgement = series.push(&method, at as i64 * 5 * MINUTE_NS, value);
            assert!(
                (0.0..=RATIO_MAX).contains(&judgement.ratio),
                "{name:?} at {at}: {judgement:?}"
            );
        }
        let bytes = written(&series);
        let mut from = StateReader::open(&bytes, "", "").unwrap();
        let mut resumed = Series::read(&mut from, &method).unwrap();
        assert!(from.is_done());
        assert_eq!(written(&resumed), bytes, "{name:?}");
        for series in [&mut series, &mut resumed] {
            let judgement = series.push(&method, 3_000 * 5 * MINUTE_NS, 90.0);
            assert!(judgement.score() >= 0.5, "{name:?}: {judgement:?}");
        }
    }
}

#[test]
fn a_state_with_numbers_that_nothing_teaches_is_refused() {
    for name in NAMES {
        let method = method(name);
        let mut series = Series::new(&method);
        for (at, noise) in normal(7).take(300).enumerate() {
            series.push(&method, at as i64 * 5 * MINUTE_NS, 50.0 + noise);
        }
        let mut out = StateWriter::new("", "");
        series.write(&mut out);
        let bytes = out.finish();
        let read = |bytes: &[u8]| {
            let mut from = StateReader::open(bytes, "", "").unwrap();
            Series::read(&mut from, &method).is_some()
        };
        assert!(read(&bytes));
        // The numbers of around 50 are values, or learned from them.
        let numbers = (0..bytes.len() / 8).map(|at| at * 8).filter(|at| {
            let number = f64::from_le_bytes(bytes[*at..*at + 8].try_into().unwrap());
            (40.0..60.0).contains(&number) && number.fract() != 0.0
        });
        let numbers: Vec<usize> = numbers.collect();
        assert!(!numbers.is_empty(), "{name:?}");
        for (at, bad) in numbers
            .into_iter()
            .flat_map(|at| [f64::INFINITY, f64::NEG_INFINITY, f64::MAX].map(|bad| (at, bad)))
        {
            let mut bytes = bytes.clone();
            bytes[at..at + 8].copy_from_slice(&bad.to_le_bytes());
            assert!(!read(&bytes), "{name:?} takes {bad} at {at}");
        }
    }
}

#[test]
fn a_value_at_the_wrong_time_of_the_day_is_seen() {
    let noise: Vec<f64> = normal(3).take(288 * 6).collect();
    let mut values: Vec<f64> = (0..288 * 6)
        .map(|at| if (96..192).contains(&(at % 288)) { 100.0 } else { 10.0 })
        .zip(&noise)
        .map(|(value, noise)| value + noise)
        .collect();
    // A busy hour in the night: the value is usual, its time is not.
    values[288 * 5 + 30..288 * 5 + 42].iter_mut().for_each(|value| *value += 90.0);
    let scores = scores(MethodName::Auto, &values);
    assert!(scores[288 * 5 + 30] >= 0.5, "{}", scores[288 * 5 + 30]);
}

#[test]
fn as_many_false_alarms_in_a_million_as_asked_for() {
    println!("| distribution | asked for | got in a million |\n|---|--:|--:|");
    for kind in ["normal", "exponential", "uniform"] {
        for asked in [100.0, 1000.0] {
            let mut quantile = quantile::Quantile::new();
            let values = normal(5).zip(uniform(6)).map(|(normal, uniform)| match kind {
                "normal" => normal,
                "exponential" => -(1.0 - uniform).ln(),
                _ => uniform,
            });
            let judged = values.take(400_000).map(|v| quantile.push(v, asked / 1e6).ratio);
            let got = judged.skip(20_000).filter(|ratio| *ratio >= 1.0).count() as f64 / 0.38;
            println!("| {kind} | {asked} | {got:.0} |");
            assert!((asked / 3.0..asked * 3.0).contains(&got), "{kind}: {got} for {asked}");
        }
    }
}
