//! What a plugin's instance says of itself before it runs, and what the check of a topology makes of it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod support;

use support::plugins::faulty;

/// What `lograil check` says of a topology that ends in a sink `out`.
fn check(components: &str) -> support::Finished {
    let place = faulty();
    let out = "[sinks.out]\ntype = \"null\"\ninputs = [\"last\"]\n";
    place.write("t.toml", format!("[plugins]\ndir = \"plugins\"\n{components}{out}"));
    place.run(&["check", "t.toml"])
}

fn is_refused(components: &str, told: &[&str]) {
    let checked = check(components);
    assert_eq!(checked.code(), 1, "{}", checked.stderr());
    for told in told {
        assert!(checked.stderr().contains(told), "{told}: {}", checked.stderr());
    }
}

const TRANSFORM: &str = "[transforms.last]\ntype = \"faulty.transform\"\ninputs = [\"in\"]\n";

#[test]
fn a_transform_of_a_plugin_that_holds_events_back_is_refused_where_senders_do_not_wait() {
    let http = "[sources.in]\ntype = \"http\"\nlisten = \"127.0.0.1:0\"\n";
    let told = "error[held-back]: events are held back for up to 120s at transform `last`";
    is_refused(
        &format!("{http}{TRANSFORM}fault = \"holds\"\n"),
        &[told, "`acknowledge = \"accepted\"`"],
    );
    check(&format!("{http}{TRANSFORM}fault = \"none\"\n")).assert_success();
    let stdin = "[sources.in]\ntype = \"stdin\"\n";
    check(&format!("{stdin}{TRANSFORM}fault = \"holds\"\n")).assert_success();
}

#[test]
fn a_source_of_a_plugin_says_how_long_its_senders_wait() {
    let source = "[sources.in]\ntype = \"faulty.source\"\nfault = \"waits\"\n";
    let last = "[transforms.last]\ntype = \"aggregate\"\ninputs = [\"in\"]\nwindow = \"5m\"\ntime = \"arrival\"\n";
    let told = "senders to source `in` wait only 60s for their delivery";
    is_refused(&format!("{source}{last}"), &[told, "let them wait; or let the transform"]);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let stdin = "[sources.in]\ntype = \"stdin\"\n";
    let of = |fault: &str| format!("{stdin}{TRANSFORM}fault = \"{fault}\"\n");
    is_refused(&of("traits_text"), &["transform `last`: plugin faulty: traits: it says"]);
    is_refused(&of("traits_fail"), &["plugin faulty: traits: it failed with status -1"]);
    is_refused(&of("only_named"), &["last"]);
}
