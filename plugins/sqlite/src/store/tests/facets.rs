//! Facets against what a walk over all events counts.

use super::*;

impl Fixture {
    fn facets(&self, search: &LogQuery, events_max: usize) -> Facets {
        let query = FacetQuery {
            search: search.clone(),
            intervals_max: 60,
            values_max: 100,
            events_max,
            time_max: Duration::from_secs(3600),
        };
        self.store.facets(&query, &QueryControl::default()).unwrap()
    }
}

/// Counts of the events with the name of each, the empty ones too.
fn by_name<'v>(
    events: &'v [(i64, Value)],
    test: impl Fn(&'v Value) -> bool,
    name: impl Fn(&'v Value) -> String,
) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for (_, event) in events.iter().filter(|(_, event)| test(event)) {
        *counts.entry(name(event)).or_default() += 1;
    }
    counts
}

#[test]
fn facets_of_a_search_are_those_of_its_events() {
    let mut fixture = fixture();
    let events = random_events(1500);
    for chunk in events.chunks(400) {
        fixture.add(chunk);
    }
    for (query, test) in queries() {
        let facets = fixture.facets(&query, 100_000);
        let level = |event: &Value| text_of(event, "level").to_uppercase();
        let service = |event: &Value| text_of(event, "service").to_owned();
        let total = events.iter().filter(|(_, event)| test(event)).count() as u64;
        assert_eq!(facets.total, total, "{query:?}");
        assert!(!facets.is_estimate && !facets.is_estimate_of_templates, "{query:?}");
        let in_time = facets.timeline.iter().flat_map(|i| &i.levels).map(|level| level.count);
        assert_eq!(in_time.sum::<u64>(), total, "{query:?}");
        let anomalies = |event: &Value| test(event) && event["anomaly"]["alarm"] == true;
        assert_eq!(
            facets.anomalies,
            events.iter().filter(|(_, event)| anomalies(event)).count() as u64
        );
        // A facet that the query narrows is counted without that.
        if query.levels.is_empty() {
            let found: BTreeMap<String, u64> =
                facets.levels.iter().map(|one| (one.level.clone(), one.count)).collect();
            assert_eq!(found, by_name(&events, test, level), "{query:?}");
        }
        if query.services.is_empty() {
            let found: BTreeMap<String, u64> =
                facets.services.iter().map(|one| (one.service.clone(), one.total)).collect();
            assert_eq!(found, by_name(&events, test, service), "{query:?}");
        }
        if query.template_id.is_none() {
            let found: BTreeMap<String, u64> =
                facets.templates.iter().map(|one| (one.id.clone(), one.count)).collect();
            let mut wanted =
                by_name(&events, test, |event| text_of(event, "template_id").to_owned());
            wanted.remove("");
            assert_eq!(found, wanted, "{query:?}");
        }
    }
}

#[test]
fn a_facet_shows_what_could_be_chosen_instead() {
    let mut fixture = fixture();
    let events = random_events(1500);
    fixture.add(&events);
    let query = LogQuery {
        levels: vec!["ERROR".to_owned()],
        services: vec!["mail".to_owned()],
        template_id: Some("t-2".to_owned()),
        text: Some("then".to_owned()),
        ..LogQuery::default()
    };
    let facets = fixture.facets(&query, 100_000);
    let is = |event: &Value, names: &[&str]| {
        names.iter().all(|name| match *name {
            "level" => event["level"] == "ERROR",
            "service" => event["service"] == "mail",
            _ => event["template_id"] == "t-2",
        })
    };
    let count = |names: &[&str]| events.iter().filter(|(_, event)| is(event, names)).count() as u64;
    assert_eq!(facets.total, count(&["level", "service", "template"]));
    let levels: u64 = facets.levels.iter().map(|level| level.count).sum();
    assert_eq!(levels, count(&["service", "template"]));
    let services: u64 = facets.services.iter().map(|service| service.total).sum();
    assert_eq!(services, count(&["level", "template"]));
    let templates: u64 = facets.templates.iter().map(|template| template.count).sum();
    let with_template =
        |event: &Value| is(event, &["level", "service"]) && event["template_id"].is_string();
    assert_eq!(templates, events.iter().filter(|(_, event)| with_template(event)).count() as u64);
}

