//! What connections hand to their source, which sends it on.

use std::sync::Arc;

use lograil_event::{Acks, Batch};
use lograil_plugin::{SourceOutput, dead_letter};
use tokio::sync::mpsc;

use crate::payload::Decoded;

/// Batches that wait for room in the edges.
const SUBMISSIONS_MAX: usize = 16;

/// Nobody takes submissions any more: the topology is stopping.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopped;

enum Submission {
    Events(Batch),
    Letters(Batch),
}

/// The connections' end.
#[derive(Clone)]
pub(crate) struct Submitter {
    id: Arc<str>,
    component_type: &'static str,
    submissions: mpsc::Sender<Submission>,
}

/// The source's end.
pub(crate) struct Submissions(mpsc::Receiver<Submission>);

/// A way from connections to their source.
pub(crate) fn channel(id: &Arc<str>, component_type: &'static str) -> (Submitter, Submissions) {
    let (submissions, submitted) = mpsc::channel(SUBMISSIONS_MAX);
    let id = Arc::clone(id);
    (Submitter { id, component_type, submissions }, Submissions(submitted))
}

impl Submitter {
    /// Hands on what a payload held, with a share of `acks` in each batch. How many events, and how many of them
    /// are refused.
    pub async fn submit(
        &self,
        decoded: Vec<Decoded>,
        acks: &Acks,
    ) -> Result<(usize, usize), Stopped> {
        let (mut events, mut refused) = (0, 0);
        for one in decoded {
            let mut batch = one.events;
            events += batch.len();
            if !batch.is_empty() {
                batch.add_acks(acks.clone());
                self.send(Submission::Events(batch)).await?;
            }
            if let Some((mut letters, mistakes)) = one.refused {
                events += letters.len();
                refused += letters.len();
                letters.add_acks(acks.clone());
                // The text of each is made when its letter is, so that never those of all are kept.
                let reason = |at: usize| format!("no JSON: {}", mistakes[at]);
                let letters = dead_letter::convert(letters, &self.id, self.component_type, reason);
                self.send(Submission::Letters(letters)).await?;
            }
        }
        Ok((events, refused))
    }

    async fn send(&self, submission: Submission) -> Result<(), Stopped> {
        self.submissions.send(submission).await.map_err(|_| Stopped)
    }
}

impl Submissions {
    /// Sends on until all submitters are gone or the topology takes nothing any more.
    pub async fn forward(mut self, mut output: SourceOutput) {
        while let Some(submission) = self.0.recv().await {
            let sent = match submission {
                Submission::Events(batch) => output.send(batch, Vec::new()).await,
                Submission::Letters(batch) => output.dead_letter(batch).await,
            };
            if sent.is_err() {
                return;
            }
        }
    }
}
