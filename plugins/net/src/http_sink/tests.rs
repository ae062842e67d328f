//! The sink against peers that misbehave, with an oracle that knows what was sent and what was taken.

mod peer;

use std::collections::BTreeSet;
use std::sync::Arc;

use lograil_plugin::{ConfigErrors, Options, SinkError};
use lograil_testkit::{SimFiles, SinkHarness, conformance};
use serde_json::{Value, json};

use super::*;
use peer::{Behaviour, Peer, Request};

fn harness(mut options: Value, peer: &Peer) -> SinkHarness {
    options["url"] = json!(peer.url());
    SinkHarness::new(build(&Options(options)).unwrap()).opened()
}

fn numbers(range: std::ops::Range<u64>) -> Vec<Value> {
    range.map(|n| json!({ "n": n })).collect()
}

/// Commits until that succeeds; the reasons why it did not at first.
fn commit(sink: &mut SinkHarness) -> Vec<(String, Option<Duration>)> {
    let mut reasons = Vec::new();
    loop {
        match sink.commit() {
            Ok(()) => return reasons,
            Err(SinkError::Retry { reason, after }) => reasons.push((reason, after)),
            Err(other) => panic!("{other}"),
        }
        assert!(reasons.len() < 1000, "{reasons:?}");
    }
}

fn ok(_: &Request) -> Behaviour {
    Behaviour::Answer(200, "")
}

#[test]
fn obeys_the_laws_of_a_sink() {
    conformance::manual(&SPEC);
    let peer = Peer::start(ok);
    let options = json!({ "url": peer.url() });
    conformance::sink(&SPEC, &options, &SimFiles::new().shared(), "/");
}

#[test]
fn mistakes_in_the_options_are_named() {
    let url = "http://127.0.0.1:1/";
    let cases = [
        (json!({ "url": "ftp://a/" }), "url"),
        (json!({ "url": url, "encoding": { "format": "x" } }), "encoding"),
        (json!({ "url": url, "prefix": "[" }), "prefix"),
        (json!({ "url": url, "framing": "json_array", "encoding": { "codec": "raw" } }), "framing"),
        (json!({ "url": url, "headers": { "a b": "c" } }), "headers"),
        (json!({ "url": url, "token": "a", "basic": { "user": "b", "password": "c" } }), "basic"),
        (json!({ "url": url, "basic": { "user": "b:b", "password": "c" } }), "basic"),
        (json!({ "url": url, "idempotency_header": "a b" }), "idempotency_header"),
        (json!({ "url": url, "content_type": "a\nb" }), "content_type"),
        (json!({ "url": url, "batch": { "max_bytes": 0 } }), "batch"),
        (json!({ "url": url, "batch": { "max_events": 0 } }), "batch"),
        (json!({ "url": url, "concurrency": 0 }), "concurrency"),
        (json!({ "url": url, "request_timeout": 0 }), "request_timeout"),
    ];
    for (options, path) in cases {
        let ConfigErrors(errors) =
            build(&Options(options.clone())).err().unwrap_or_else(|| panic!("{options}"));
        assert!(errors.iter().any(|error| error.path[0] == path), "{options}: {errors:?}");
    }
}

#[test]
fn a_body_is_what_the_options_say() {
    let cases = [
        (json!({}), "{\"n\":0}\n{\"n\":1}\n", "content-type: application/x-ndjson"),
        (
            json!({ "framing": "json_array" }),
            "[{\"n\":0},{\"n\":1}]",
            "content-type: application/json",
        ),
        (
            json!({ "framing": "custom", "prefix": "<", "separator": ";", "suffix": ">",
                "content_type": "x/y" }),
            "<{\"n\":0};{\"n\":1}>",
            "content-type: x/y",
        ),
        (
            json!({ "encoding": { "codec": "csv", "csv": { "fields": ["n"] } } }),
            "n\n0\n1\n",
            "content-type: text/csv; charset=utf-8",
        ),
        (json!({ "token": "t" }), "{\"n\":0}\n{\"n\":1}\n", "authorization: Bearer t"),
        (
            json!({ "basic": { "user": "Aladdin", "password": "open sesame" }, "method": "PUT" }),
            "{\"n\":0}\n{\"n\":1}\n",
            "authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
        ),
        (json!({ "headers": { "X-Tenant": "a" } }), "{\"n\":0}\n{\"n\":1}\n", "x-tenant: a"),
        (json!({ "compression": "gzip" }), "{\"n\":0}\n{\"n\":1}\n", "content-encoding: gzip"),
        (json!({ "compression": "zstd" }), "{\"n\":0}\n{\"n\":1}\n", "content-encoding: zstd"),
    ];
    for (options, body, header) in cases {
        let peer = Peer::start(ok);
        let mut sink = harness(options.clone(), &peer);
        sink.write_json(&numbers(0..2)).unwrap();
        assert_eq!(commit(&mut sink), []);
        let requests = peer.requests();
        assert_eq!(requests.len(), 1, "{options}");
        assert_eq!(requests[0].body, body, "{options}");
        assert!(requests[0].head.contains(header), "{options}: {}", requests[0].head);
    }
}

