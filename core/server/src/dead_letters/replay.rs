//! Offering letters again, and dropping them: chunk by chunk, each noted before the next begins.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lograil_runtime::{InjectError, Observer, Receipt};
use thiserror::Error;

use super::{Letter, LetterId, Pass, Selection, events_of};
use crate::admin::now_ns;

/// How long the events of a chunk may take to find room.
const ROOM_TIMEOUT: Duration = Duration::from_secs(60);

/// How long they may then take to be delivered and part of a checkpoint. Transforms hold events back for minutes, as
/// `aggregate` does until their window is over; to give up before would offer them again, each time.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// What became of the letters.
#[derive(Debug, Default)]
pub(crate) struct Handled {
    pub letters: u64,
    /// Ids that were asked for and are not there.
    pub unknown: Vec<LetterId>,
    /// How many letters stay, by the component they cannot be offered to.
    pub left_out: BTreeMap<String, u64>,
}

/// Why it was broken off.
#[derive(Debug, Error)]
pub(crate) enum BrokenOff {
    #[error("{0}")]
    Files(#[from] io::Error),
    #[error("letters replayed: {letters}; then {reason}; the others stay")]
    NotDelivered { letters: u64, reason: String },
}

/// Tells the work that nobody waits for it any more.
#[derive(Default)]
pub(crate) struct Waiting(Arc<AtomicBool>);

impl Waiting {
    pub fn is_over(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Offers the selected letters again, to `to` or else to whoever refused them. Ends early, between two chunks, when
/// `is_over` says so. Not to be cancelled: what is delivered has to be noted.
pub(crate) async fn replay(
    observer: Observer,
    file: PathBuf,
    selection: Selection,
    to: Option<String>,
    is_over: Arc<AtomicBool>,
) -> Result<Handled, BrokenOff> {
    let mut handled = Handled::default();
    let mut ids = HashSet::new();
    let mut pass = blocking(move || Pass::begin(&file, selection)).await?;
    while !is_over.load(Ordering::Relaxed) {
        let chunk;
        (pass, chunk) = blocking(move || pass.next_chunk().map(|chunk| (pass, chunk))).await?;
        if chunk.is_empty() {
            break;
        }
        let offering = offer(&observer, chunk, to.as_deref(), &mut handled);
        let delivered = match within(ROOM_TIMEOUT, offering).await {
            Ok((ids, receipts)) => within(DELIVERY_TIMEOUT, settle(receipts)).await.map(|()| ids),
            Err(reason) => Err(reason),
        };
        let done = delivered
            .map_err(|reason| BrokenOff::NotDelivered { letters: handled.letters, reason })?;
        handled.letters += done.len() as u64;
        ids.extend(done.iter().copied());
        pass = blocking(move || pass.done.add(&done).map(|()| pass)).await?;
    }
    handled.unknown = blocking(move || pass.end(&ids)).await?;
    Ok(handled)
}

/// Notes the selected letters as done. Blocks.
pub(crate) fn drop_letters(file: &std::path::Path, selection: Selection) -> io::Result<Handled> {
    let mut handled = Handled::default();
    let mut ids = HashSet::new();
    let mut pass = Pass::begin(file, selection)?;
    loop {
        let dropped: Vec<LetterId> = pass.next_chunk()?.iter().map(|letter| letter.id).collect();
        if dropped.is_empty() {
            break;
        }
        pass.done.add(&dropped)?;
        handled.letters += dropped.len() as u64;
        ids.extend(dropped);
    }
    handled.unknown = pass.end(&ids)?;
    Ok(handled)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, String>>,
) -> Result<T, String> {
    let done = tokio::time::timeout(limit, work).await;
    done.unwrap_or_else(|_| Err("the delivery takes too long".to_owned()))
}

/// Puts a chunk in. The ids of what is on its way.
async fn offer(
    observer: &Observer,
    chunk: Vec<Letter>,
    to: Option<&str>,
    handled: &mut Handled,
) -> Result<(Vec<LetterId>, Vec<Receipt>), String> {
    let mut sent = Vec::new();
    let mut receipts = Vec::new();
    let target = |letter: &Letter| to.unwrap_or(&letter.why.component_id).to_owned();
    for letters in chunk.chunk_by(|one, other| target(one) == target(other)) {
        let target = target(&letters[0]);
        let (batches, unreadable) = events_of(letters, now_ns());
        let mut count = unreadable.len();
        match send(observer, &target, batches, &mut receipts).await {
            Ok(()) => {
                let is_sent = |at: &usize| unreadable.binary_search(at).is_err();
                sent.extend((0..letters.len()).filter(is_sent).map(|at| letters[at].id));
            }
            Err(InjectError::Closed(id)) => return Err(format!("`{id}` took nothing more")),
            Err(_) => count = letters.len(),
        }
        if count > 0 {
            *handled.left_out.entry(target).or_default() += count as u64;
        }
    }
    Ok((sent, receipts))
}

/// Waits until what was put in is delivered for good.
async fn settle(mut receipts: Vec<Receipt>) -> Result<(), String> {
    for receipt in &mut receipts {
        if !receipt.delivered().await {
            return Err("the delivery failed".to_owned());
        }
    }
    for receipt in &receipts {
        receipt.checkpointed().await;
    }
    Ok(())
}

async fn send(
    observer: &Observer,
    target: &str,
    batches: Vec<lograil_event::Batch>,
    receipts: &mut Vec<Receipt>,
) -> Result<(), InjectError> {
    for batch in batches.into_iter().filter(|batch| !batch.is_empty()) {
        receipts.push(observer.send_to(target, batch).await?);
    }
    Ok(())
}
