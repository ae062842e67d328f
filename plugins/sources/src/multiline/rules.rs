//! Whether a line belongs to the event that the lines before it began.

use regex::bytes::Regex;

use super::traces::{Preset, Trace};

/// What a line does to the event that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step<S> {
    /// It belongs to it.
    Join(S),
    /// It belongs to it if a later line joins; else it stands for itself.
    Perhaps(S),
    /// It begins another one.
    Break,
}

/// The rules of a stream.
#[derive(Debug, Clone)]
pub enum Rules {
    /// Every line belongs to the last one that matched.
    Start(Regex),
    /// Lines that match belong to the last one that did not.
    Continuation(Regex),
    /// Behind a line that matches the one, lines that match the other belong to it. All others stand for
    /// themselves.
    StartAndContinuation {
        /// What begins an event.
        start: Regex,
        /// What goes on with it.
        continuation: Regex,
    },
    /// What stack traces look like.
    Preset(Preset),
}

/// What the rules remember of the open event.
#[derive(Debug, Clone, Copy)]
pub enum Memory {
    /// Nothing that matters.
    Plain,
    /// It has no further line.
    Alone,
    /// Where in a stack trace it is.
    Trace(Trace),
}

impl Rules {
    /// What to remember of an event's first line.
    #[must_use]
    pub fn first(&self, line: &[u8]) -> Memory {
        match self {
            Self::Start(_) | Self::Continuation(_) => Memory::Plain,
            Self::StartAndContinuation { start, .. } if start.is_match(line) => Memory::Plain,
            Self::StartAndContinuation { .. } => Memory::Alone,
            Self::Preset(preset) => Memory::Trace(preset.first(line)),
        }
    }

    /// What a further line does.
    #[must_use]
    pub fn step(&self, memory: Memory, line: &[u8]) -> Step<Memory> {
        let joins = match (self, memory) {
            (Self::Start(start), _) => !start.is_match(line),
            (Self::Continuation(continuation), _) => continuation.is_match(line),
            (Self::StartAndContinuation { start, continuation }, Memory::Plain) => {
                continuation.is_match(line) && !start.is_match(line)
            }
            (Self::Preset(preset), Memory::Trace(trace)) => {
                return match preset.step(trace, line) {
                    Step::Join(trace) => Step::Join(Memory::Trace(trace)),
                    Step::Perhaps(trace) => Step::Perhaps(Memory::Trace(trace)),
                    Step::Break => Step::Break,
                };
            }
            _ => false,
        };
        if joins { Step::Join(memory) } else { Step::Break }
    }
}