#[test]
fn batches_are_bounded_by_events_and_bytes_and_gather_events_of_several_writes() {
    let peer = Peer::start(ok);
    let mut sink = harness(json!({ "batch": { "max_events": 3 }, "concurrency": 1 }), &peer);
    for n in 0..4 {
        sink.write_json(&numbers(2 * n..2 * n + 2)).unwrap();
    }
    commit(&mut sink);
    let sizes: Vec<_> =
        peer.requests().iter().map(|request| request.body.lines().count()).collect();
    assert_eq!(sizes, [3, 3, 2]);
    let peer = Peer::start(ok);
    let mut sink = harness(json!({ "batch": { "max_bytes": 20 }, "concurrency": 1 }), &peer);
    sink.write_json(&[json!({ "long": "x".repeat(50) }), json!({}), json!({}), json!({})]).unwrap();
    commit(&mut sink);
    let sizes: Vec<_> =
        peer.requests().iter().map(|request| request.body.lines().count()).collect();
    assert_eq!(sizes[0], 1);
    assert_eq!(sizes.iter().sum::<usize>(), 4);
}

#[test]
fn what_may_pass_is_sent_again_with_the_same_key() {
    for status in [429, 503, 500, 401, 404] {
        let peer = Peer::start(move |request: &Request| match request.number {
            0 => Behaviour::Answer(status, "Retry-After: 7\r\n"),
            _ => Behaviour::Answer(204, ""),
        });
        let mut sink = harness(json!({}), &peer);
        sink.write_json(&numbers(0..2)).unwrap();
        let waits = commit(&mut sink);
        assert_eq!(waits.len(), 1, "{waits:?}");
        assert!(waits[0].0.contains(&status.to_string()), "{waits:?}");
        assert_eq!(waits[0].1, Some(Duration::from_secs(7)));
        assert_eq!(sink.take_rejected(), []);
        let requests = peer.requests();
        assert_eq!(requests[0].body, requests[1].body);
        assert!(!requests[0].key().is_empty());
        assert_eq!(requests[0].key(), requests[1].key());
    }
}

#[test]
fn a_poisonous_event_is_found_and_the_others_are_delivered() {
    let poisonous = |request: &Request| request.body.contains("\"n\":13}");
    let peer = Peer::start(move |request: &Request| match poisonous(request) {
        true => Behaviour::Answer(400, ""),
        false => Behaviour::Answer(200, ""),
    });
    let mut sink = harness(json!({}), &peer);
    sink.write_json(&numbers(0..10)).unwrap();
    sink.write_json(&numbers(10..20)).unwrap();
    assert_eq!(commit(&mut sink), []);
    let rejected = sink.take_rejected();
    assert_eq!(rejected.len(), 1);
    assert_eq!((rejected[0].batch, rejected[0].rejection.event), (1, 3));
    assert!(rejected[0].rejection.reason.contains("400"), "{rejected:?}");
    let wanted: BTreeSet<u64> = (0..20).filter(|n| *n != 13).collect();
    assert_eq!(peer.taken(), wanted);
    let keys: BTreeSet<String> = peer.requests().iter().map(Request::key).collect();
    assert_eq!(keys.len(), peer.requests().len(), "every body has a key of its own");
    // Batches are counted from the last commit.
    sink.write_json(&numbers(13..14)).unwrap();
    commit(&mut sink);
    assert_eq!(sink.take_rejected()[0].batch, 0);
}

#[test]
fn a_peer_that_hangs_resets_or_trickles_is_tried_again() {
    for bad in [Behaviour::Hang, Behaviour::Reset, Behaviour::Trickle, Behaviour::Close] {
        let first = bad.clone();
        let peer = Peer::start(move |request: &Request| match request.number {
            0 => first.clone(),
            _ => Behaviour::Answer(200, ""),
        });
        let mut sink = harness(json!({ "request_timeout": "300ms" }), &peer);
        sink.write_json(&numbers(0..3)).unwrap();
        let waits = commit(&mut sink);
        assert_eq!(waits.len(), 1, "{bad:?}: {waits:?}");
        assert_eq!(peer.taken(), (0..3).collect(), "{bad:?}");
    }
}

