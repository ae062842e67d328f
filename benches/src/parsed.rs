//! Blocks of generated NDJSON that what is measured starts from, and the command line of the benches that take them.

use bytes::Bytes;
use lograil_codec::json::{ParseOptions, Parser};
use lograil_event::Batch;

use crate::generator::{self, Shapes};
use crate::measure::{self, Size};
use crate::transform::batch_of;

const BLOCKS: usize = 4;
const LINES: usize = 4096;

/// What a bench was started with: `[NAME] [--rounds N]`.
#[derive(Debug)]
pub struct Bench {
    /// The path that is to run alone.
    pub name: Option<String>,
    /// How often each path runs.
    pub rounds: usize,
    /// NDJSON, its keys always in one order.
    pub blocks: Vec<Bytes>,
    /// How much that is.
    pub size: Size,
}

impl Bench {
    /// What the command line says; 15 rounds if it says nothing.
    #[must_use]
    pub fn from_command_line() -> Self {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let rounds = measure::rounds(&arguments, 15);
        let name = arguments.into_iter().next().filter(|name| !name.starts_with("--"));
        let blocks = generator::ndjson(Shapes::One, BLOCKS, LINES);
        let blocks: Vec<Bytes> = blocks.into_iter().map(Bytes::from).collect();
        let size = Size { bytes: blocks.iter().map(Bytes::len).sum(), events: BLOCKS * LINES };
        Self { name, rounds, blocks, size }
    }
}

/// The events of a block, parsed; they share the table of keys of the parser.
pub fn parsed(parser: &mut Parser, block: &Bytes) -> Batch {
    let (mut batch, mut failures) = (batch_of(block, None), Vec::new());
    parser.parse_batch(&mut batch, "message", ParseOptions::default(), &mut failures);
    batch
}
