//! A file's turn: reading blocks from its offset on, and making events of them.

use bytes::BytesMut;
use lograil_event::Origin;
use lograil_plugin::Closed;
use lograil_plugin::fs::FileId;

use super::fingerprint::{Digest, TAIL_BYTES_MAX, fill};
use super::packed::is_packed;
use super::reader::Reader;
use crate::block_pool::BLOCK_BYTES;
use crate::line_blocks::{Extent, LineBlock, extent, is_too_long, telling_bytes};
use crate::multiline::Close;

/// Bytes read at a time: a block, less what is read again before the offset.
const READ_BYTES: usize = BLOCK_BYTES - TAIL_BYTES_MAX;

/// What to do with a last line that has no newline, and with a last event to which more lines may belong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LastLine {
    /// It may still grow.
    Hold,
    /// It may, but the event before it is complete.
    TakeEvent,
    /// It will not.
    Take,
}

/// What a look at a file brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Nothing new.
    Nothing,
    /// It was read, or found to be another.
    Progress,
}

/// A block with the bytes before the offset in front.
struct Chunk {
    block: BytesMut,
    /// Bytes in front of the offset.
    before: usize,
    /// Bytes in all.
    filled: usize,
    /// Whether the file has more.
    has_more: bool,
}

/// What reading a block can come to.
enum ReadOutcome {
    Chunk(Chunk),
    End,
    Replaced,
}

/// What of a chunk becomes events.
struct Piece {
    /// Its length.
    len: usize,
    /// It is a line over the limit, of which this many bytes were seen.
    skip: Option<usize>,
    /// Where its events end, if they are not its lines.
    ends: Option<Vec<usize>>,
}

impl Piece {
    fn lines(len: usize) -> Self {
        Self { len, skip: None, ends: None }
    }
}

impl Reader {
    /// Reads a file up to its end or its share.
    pub(super) async fn turn(
        &mut self,
        id: FileId,
        last_line: LastLine,
    ) -> Result<Outcome, Closed> {
        let now = self.clock.monotonic();
        let Some(&index) = self.tracker.by_id.get(&id) else { return Ok(Outcome::Nothing) };
        match self.tracker.look(index, now) {
            Ok(Some(true)) => {}
            Ok(Some(false)) => return Ok(Outcome::Progress),
            Ok(None) => {
                self.flush().await?;
                self.tracker.retire(id, now);
                return Ok(Outcome::Progress);
            }
            Err(error) => {
                self.fail(index, &error);
                return Ok(Outcome::Nothing);
            }
        }
        let has_grown = self.tracker.files[index].changed_at == now;
        let last_line = match last_line {
            LastLine::TakeEvent if has_grown => LastLine::Hold,
            last_line => last_line,
        };
        if self.tracker.files[index].is_drained && last_line == LastLine::Hold {
            return Ok(Outcome::Nothing);
        }
        let start = self.tracker.files[index].position.offset;
        let share_end = start.saturating_add(self.tracker.rules.max_read_bytes);
        let mut want = READ_BYTES;
        while self.tracker.files[index].position.offset < share_end {
            match self.read(index, want) {
                Ok(ReadOutcome::Chunk(chunk)) => match self.take(index, chunk, last_line).await? {
                    Some(more) => want = more,
                    None => break,
                },
                Ok(ReadOutcome::End) => {
                    self.tracker.files[index].is_drained = true;
                    break;
                }
                Ok(ReadOutcome::Replaced) => {
                    self.tracker.replace_at(index, now);
                    return Ok(Outcome::Progress);
                }
                Err(error) => {
                    self.fail(index, &error);
                    break;
                }
            }
        }
        let file = &mut self.tracker.files[index];
        if file.position.offset == start {
            return Ok(Outcome::Nothing);
        }
        file.mark();
        if file.is_drained && file.position.offset == file.len && is_packed(&file.position.path) {
            file.position.packed = self.tracker.fs.source_of(id);
        }
        if let Err(error) = self.tracker.refresh_head(index) {
            self.fail(index, &error);
        }
        Ok(Outcome::Progress)
    }

