//! Which windows an event belongs to, and when a window is over.
//!
//! Time is cut into panes as long as the step from one window to the next; a window is several panes in a row. So an
//! event is added once, however many windows it is in.
//!
//! **Invariant:** pure: knows no clock and no event. No pane is older than the first window that is open.

use std::collections::BTreeMap;

/// Times beyond (the years 1823 and 2116) count as these, so that no window lies beyond the ends of time.
const TIME_MIN_NS: i64 = i64::MIN / 2;
const TIME_MAX_NS: i64 = i64::MAX / 2;

/// Lengths of time in nanoseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lengths {
    /// The length of a window, a multiple of `every`.
    pub(super) window: i64,
    /// From the start of one window to that of the next.
    pub(super) every: i64,
    /// How far behind the newest event others may be.
    pub(super) lateness: i64,
}

/// The panes of open windows, by their start.
#[derive(Debug)]
pub(super) struct Windows<P> {
    lengths: Lengths,
    panes: BTreeMap<i64, P>,
    /// The start of the pane that was asked for last; a start of a pane in any case.
    last_start: i64,
    /// The time of the newest event, or when it came if it was ahead of that.
    newest: Option<i64>,
    /// Windows that end up to here are over.
    watermark: i64,
    /// No window that starts before is open.
    open_from: i64,
}

impl<P> Windows<P> {
    pub(super) fn new(lengths: Lengths) -> Self {
        Self {
            lengths,
            panes: BTreeMap::new(),
            last_start: 0,
            newest: None,
            watermark: i64::MIN,
            open_from: i64::MIN,
        }
    }

    /// The length of a window in nanoseconds.
    pub(super) fn length(&self) -> i64 {
        self.lengths.window
    }

    pub(super) fn newest(&self) -> Option<i64> {
        self.newest
    }

    pub(super) fn watermark(&self) -> i64 {
        self.watermark
    }

    /// The start of the pane of a time, unless its windows are all over. Its event comes at `now_ns` and moves time to
    /// there at the most.
    pub(super) fn pane_of(&mut self, time_ns: i64, now_ns: i64) -> Option<i64> {
        let time_ns = time_ns.clamp(TIME_MIN_NS, TIME_MAX_NS);
        self.newest = self.newest.max(Some(time_ns.min(now_ns)));
        let start = self.start_of(time_ns);
        let is_late = start < self.open_from || self.end_of(start) <= self.watermark;
        (!is_late).then_some(start)
    }

    /// The start of the pane of a time. Most events are in the pane of the one before: they cost no division.
    #[inline]
    fn start_of(&mut self, time_ns: i64) -> i64 {
        let into = time_ns.wrapping_sub(self.last_start);
        if !(0..self.lengths.every).contains(&into) {
            self.last_start = time_ns.saturating_sub(time_ns.rem_euclid(self.lengths.every));
        }
        self.last_start
    }

    /// The end of the window that starts at `start`.
    pub(super) fn end_of(&self, start: i64) -> i64 {
        start.saturating_add(self.lengths.window)
    }

    /// The pane that starts at `start`.
    pub(super) fn pane(&mut self, start: i64) -> &mut P
    where
        P: Default,
    {
        self.panes.entry(start).or_default()
    }

    /// Moves the watermark behind the newest event, as if time had gone on for `idle_ns` since it.
    pub(super) fn advance(&mut self, idle_ns: i64) {
        if let Some(newest) = self.newest {
            let to = newest.saturating_add(idle_ns).saturating_sub(self.lengths.lateness);
            self.watermark = self.watermark.max(to);
        }
    }

    /// Moves the watermark behind all windows that have an event, but for those of panes that begin after `now_ns`.
    pub(super) fn advance_to_end(&mut self, now_ns: i64) {
        if let Some((start, _)) = self.panes.range(..=now_ns).next_back() {
            self.watermark = self.watermark.max(self.end_of(*start));
        }
    }

    /// The start of the next window that has an event and is over: ends up to `until`.
    pub(super) fn next_over(&self, until: i64) -> Option<i64> {
        let (first, _) = self.panes.first_key_value()?;
        let before = self.lengths.window - self.lengths.every;
        let start = first.saturating_sub(before).max(self.open_from);
        (self.end_of(start) <= until).then_some(start)
    }

    /// The panes of the window that starts at `start`, in their order.
    pub(super) fn panes_of(&mut self, start: i64) -> impl Iterator<Item = &mut P> {
        let end = self.end_of(start);
        self.panes.range_mut(start..end).map(|(_, pane)| pane)
    }