#[test]
fn facets_of_many_events_are_estimated_from_a_sample_and_say_so() {
    let mut fixture = fixture();
    let events = random_events(20_000);
    fixture.add(&events);
    let rough = |found: u64, wanted: usize| (found as f64 / wanted as f64 - 1.0).abs() < 0.2;
    let query = LogQuery { condition: Some(".severity >= 50".to_owned()), ..LogQuery::default() };
    let wanted = |test: Test| events.iter().filter(|(_, event)| test(event)).count();
    let all = wanted(|event| event["severity"].as_i64() >= Some(50));
    let facets = fixture.facets(&query, 4000);
    assert!(facets.is_estimate && (2000..=4000).contains(&facets.events_seen), "{facets:?}");
    assert!(rough(facets.total, all), "{} for {all}", facets.total);
    let errors =
        wanted(|event| event["severity"].as_i64() >= Some(50) && event["level"] == "ERROR");
    let found = facets.levels.iter().find(|level| level.level == "ERROR").unwrap().count;
    assert!(rough(found, errors), "{found} for {errors}");
    assert_eq!(facets.timeline.len(), 19, "the sample is spread over the time: {facets:?}");
    // Without a condition the counts that are kept have the answer; templates are not counted by time.
    let facets = fixture.facets(&LogQuery::default(), 4000);
    assert_eq!(
        (facets.total, facets.is_estimate, facets.is_estimate_of_templates),
        (20_000, false, true)
    );
    let found = facets.templates.iter().find(|template| template.id == "t-2").unwrap();
    assert!(rough(found.count, wanted(|event| event["template_id"] == "t-2")), "{found:?}");
    // A text with few matches is known exactly, however few events may be looked at beyond them.
    let rare = LogQuery { text: Some("\"in 777\"".to_owned()), ..LogQuery::default() };
    assert_eq!(
        (fixture.facets(&rare, 4000).total, fixture.facets(&rare, 4000).is_estimate),
        (1, false)
    );
    // When there is no time nothing is seen, and that is told.
    let none = FacetQuery {
        search: query,
        intervals_max: 60,
        values_max: 9,
        events_max: 4000,
        ..FacetQuery::default()
    };
    let none = fixture.store.facets(&none, &QueryControl::default()).unwrap();
    assert_eq!((none.total, none.events_seen, none.is_estimate), (0, 0, true));
}

#[test]
fn a_sample_does_not_take_a_frequent_template_for_all_events() {
    let mut fixture = fixture();
    let event = |n: i64| {
        let template = format!("t-{}", n % 3);
        (START + n * SECOND / 4, json!({"message": "m", "template_id": template, "template": "m"}))
    };
    fixture.add(&(0..20_000).map(event).collect::<Vec<_>>());
    for query in [
        LogQuery { template_id: Some("t-1".to_owned()), ..LogQuery::default() },
        LogQuery { condition: Some(".template_id == \"t-1\"".to_owned()), ..LogQuery::default() },
    ] {
        let facets = fixture.facets(&query, 4000);
        assert!(facets.is_estimate, "{query:?}");
        assert!((6000..7400).contains(&facets.total), "{query:?}: {}", facets.total);
    }
}

#[test]
fn names_beyond_those_that_are_told_apart_are_counted_and_make_it_an_estimate() {
    let mut fixture = fixture();
    let event = |n: usize| {
        (START + n as i64, json!({"message": "m", "template_id": format!("t{n}"), "level": "INFO"}))
    };
    for chunk in 0..13 {
        fixture.add(&(chunk * 5000..(chunk + 1) * 5000).map(event).collect::<Vec<_>>());
    }
    let facets = fixture.facets(&LogQuery { severity_min: None, ..LogQuery::default() }, 100_000);
    assert_eq!((facets.total, facets.events_seen), (65_000, 65_000));
    assert_eq!((facets.is_estimate, facets.is_estimate_of_templates), (false, true));
    assert_eq!(facets.templates.len(), 100);
}
