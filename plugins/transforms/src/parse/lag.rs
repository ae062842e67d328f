//! Events in which no time is found, among others that happened long ago.
//!
//! A source gives each event the time at which it was read. In a log that is read later, that is far from when the
//! lines around it were written, and whoever follows the time of events would take all behind it for late.
//!
//! **Invariant:** nothing changes for events to which somebody else gave a time, nor where events come when they happen.

use lograil_event::{Batch, TIMESTAMP_UNKNOWN};

const SECOND_NS: i64 = 1_000_000_000;

/// How far back the times must lie that are found: otherwise the time of reading is as good.
const LAG_MIN_NS: i64 = 10 * SECOND_NS;

/// How far back they must lie for the clock to say nothing of how time goes on in the log.
const LAG_LONG_NS: i64 = 3600 * SECOND_NS;

/// For how long a time that lies so far back says when the lines behind it were written: a log that is read later comes
/// without a pause, and where lines come when they are written, one that names an old date says nothing of the next.
const CARRY_MAX_NS: i64 = 2 * SECOND_NS;

/// How long ago an event may have been read: an older time was given to it by somebody.
const READ_MAX_NS: i64 = 10 * SECOND_NS;

/// Gives events in which no time is found the one that it was in the log when they were written.
#[derive(Debug, Default)]
pub(super) struct Lag {
    /// The times of the batch before any was found.
    before: Vec<i64>,
    last: Option<Found>,
}

/// A time that was found.
#[derive(Debug, Clone, Copy)]
struct Found {
    /// The file or connection of the event.
    stream: Option<u64>,
    time_ns: i64,
    found_ns: i64,
}

impl Lag {
    /// To be called before the times of a batch are looked for.
    pub(super) fn before(&mut self, batch: &Batch) {
        self.before.clear();
        self.before.extend(batch.iter().map(|event| event.timestamp_ns()));
    }

    /// To be called when they are found. In front of the first time of a stream the lines have that one.
    pub(super) fn after(&mut self, batch: &mut Batch, now_ns: i64) {
        // A source gives all that it reads at once the same time; those that differ were given by somebody.
        if self.before.len() != batch.len() || self.before.windows(2).any(|two| two[0] != two[1]) {
            return;
        }
        let times = batch.iter().map(|event| event.timestamp_ns());
        let found_count =
            times.zip(&self.before).filter(|(time_ns, before)| time_ns != *before).count();
        if found_count > 0 && found_count * 2 < batch.len() {
            // Dates that some lines name, not when all were written.
            self.last = None;
            return;
        }
        let stream = (!batch.is_empty()).then(|| batch.event(0).origin()).flatten();
        let stream = stream.map(|(stream, _)| stream);
        let found = |time_ns| Found { stream, time_ns, found_ns: now_ns };
        let mut last = self.last.filter(|last| last.stream == stream).or_else(|| {
            let times = batch.iter().map(|event| event.timestamp_ns());
            let mut changed =
                times.zip(&self.before).filter(|(time_ns, before)| time_ns != *before);
            changed.next().map(|(time_ns, _)| found(time_ns))
        });
        for (event, before_ns) in self.before.iter().copied().enumerate() {
            let time_ns = batch.event(event).timestamp_ns();
            if time_ns != before_ns {
                last = Some(found(time_ns));
            } else if let Some(time_ns) = last.and_then(|last| last.beside(before_ns, now_ns)) {
                batch.edit().events()[event].timestamp_ns = time_ns;
            }
        }
        self.last = last.or(self.last);
    }
}

impl Found {
    /// The time of an event in which none was found, if it has the one at which it was read and that is of no use.
    fn beside(self, read_ns: i64, now_ns: i64) -> Option<i64> {
        let lag_ns = self.found_ns.saturating_sub(self.time_ns);
        let is_read =
            read_ns != TIMESTAMP_UNKNOWN && read_ns.abs_diff(now_ns) <= READ_MAX_NS.unsigned_abs();
        let passed_ns = now_ns.saturating_sub(self.found_ns).max(0);
        match lag_ns {
            _ if lag_ns < LAG_MIN_NS || !is_read => None,
            _ if lag_ns < LAG_LONG_NS => Some(self.time_ns.saturating_add(passed_ns)),
            _ if passed_ns > CARRY_MAX_NS => None,
            _ => Some(self.time_ns),
        }
    }
}