    /// Closes a window; gives its first pane, which no open window needs any more.
    pub(super) fn close(&mut self, start: i64) -> Option<P> {
        self.open_from = start.saturating_add(self.lengths.every);
        self.panes.remove(&start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn windows(window: i64, every: i64, lateness: i64) -> Windows<Vec<i64>> {
        Windows::new(Lengths { window, every, lateness })
    }

    fn add(windows: &mut Windows<Vec<i64>>, time: i64) -> bool {
        let start = windows.pane_of(time, i64::MAX);
        start.map(|start| windows.pane(start).push(time)).is_some()
    }

    fn closed(windows: &mut Windows<Vec<i64>>, until: i64) -> Vec<(i64, Vec<i64>)> {
        let mut all = Vec::new();
        while let Some(start) = windows.next_over(until) {
            let times = windows.panes_of(start).flat_map(|pane| pane.clone()).collect();
            windows.close(start);
            all.push((start, times));
        }
        all
    }

    fn over(windows: &mut Windows<Vec<i64>>) -> Vec<(i64, Vec<i64>)> {
        let watermark = windows.watermark();
        closed(windows, watermark)
    }

    #[test]
    fn a_window_is_over_when_the_watermark_has_passed_its_end() {
        let mut windows = windows(10, 10, 5);
        for time in [12, 3, 14] {
            assert!(add(&mut windows, time));
        }
        windows.advance(0);
        assert_eq!(over(&mut windows), []);
        assert!(add(&mut windows, 4), "within the lateness");
        assert!(add(&mut windows, 15));
        windows.advance(0);
        assert_eq!(over(&mut windows), [(0, vec![3, 4])]);
        assert!(!add(&mut windows, 9), "too late");
        windows.advance(10);
        assert_eq!(over(&mut windows), [(10, vec![12, 14, 15])]);
    }

    #[test]
    fn nothing_is_between_events_that_lie_far_apart() {
        let mut windows = windows(10, 1, 0);
        for time in [0, 1_000_000_000_000] {
            assert!(add(&mut windows, time));
        }
        windows.advance(0);
        let closed = over(&mut windows);
        assert_eq!(closed.len(), 10, "those of the first; those of the second are open");
    }

    #[test]
    fn an_event_ahead_of_the_clock_is_in_its_pane_and_moves_time_to_the_clock() {
        let mut windows = windows(10, 10, 0);
        assert_eq!(windows.pane_of(95, 12), Some(90));
        windows.pane(90).push(95);
        windows.advance(0);
        assert_eq!((windows.newest(), windows.watermark()), (Some(12), 12));
        windows.advance_to_end(89);
        assert_eq!(windows.watermark(), 12);
        windows.advance_to_end(90);
        assert_eq!(over(&mut windows), [(90, vec![95])]);
    }

    #[test]
    fn the_ends_of_time_do_no_harm() {
        let mut windows = windows(60_000_000_000, 1_000_000_000, 0);
        for time in [i64::MIN, i64::MIN + 1, -1, i64::MAX] {
            add(&mut windows, time);
        }
        windows.advance(i64::MAX);
        windows.advance_to_end(i64::MAX);
        assert!(closed(&mut windows, i64::MAX).len() >= 60);
    }

    proptest! {
        /// Against the definition: a window has all events of its time that were not late.
        #[test]
        fn every_event_is_in_each_of_its_windows_once(
            times in proptest::collection::vec(0i64..200, 1..60),
            panes in 1i64..5, every in 1i64..7, lateness in 0i64..30,
        ) {
            let mut windows = windows(panes * every, every, lateness);
            let (mut taken, mut found) = (Vec::new(), Vec::new());
            for time in times {
                if add(&mut windows, time) {
                    taken.push(time);
                }
                windows.advance(0);
                found.extend(over(&mut windows));
            }
            found.extend(closed(&mut windows, i64::MAX));
            prop_assert!(windows.panes.is_empty());
            let starts: Vec<i64> = found.iter().map(|(start, _)| *start).collect();
            prop_assert!(starts.is_sorted_by(|left, right| left < right));
            // Nothing is lost: the last window of an event always has it.
            let mut last: Vec<i64> = found
                .iter()
                .flat_map(|(start, times)| times.iter().filter(move |time| *time - *time % every == *start))
                .copied()
                .collect();
            last.sort_unstable();
            taken.sort_unstable();
            prop_assert_eq!(last, taken);
            for (start, times) in found {
                prop_assert!(times.iter().all(|time| (start..start + panes * every).contains(time)));
            }
        }
    }
}
