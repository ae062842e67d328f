//! What the simulated file system keeps, loses and refuses, and that it agrees with the machine's.

use std::io::ErrorKind;
use std::path::Path;

use crate::fs::Open;

use super::*;

fn p(path: &str) -> &Path {
    Path::new(path)
}

#[test]
fn a_handle_outlives_rename_and_unlink_of_its_name() {
    let files = SimFiles::new();
    files.write("/d/a", "one");
    let handle = files.open(p("/d/a"), Open::ReadWrite).unwrap();
    files.rename(p("/d/a"), p("/d/b")).unwrap();
    files.write("/d/a", "new file");
    handle.write_all_at(b"+two", 3).unwrap();
    assert_eq!((files.text("/d/a"), files.text("/d/b")), ("new file".into(), "one+two".into()));
    files.remove_file(p("/d/b")).unwrap();
    let mut buf = [0; 16];
    assert_eq!(handle.read_at(&mut buf, 0).unwrap(), 7);
    assert_eq!(files.used_bytes(), 8 + 7);
    drop(handle);
    assert_eq!((files.used_bytes(), files.open_handles(), files.open_handles_peak()), (8, 0, 1));
}

#[test]
fn inode_numbers_are_reused_only_on_demand_and_only_of_files_that_are_gone() {
    let files = SimFiles::new();
    files.write("/a", "");
    let first = files.inode("/a");
    files.rm("/a");
    files.write("/a", "");
    assert_ne!(files.inode("/a"), first);
    files.reuse_inodes();
    let second = files.inode("/a");
    let handle = files.open(p("/a"), Open::Read).unwrap();
    files.rm("/a");
    files.write("/b", "");
    assert_ne!(files.inode("/b"), second, "the file is still open");
    drop(handle);
    files.write("/c", "");
    assert_eq!(files.inode("/c"), second);
}

#[test]
fn rename_replaces_the_file_that_is_there() {
    let files = SimFiles::new();
    files.write("/a", "a");
    files.write("/b", "bb");
    let inode = files.inode("/a");
    files.rename(p("/a"), p("/b")).unwrap();
    assert_eq!(files.list(), [p("/b")]);
    assert_eq!((files.text("/b"), files.inode("/b"), files.used_bytes()), ("a".into(), inode, 1));
}

#[test]
fn a_directory_moves_with_all_that_is_below_it() {
    let files = SimFiles::new();
    files.write("/old/sub/a", "a");
    files.write("/older", "b");
    files.mv("/old", "/new");
    assert_eq!(files.list(), [p("/new/sub/a"), p("/older")]);
    assert_eq!(files.read_dir(p("/new")).unwrap(), [p("/new/sub")]);
}

#[test]
fn links_are_followed_by_metadata_open_and_canonicalize_but_not_by_rename_and_remove() {
    let files = SimFiles::new();
    files.write("/data/real.log", "12345");
    files.symlink("data", "/link");
    files.symlink("real.log", "/data/current");
    let metadata = files.metadata(p("/link/current")).unwrap();
    assert_eq!((metadata.len, metadata.is_file), (5, true));
    assert_eq!(files.canonicalize(p("/link/../link/./current")).unwrap(), p("/data/real.log"));
    assert_eq!(files.read(p("/link/current")).unwrap(), b"12345");
    files.remove_file(p("/link/current")).unwrap();
    assert_eq!(files.list(), [p("/data/real.log"), p("/link")]);
    files.symlink("/loop", "/loop");
    assert!(files.metadata(p("/loop")).is_err());
}

#[test]
fn errors_are_those_of_the_machine() {
    let files = SimFiles::new();
    files.write("/d/a", "");
    let kind = |result: std::io::Result<()>| result.unwrap_err().kind();
    assert_eq!(kind(files.open(p("/d/x"), Open::ReadWrite).map(drop)), ErrorKind::NotFound);
    assert_eq!(kind(files.open(p("/x/a"), Open::Create).map(drop)), ErrorKind::NotFound);
    assert_eq!(kind(files.open(p("/d/a/b"), Open::Create).map(drop)), ErrorKind::NotADirectory);
    assert_eq!(kind(files.open(p("/d"), Open::Read).map(drop)), ErrorKind::IsADirectory);
    assert_eq!(kind(files.remove_file(p("/d/x"))), ErrorKind::NotFound);
    assert_eq!(kind(files.read_dir(p("/d/a")).map(drop)), ErrorKind::NotADirectory);
    assert_eq!(kind(files.create_dir_all(p("/d/a/b"))), ErrorKind::NotADirectory);
    let reader = files.open(p("/d/a"), Open::Read).unwrap();
    assert_eq!(kind(reader.write_at(b"x", 0).map(drop)), ErrorKind::PermissionDenied);
}

