//! Standard output whose reader is slow, full or gone.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};

use lograil_plugin::{Build, Options, SinkError};
use lograil_testkit::SinkHarness;
use serde_json::json;

use super::descriptor::{Descriptor, Stream};
use super::{SPEC, StdoutSink};
use crate::encoding;

/// What a write answers.
#[derive(Debug, Clone, Copy)]
enum Answer {
    Takes(usize),
    Fails(io::ErrorKind),
}

#[derive(Default)]
struct Reader {
    answers: VecDeque<Answer>,
    bytes: Vec<u8>,
    waits: usize,
}

#[derive(Clone, Default)]
struct Pipe(Arc<Mutex<Reader>>);

impl Pipe {
    fn answering(answers: &[Answer]) -> Self {
        let pipe = Self::default();
        pipe.0.lock().unwrap().answers.extend(answers);
        pipe
    }

    fn sink(&self) -> SinkHarness {
        sink_over(Box::new(self.clone()))
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().bytes.clone()).unwrap()
    }
}

fn sink_over(descriptor: Box<dyn Descriptor>) -> SinkHarness {
    sink_with(json!({"codec": "raw"}), descriptor)
}

fn sink_with(encoding: serde_json::Value, descriptor: Box<dyn Descriptor>) -> SinkHarness {
    let options = serde_json::from_value(encoding).unwrap();
    let encoder = encoding::encoder(&options).unwrap();
    SinkHarness::new(Box::new(StdoutSink::new(encoder, descriptor))).opened()
}

impl Descriptor for Pipe {
    fn open(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut reader = self.0.lock().unwrap();
        match reader.answers.pop_front().unwrap_or(Answer::Takes(usize::MAX)) {
            Answer::Takes(most) => {
                let taken = most.min(bytes.len());
                reader.bytes.extend_from_slice(&bytes[..taken]);
                Ok(taken)
            }
            Answer::Fails(kind) => Err(kind.into()),
        }
    }

    fn wait_writable(&mut self) -> io::Result<()> {
        self.0.lock().unwrap().waits += 1;
        Ok(())
    }
}

use Answer::{Fails, Takes};

#[test]
fn writes_whole_batches_through_short_and_interrupted_writes() {
    let pipe = Pipe::answering(&[Takes(1), Fails(io::ErrorKind::Interrupted), Takes(2)]);
    let delivery = pipe.sink().write_lines(&["one", "two"]).unwrap();
    assert_eq!(delivery.bytes, 8);
    assert_eq!(pipe.text(), "one\ntwo\n");
}

#[test]
fn waits_for_a_reader_that_is_slow() {
    let would_block = Fails(io::ErrorKind::WouldBlock);
    let pipe = Pipe::answering(&[would_block, Takes(3), would_block]);
    pipe.sink().write_lines(&["one"]).unwrap();
    assert_eq!(pipe.text(), "one\n");
    assert_eq!(pipe.0.lock().unwrap().waits, 2);
}

#[test]
fn a_reader_that_is_gone_closes_the_sink() {
    for kind in [io::ErrorKind::BrokenPipe, io::ErrorKind::ConnectionReset] {
        let pipe = Pipe::answering(&[Takes(2), Fails(kind)]);
        assert!(matches!(pipe.sink().write_lines(&["one"]), Err(SinkError::Closed)));
    }
}

#[test]
fn a_retry_does_not_repeat_bytes() {
    let full = Fails(io::ErrorKind::StorageFull);
    let pipe = Pipe::answering(&[Takes(5), full, full, Takes(1), full]);
    let mut sink = pipe.sink();
    for _ in 0..3 {
        assert!(matches!(sink.write_lines(&["one", "two"]), Err(SinkError::Retry { .. })));
    }
    sink.write_lines(&["one", "two"]).unwrap();
    sink.write_lines(&["three"]).unwrap();
    assert_eq!(pipe.text(), "one\ntwo\nthree\n");
}

#[test]
fn another_batch_after_an_error_does_not_tear_the_first() {
    let pipe = Pipe::answering(&[Takes(2), Fails(io::ErrorKind::Other)]);
    let mut sink = pipe.sink();
    sink.write_lines(&["one"]).unwrap_err();
    sink.write_lines(&["two"]).unwrap();
    assert_eq!(pipe.text(), "one\ntwo\n");
}

#[test]
fn a_header_comes_first_and_once_whatever_fails() {
    let options = || json!({"codec": "csv", "csv": {"fields": ["message"]}});
    let full = Fails(io::ErrorKind::StorageFull);
    for answers in [vec![], vec![full], vec![Takes(3), full], vec![Takes(9), full, full]] {
        for is_retried in [true, false] {
            let pipe = Pipe::answering(&answers);
            let mut sink = sink_with(options(), Box::new(pipe.clone()));
            let lines: &[&str] = &[];
            sink.write_lines(lines).unwrap();
            let mut wanted = "message\n".to_owned();
            let mut failed = sink.write_lines(&["one"]).is_err();
            let is_lost = failed && !is_retried && pipe.text().is_empty();
            while failed && is_retried {
                failed = sink.write_lines(&["one"]).is_err();
            }
            wanted.push_str(if is_lost { "" } else { "one\n" });
            while sink.write_lines(&["two"]).is_err() {}
            sink.write_lines(&["three"]).unwrap();
            assert_eq!(pipe.text(), wanted + "two\nthree\n", "{answers:?} {is_retried}");
        }
    }
}

#[test]
fn takes_no_other_target_than_the_two() {
    let Build::Sink(build) = SPEC.build else { panic!("it is a sink") };
    assert!(build(&Options(json!({"target": "stderr"}))).is_ok());
    assert!(build(&Options(json!({"target": "printer"}))).is_err());
    assert!(build(&Options(json!({"colour": true}))).is_err());
}

#[test]
fn a_real_descriptor_that_does_not_block_is_polled() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let mut sink = sink_over(Box::new(Stream::over(ours.into())));
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        theirs.read_to_string(&mut text).map(|_| text)
    });
    // Several times what a socket buffers.
    let line = "x".repeat(4 << 20);
    sink.write_lines(&[&line]).unwrap();
    drop(sink);
    assert_eq!(reader.join().unwrap().unwrap(), line + "\n");
}

#[test]
fn a_real_descriptor_without_a_reader_closes_the_sink() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut sink = sink_over(Box::new(Stream::over(ours.into())));
    drop(theirs);
    assert!(matches!(sink.write_lines(&["one"]), Err(SinkError::Closed)));
}