    /// Reads a block at the file's offset, and checks that what is before the offset is what was there.
    fn read(&mut self, index: usize, want: usize) -> std::io::Result<ReadOutcome> {
        let tracked = &self.tracker.files[index];
        let position = &tracked.position;
        let unread = tracked.end().saturating_sub(position.offset);
        let Some(file) = tracked.file.as_ref().filter(|_| unread > 0) else {
            return Ok(ReadOutcome::End);
        };
        let before = position.tail.len as usize;
        let room = before + want;
        let mut block = if room <= BLOCK_BYTES { self.pool.take() } else { BytesMut::zeroed(room) };
        let room = room.min(block.len()).min(before.saturating_add(unread as usize));
        let filled = fill(&**file, position.offset - before as u64, &mut block[..room])?;
        if filled < before || Digest::of(&block[..before]) != position.tail {
            self.pool.give_back(block);
            return Ok(ReadOutcome::Replaced);
        }
        // Truncated and written anew since it was looked at: what was there is in a copy, which comes first.
        let opening = &tracked.opening[..tracked.opening.len().min(filled)];
        if position.offset == 0 && !block[..filled].starts_with(opening) {
            self.pool.give_back(block);
            return Ok(ReadOutcome::Replaced);
        }
        if filled == before {
            self.pool.give_back(block);
            return Ok(ReadOutcome::End);
        }
        let has_more = ((filled - before) as u64) < unread;
        Ok(ReadOutcome::Chunk(Chunk { block, before, filled, has_more }))
    }

    /// Turns a chunk into events. How much to read next, or nothing if the end is reached.
    async fn take(
        &mut self,
        index: usize,
        chunk: Chunk,
        last_line: LastLine,
    ) -> Result<Option<usize>, Closed> {
        let Chunk { block, before, filled, has_more } = chunk;
        let data = &block[before..filled];
        let limit = self.batcher.format().line_bytes_max;
        let line_end = self.batcher.format().charset.line_end();
        let next = if has_more { Some(READ_BYTES) } else { None };
        let position = &mut self.tracker.files[index].position;
        // Where it was left when its charset was still another may be in the middle of a code unit.
        let is_astray = !position.offset.is_multiple_of(line_end.unit() as u64);
        if is_astray || position.skipping {
            let end = line_end.find(data).map(|at| at + line_end.unit());
            let end = if is_astray { Some(1) } else { end };
            position.skipping &= is_astray || end.is_none();
            let skipped = end.unwrap_or(line_end.whole_units(data.len()));
            position.offset += skipped as u64;
            position.tail = Digest::of_tail(&block[..before + skipped]);
            self.touch(index);
            let rest = line_end.whole_units(data.len()) > skipped;
            self.pool.give_back(block);
            self.tracker.files[index].is_drained = !rest && !has_more;
            return Ok(if rest { Some(READ_BYTES) } else { next });
        }
        match extent(data, limit, line_end) {
            Extent::Lines(len) if self.grouping.is_some() => {
                let chunk = Chunk { block, before, filled, has_more };
                self.take_grouped(index, chunk, len, last_line).await
            }
            Extent::Lines(len) => {
                let partial = data.len() - len;
                self.tracker.files[index].is_drained = !has_more;
                self.emit(index, block, before, Piece::lines(len)).await?;
                // A line that is complete but for its newline, or one that goes on beyond the block.
                let goes_on = partial > 0 && (has_more || last_line == LastLine::Take);
                Ok(if goes_on { Some(READ_BYTES) } else { next })
            }
            Extent::TooLong => {
                self.tracker.files[index].is_drained = !has_more;
                let skip = line_end.whole_units(data.len());
                let len = telling_bytes(limit, line_end).min(skip);
                let piece = Piece { len, skip: Some(skip), ends: None };
                self.emit(index, block, before, piece).await?;
                Ok(next)
            }
            Extent::Partial if has_more => {
                self.pool.give_back(block);
                Ok(Some(telling_bytes(limit, line_end)))
            }
            // Half a code unit is no text, and the lines behind it would be none either.
            Extent::Partial if last_line == LastLine::Take && data.len() >= line_end.unit() => {
                let piece = Piece::lines(line_end.whole_units(data.len()));
                self.tracker.files[index].is_drained = true;
                self.emit(index, block, before, piece).await?;
                Ok(None)
            }
            Extent::Partial => {
                self.pool.give_back(block);
                self.tracker.files[index].is_drained = true;
                Ok(None)
            }
        }
    }