#[test]
fn the_status_decides_where_the_body_of_an_answer_does_not_end() {
    let peer = Peer::start(|request: &Request| match request.body.contains("\"n\":2}") {
        true => Behaviour::Endless(400),
        false => Behaviour::Endless(200),
    });
    let options = json!({ "request_timeout": "300ms", "batch": { "max_events": 1 } });
    let mut sink = harness(options, &peer);
    sink.write_json(&numbers(0..3)).unwrap();
    assert_eq!(commit(&mut sink), []);
    assert_eq!(peer.requests().len(), 3, "nothing is sent twice");
    assert_eq!(peer.taken(), (0..2).collect());
    let rejected = sink.take_rejected();
    assert_eq!(rejected.len(), 1);
    assert!(rejected[0].rejection.reason.contains("400 Bad Request: why"), "{rejected:?}");
}

#[test]
fn nobody_there_is_waited_for_and_a_write_is_refused_while_others_wait() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let options = json!({ "url": format!("http://{free}/"), "batch": { "max_events": 1 },
        "concurrency": 1 });
    let mut sink = SinkHarness::new(build(&Options(options)).unwrap()).opened();
    sink.write_json(&numbers(0..1)).unwrap();
    assert!(matches!(sink.commit(), Err(SinkError::Retry { .. })));
    sink.write_json(&numbers(1..4)).unwrap();
    assert!(matches!(sink.write_json(&numbers(4..5)), Err(SinkError::Retry { .. })));
}

/// Every kind of mischief at random, and poison: what was sent is taken or refused, never both, never neither.
#[test]
fn through_every_kind_of_mischief_nothing_is_lost() {
    let is_poison = |n: u64| n % 97 == 5;
    let peer = Peer::start(move |request: &Request| {
        let random = RandomState::new().hash_one(request.number) % 100;
        match random {
            0..=7 => Behaviour::Answer(429, "Retry-After: 0\r\n"),
            8..=15 => Behaviour::Answer(503, ""),
            16..=19 => Behaviour::Reset,
            20..=23 => Behaviour::Close,
            24 => Behaviour::Hang,
            25 => Behaviour::Trickle,
            _ if request.events().any(is_poison) => Behaviour::Answer(422, ""),
            26..=29 => Behaviour::TakeAndReset,
            _ => Behaviour::Answer(200, ""),
        }
    });
    let options =
        json!({ "request_timeout": "200ms", "concurrency": 3, "batch": { "max_events": 40 } });
    let mut sink = harness(options, &peer);
    let (mut refused, mut next) = (BTreeSet::new(), 0);
    for _ in 0..10 {
        let mut first_of = Vec::new();
        for size in [1, 50, 130] {
            let batch = numbers(next..next + size);
            let mut tries = 0;
            while let Err(error) = sink.write_json(&batch) {
                assert!(matches!(error, SinkError::Retry { .. }), "{error}");
                tries += 1;
                assert!(tries < 1000, "{error}");
            }
            first_of.push(next);
            next += size;
        }
        commit(&mut sink);
        for late in sink.take_rejected() {
            let is_new = refused.insert(first_of[late.batch] + late.rejection.event as u64);
            assert!(is_new, "{late:?} is refused twice");
        }
    }
    let poison: BTreeSet<u64> = (0..next).filter(|n| is_poison(*n)).collect();
    assert_eq!(refused, poison);
    let taken = peer.taken();
    let lost: Vec<u64> = (0..next).filter(|n| !is_poison(*n) && !taken.contains(n)).collect();
    assert_eq!(lost, [0; 0], "of {next}");
    assert_eq!(taken.intersection(&poison).count(), 0);
}

#[test]
fn https_is_spoken_with_those_who_are_trusted() {
    let directory = tempfile::tempdir().unwrap();
    let (config, certificate) = peer::tls();
    let file = directory.path().join("ca.pem");
    std::fs::write(&file, certificate).unwrap();
    let peer = Peer::start_with(ok, Some(Arc::new(config)));
    let mut sink = harness(json!({ "tls": { "ca_file": file } }), &peer);
    sink.write_json(&numbers(0..3)).unwrap();
    assert_eq!(commit(&mut sink), []);
    assert_eq!(peer.taken(), (0..3).collect());
    let (_, other) = peer::tls();
    std::fs::write(&file, other).unwrap();
    let mut sink = harness(json!({ "tls": { "ca_file": file } }), &peer);
    sink.write_json(&numbers(0..3)).unwrap();
    let Err(SinkError::Retry { reason, .. }) = sink.commit() else { panic!("is not trusted") };
    assert!(reason.contains("certificate"), "{reason}");
}