#[cfg(test)]
mod tests {
    use lograil_testkit::batch_of_lines;

    use super::*;

    const NOW: i64 = 1_000_000 * SECOND_NS;

    /// The times of events that were read at `now_ns`, where these were found.
    fn times(lag: &mut Lag, now_ns: i64, found: &[Option<i64>]) -> Vec<i64> {
        let mut batch = batch_of_lines(&vec!["line"; found.len()]);
        for event in batch.edit().events() {
            event.timestamp_ns = now_ns;
        }
        lag.before(&batch);
        for (event, time_ns) in found.iter().enumerate() {
            if let Some(time_ns) = time_ns {
                batch.edit().events()[event].timestamp_ns = *time_ns;
            }
        }
        lag.after(&mut batch, now_ns);
        batch.iter().map(|event| event.timestamp_ns()).collect()
    }

    #[test]
    fn in_a_log_of_long_ago_a_line_without_a_time_has_that_of_the_line_before() {
        let mut lag = Lag::default();
        assert_eq!(times(&mut lag, NOW, &[None, Some(5), None, Some(7)]), [5, 5, 5, 7]);
        assert_eq!(times(&mut lag, NOW + SECOND_NS, &[None, Some(3)]), [7, 3]);
        assert_eq!(times(&mut lag, NOW + SECOND_NS, &[None, None]), [3, 3]);
    }

    #[test]
    fn where_lines_come_when_they_are_written_they_keep_the_time_of_reading() {
        let mut lag = Lag::default();
        let just = NOW - SECOND_NS;
        assert_eq!(times(&mut lag, NOW, &[None, Some(just), None]), [NOW, just, NOW]);
        // A minute behind: so is a line without a time, however long it took to come.
        let minute = NOW - 60 * SECOND_NS;
        let later = NOW + 9 * SECOND_NS;
        assert_eq!(times(&mut lag, NOW, &[Some(minute)]), [minute]);
        assert_eq!(times(&mut lag, later, &[None]), [later - 60 * SECOND_NS]);
    }

    #[test]
    fn a_line_that_names_an_old_date_says_nothing_of_those_that_are_written_now() {
        let mut lag = Lag::default();
        assert_eq!(times(&mut lag, NOW, &[Some(5)]), [5]);
        let later = NOW + 5 * SECOND_NS;
        assert_eq!(times(&mut lag, later, &[None, None]), [later, later]);
        assert_eq!(times(&mut lag, later, &[None, Some(5), None]), [later, 5, later]);
    }

    #[test]
    fn what_was_given_a_time_of_its_own_just_now_keeps_it() {
        let mut lag = Lag::default();
        let mut batch = batch_of_lines(&["a", "b"]);
        let own = [NOW - 2, NOW - 1];
        for (event, time_ns) in batch.edit().events().iter_mut().zip(own) {
            event.timestamp_ns = time_ns;
        }
        lag.before(&batch);
        batch.edit().events()[0].timestamp_ns = 5;
        lag.after(&mut batch, NOW);
        assert_eq!(batch.event(1).timestamp_ns(), own[1]);
        let own = NOW - 20 * SECOND_NS;
        let mut batch = batch_of_lines(&["a", "b"]);
        batch.edit().events().iter_mut().for_each(|event| event.timestamp_ns = own);
        lag.before(&batch);
        batch.edit().events()[0].timestamp_ns = 5;
        lag.after(&mut batch, NOW);
        assert_eq!(batch.event(1).timestamp_ns(), own);
    }

    #[test]
    fn what_has_a_time_already_keeps_it() {
        let mut lag = Lag::default();
        let mut batch = batch_of_lines(&["a", "b", "c"]);
        let own = [NOW - 5000 * SECOND_NS, NOW, TIMESTAMP_UNKNOWN];
        for (event, time_ns) in batch.edit().events().iter_mut().zip(own) {
            event.timestamp_ns = time_ns;
        }
        lag.before(&batch);
        batch.edit().events()[1].timestamp_ns = 5;
        lag.after(&mut batch, NOW);
        let times: Vec<_> = batch.iter().map(|event| event.timestamp_ns()).collect();
        assert_eq!(times, [own[0], 5, own[2]]);
    }
}