/// Whatever the machine's file system answers, the simulated one answers too.
#[test]
fn agrees_with_the_machine_on_a_sequence_of_calls() {
    let directory = tempfile::tempdir().unwrap();
    let sim = SimFiles::new();
    sim.mkdir(directory.path());
    let of = |files: &dyn FileSystem| -> Vec<String> {
        let at = |name: &str| directory.path().join(name);
        let mut seen = Vec::new();
        let mut see = |what: &str, result: std::io::Result<String>| {
            seen.push(format!("{what} {:?}", result.map_err(|error| error.kind())));
        };
        let open = |name: &str, how| files.open(&at(name), how);
        see("missing", open("a", Open::Read).map(|_| String::new()));
        see("create", open("a", Open::Create).map(|_| String::new()));
        let a = open("a", Open::Create).unwrap();
        see("sparse", a.write_at(b"abc", 5).map(|n| n.to_string()));
        see("len", a.metadata().map(|metadata| metadata.len.to_string()));
        see("cut", a.set_len(6).map(|()| String::new()));
        see("content", files.read(&at("a")).map(|content| format!("{content:?}")));
        see("replace", files.replace(&at("b"), b"bb").map(|()| String::new()));
        see("rename", files.rename(&at("a"), &at("b")).map(|()| String::new()));
        see("grow", a.set_len(8).map(|()| String::new()));
        see("content", files.read(&at("b")).map(|content| format!("{content:?}")));
        see("empty", open("b", Open::CreateEmpty).map(|_| String::new()));
        see("beyond", a.read_at(&mut [0; 4], 99).map(|n| n.to_string()));
        see("mkdir", files.create_dir_all(&at("x/y/z")).map(|()| String::new()));
        see("mkdir again", files.create_dir_all(&at("x/y")).map(|()| String::new()));
        see("not a dir", files.create_dir_all(&at("b/c")).map(|()| String::new()));
        see("sync", files.sync_dir(&at("x")).map(|()| String::new()));
        see("no dir", files.sync_dir(&at("nope")).map(|()| String::new()));
        see("onto dir", files.rename(&at("b"), &at("x")).map(|()| String::new()));
        see("rename missing", files.rename(&at("a"), &at("c")).map(|()| String::new()));
        see("remove", files.remove_file(&at("b")).map(|()| String::new()));
        see("remove again", files.remove_file(&at("b")).map(|()| String::new()));
        let mut entries = files.read_dir(directory.path()).unwrap();
        entries.sort();
        see("entries", Ok(format!("{entries:?}")));
        seen
    };
    assert_eq!(of(&sim), of(&crate::SystemFiles));
}

#[test]
fn a_crash_keeps_all_and_a_later_power_loss_still_loses() {
    let files = SimFiles::new();
    files.mkdir("/d");
    let file = files.open(p("/d/a"), Open::Create).unwrap();
    file.write_all_at(b"abc", 0).unwrap();
    let crashed = files.crash();
    assert_eq!((crashed.text("/d/a"), crashed.open_handles()), ("abc".into(), 0));
    assert!((0..50).any(|seed| !crashed.power_loss(seed).exists("/d/a")));
}

#[test]
fn power_loss_keeps_what_was_synced_and_any_part_of_the_rest() {
    let files = SimFiles::new();
    files.mkdir("/d");
    let file = files.open(p("/d/a"), Open::Create).unwrap();
    file.write_all_at(b"durable", 0).unwrap();
    file.sync().unwrap();
    files.sync_dir(p("/d")).unwrap();
    file.write_all_at(b" later", 7).unwrap();
    let left: std::collections::BTreeSet<String> =
        (0..200).map(|seed| files.power_loss(seed).text("/d/a")).collect();
    assert!(left.contains("durable") && left.contains("durable later"), "{left:?}");
    assert!(left.contains("durable la"), "torn: {left:?}");
    assert!(left.iter().all(|text| "durable later".starts_with(text.as_str())), "{left:?}");
    assert!(left.iter().all(|text| text.len() >= 7), "{left:?}");
    file.sync().unwrap();
    assert!((0..200).all(|seed| files.power_loss(seed).text("/d/a") == "durable later"));
    assert_eq!(files.power_loss(7).list(), files.power_loss(7).list());
}

#[test]
fn unsynced_writes_may_be_kept_out_of_order() {
    let files = SimFiles::new();
    files.write("/a", "");
    let file = files.open(p("/a"), Open::ReadWrite).unwrap();
    file.write_all_at(b"11", 0).unwrap();
    file.write_all_at(b"22", 2).unwrap();
    assert!((0..200).any(|seed| files.power_loss(seed).content("/a") == b"\0\x0022"));
}

#[test]
fn names_are_durable_only_after_the_sync_of_their_directory() {
    let files = SimFiles::new();
    files.write("/d/old", "old");
    files.write("/d/target", "before");
    let new = files.open(p("/d/new"), Open::Create).unwrap();
    new.write_all_at(b"after", 0).unwrap();
    new.sync().unwrap();
    files.rename(p("/d/new"), p("/d/target")).unwrap();
    files.remove_file(p("/d/old")).unwrap();
    let left: std::collections::BTreeSet<Vec<PathBuf>> =
        (0..100).map(|seed| files.power_loss(seed).list()).collect();
    let of = |names: &[&str]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
    let prefixes =
        [of(&["/d/new", "/d/old", "/d/target"]), of(&["/d/old", "/d/target"]), of(&["/d/target"])];
    assert_eq!(left.into_iter().collect::<Vec<_>>(), prefixes);
    files.sync_dir(p("/d")).unwrap();
    assert!((0..100).all(|seed| files.power_loss(seed).list() == of(&["/d/target"])));
    assert_eq!(files.power_loss(0).text("/d/target"), "after");
}

