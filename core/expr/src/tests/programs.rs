//! Programs as users of VRL write them, each over an event: `programs.txt` has the program, the event, and the
//! events that come of it. A failing test prints the whole file as it would have to be.

use std::fmt::Write;

use super::events::remap;

#[test]
fn programs_as_people_write_them_do_what_they_should() {
    let file = include_str!("programs.txt");
    let mut rendered = String::new();
    let mut count = 0;
    for block in file.split("\n===\n").filter(|block| !block.trim().is_empty()) {
        let (program, rest) = block.split_once("\n---\n").expect("a program and its event");
        let (event, _) = rest.split_once('\n').unwrap_or((rest, ""));
        let made = remap(program.trim(), event);
        assert!(!made.starts_with("refused") && !made.starts_with("error"), "{program}\n{made}");
        writeln!(rendered, "{}\n---\n{event}\n{made}\n===", program.trim()).unwrap();
        count += 1;
    }
    assert!(count >= 30, "{count}");
    assert!(rendered == file, "programs.txt would have to be:\n{rendered}");
}