    /// The same for a chunk whose first `lines` bytes are whole lines, of which some belong together.
    async fn take_grouped(
        &mut self,
        index: usize,
        chunk: Chunk,
        lines: usize,
        last_line: LastLine,
    ) -> Result<Option<usize>, Closed> {
        let Chunk { block, before, filled, has_more } = chunk;
        let Some(grouping) = &self.grouping else { return Ok(None) };
        let data = &block[before..filled];
        let limit = self.batcher.format().line_bytes_max;
        let line_end = self.batcher.format().charset.line_end();
        let (lines, close) = match last_line {
            LastLine::Take if !has_more => (line_end.whole_units(data.len()), Close::Take),
            LastLine::TakeEvent if !has_more => (lines, Close::Take),
            _ => (lines, Close::Hold),
        };
        let mut ends = Vec::new();
        let mut len = grouping.cut(&data[..lines], close, &mut ends);
        if len == 0 && is_too_long(data.len(), limit, line_end) {
            // The line that follows is not complete, and too long already to belong to the event.
            len = grouping.cut(&data[..lines], Close::Take, &mut ends);
        }
        if len == 0 && has_more {
            self.pool.give_back(block);
            return Ok(Some(telling_bytes(limit, line_end)));
        }
        let file = &mut self.tracker.files[index];
        file.is_drained = !has_more;
        file.has_open_event = !has_more && len < lines;
        if len == 0 {
            self.pool.give_back(block);
        } else {
            self.emit(index, block, before, Piece { len, skip: None, ends: Some(ends) }).await?;
        }
        Ok(if has_more { Some(READ_BYTES) } else { None })
    }

    /// Makes events of a piece at the offset.
    async fn emit(
        &mut self,
        index: usize,
        block: BytesMut,
        before: usize,
        piece: Piece,
    ) -> Result<(), Closed> {
        let Piece { len, skip, ends } = piece;
        if self.tracker.files[index].position.stream == 0
            && let Err(error) = self.tracker.name_stream(index)
        {
            self.fail(index, &error);
            self.pool.give_back(block);
            return Ok(());
        }
        let whole = self.pool.share(block, before + skip.unwrap_or(len));
        let position = &self.tracker.files[index].position;
        let offset = position.offset;
        let path = match self.batcher.format().file_key {
            Some(_) => position.path.to_string_lossy().into_owned(),
            None => String::new(),
        };
        let origin = Origin { stream: position.stream, offset };
        let lines = whole.slice(before..before + len);
        let mut lines = LineBlock::new(lines, origin, self.clock.now_ns()).with_ends(ends);
        while !lines.is_done() {
            self.batcher.add(&mut lines, &path);
            let consumed = match skip {
                Some(seen) if lines.is_done() => seen,
                _ => lines.consumed(),
            };
            let position = &mut self.tracker.files[index].position;
            position.offset = offset + consumed as u64;
            position.tail = Digest::of_tail(&whole[..before + consumed]);
            position.skipping = skip.is_some() && lines.is_done();
            self.touch(index);
            if self.batcher.is_full() {
                self.flush().await?;
            }
        }
        Ok(())
    }

    fn touch(&mut self, index: usize) {
        let id = self.tracker.files[index].position.id;
        if self.touched.last() != Some(&id) {
            self.touched.push(id);
        }
    }
}
