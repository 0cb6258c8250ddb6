//! When the venue lets somebody knock: attempts to connect within a window and bans, over all connections of one feed.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

pub const WINDOW: Duration = Duration::from_secs(300);

/// Counts attempts; who has none left waits until the oldest is out of the window.
#[derive(Debug)]
pub struct Budget {
    limit: usize,
    attempts: VecDeque<Instant>,
    banned_until: Option<Instant>,
}

impl Budget {
    pub fn new(limit: usize) -> Budget {
        Budget { limit, attempts: VecDeque::new(), banned_until: None }
    }

    /// The venue wants no attempt before `until`.
    pub fn ban(&mut self, until: Instant) {
        self.banned_until = self.banned_until.max(Some(until));
    }

    /// Until when nobody may knock, also who has taken an attempt already.
    pub fn banned_at(&self, now: Instant) -> Option<Instant> {
        self.banned_until.filter(|until| *until > now)
    }

    /// Takes one attempt and returns when it may be made: `now`, or later. Later ones of others queue behind it.
    pub fn take(&mut self, now: Instant) -> Instant {
        while self.attempts.front().is_some_and(|made| *made + WINDOW <= now) {
            self.attempts.pop_front();
        }
        let at = if self.attempts.len() < self.limit {
            now
        } else {
            self.attempts.get(self.attempts.len() - self.limit).map_or(now, |made| (*made + WINDOW).max(now))
        };
        self.attempts.push_back(at);
        at
    }
}

#[cfg(test)]
mod tests {
    use super::{Budget, WINDOW};
    use std::time::Duration;
    use tokio::time::Instant;

    #[test]
    fn no_window_of_five_minutes_sees_more_attempts_than_the_venue_takes() {
        let mut budget = Budget::new(3);
        let start = Instant::now();
        let made: Vec<Duration> = (0..8).map(|n| budget.take(start + Duration::from_secs(n)) - start).collect();
        assert_eq!(made[..3], [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(2)]);
        for n in 3..8 {
            assert!(made[n] >= made[n - 3] + WINDOW, "{made:?}");
        }
        let later = start + WINDOW * 9;
        assert_eq!(budget.take(later), later);
    }

    #[test]
    fn the_longest_ban_counts_until_it_is_over() {
        let (mut budget, start) = (Budget::new(3), Instant::now());
        assert_eq!(budget.banned_at(start), None);
        let until = start + Duration::from_secs(60);
        budget.ban(until);
        budget.ban(start + Duration::from_secs(1));
        assert_eq!(budget.banned_at(start + Duration::from_secs(59)), Some(until));
        assert_eq!(budget.banned_at(until), None);
    }
}