#[test]
fn replace_leaves_the_old_or_the_new_after_a_power_loss_whatever_fails() {
    use SimOperation::{Open, Read, Rename, Sync, SyncDir, Write};
    for operation in [Open, Write, Sync, Rename, SyncDir, Read] {
        let files = SimFiles::new();
        files.write("/d/state", "old");
        let hits = files.inject(Fault::new(operation).nth(1));
        let result = files.replace(p("/d/state"), b"new");
        assert_eq!(
            (hits.count(), result.is_ok()),
            if operation == Read { (0, true) } else { (1, false) }
        );
        for seed in 0..50 {
            let text = files.power_loss(seed).text("/d/state");
            assert!(text == "old" || text == "new", "{text}");
            assert!(result.is_err() || text == "new", "it said that it was done");
        }
    }
}

#[test]
fn a_rename_between_directories_is_durable_with_either_and_takes_what_it_builds_on_along() {
    let files = SimFiles::new();
    files.mkdir("/a");
    files.mkdir("/b");
    let file = files.open(p("/a/x"), Open::Create).unwrap();
    file.write_all_at(b"x", 0).unwrap();
    file.sync().unwrap();
    files.rename(p("/a/x"), p("/b/x")).unwrap();
    files.sync_dir(p("/b")).unwrap();
    assert!((0..50).all(|seed| files.power_loss(seed).list() == [p("/b/x")]));
}

#[test]
fn a_fault_strikes_the_calls_it_means_and_counts_them() {
    let files = SimFiles::new();
    files.write("/a", "");
    files.write("/b", "");
    let fault = Fault::new(SimOperation::Write).at("/a").after(1).times(2).errno(ENOSPC);
    let hits = files.inject(fault);
    let a = files.open(p("/a"), Open::ReadWrite).unwrap();
    let b = files.open(p("/b"), Open::ReadWrite).unwrap();
    let results = [&a, &b, &a, &b, &a, &a].map(|file| file.write_at(b"x", 0).is_ok());
    assert_eq!(results, [true, true, false, true, false, true]);
    assert_eq!((hits.count(), files.count(SimOperation::Write)), (2, 6));
    assert_eq!(files.log().iter().filter(|call| call.fault).count(), 2);
    let short = files.inject(Fault::new(SimOperation::Write).nth(1).short(3));
    assert_eq!(a.write_at(b"12345", 0).unwrap(), 3);
    assert_eq!(short.count(), 1);
    let hits = files.inject(Fault::new(SimOperation::Sync).kind(ErrorKind::TimedOut));
    assert_eq!(a.sync().unwrap_err().kind(), ErrorKind::TimedOut);
    files.heal();
    a.sync().unwrap();
    assert_eq!(hits.count(), 1);
}

#[test]
fn a_sync_that_fails_as_on_linux_makes_the_next_one_lie() {
    let files = SimFiles::new();
    files.write("/a", "");
    let file = files.open(p("/a"), Open::ReadWrite).unwrap();
    let hits = files.inject(Fault::new(SimOperation::Sync).nth(1).loses_writes());
    file.write_all_at(b"lost", 0).unwrap();
    assert!(file.sync().is_err());
    file.sync().unwrap();
    assert_eq!((hits.count(), files.text("/a").as_str()), (1, "lost"));
    assert!((0..50).all(|seed| files.power_loss(seed).text("/a").is_empty()));
    file.write_all_at(b"kept", 0).unwrap();
    file.sync().unwrap();
    assert_eq!(files.power_loss(0).text("/a"), "kept");
}

#[test]
fn a_full_disk_takes_what_fits_and_recovers_when_space_is_freed() {
    let files = SimFiles::new();
    files.write("/old", "12345");
    files.set_disk_limit(Some(8));
    let file = files.open(p("/new"), Open::Create).unwrap();
    assert_eq!(file.write_at(b"abcdef", 0).unwrap(), 3);
    assert_eq!(file.write_at(b"d", 3).unwrap_err().raw_os_error(), Some(ENOSPC));
    assert_eq!(file.write_at(b"ABC", 0).unwrap(), 3, "what is there can be overwritten");
    assert!(file.set_len(9).is_err());
    files.rm("/old");
    file.write_all_at(b"def", 3).unwrap();
    assert_eq!(files.text("/new"), "ABCdef");
    assert!(file.write_all_at(b"123456", 6).is_err());
    files.set_disk_limit(None);
    file.write_all_at(b"123456", 6).unwrap();
    assert_eq!(files.text("/new"), "ABCdef123456");
}
