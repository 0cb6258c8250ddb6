//! How long to wait before the next attempt to connect. Pure: the caller brings the chance.

/// The wait of the second attempt in a row; it doubles from there to the cap.
const FIRST_MS: u64 = 100;

/// Counts attempts that brought no data.
#[derive(Debug)]
pub struct Backoff {
    cap_ms: u64,
    attempts: u32,
}

impl Backoff {
    pub fn new(cap_ms: u64) -> Self {
        Backoff { cap_ms, attempts: 0 }
    }

    /// Milliseconds to wait: none the first time, then between half and the whole of 100, 200, 400, ... up to the cap.
    /// `chance` is any number; equal chances give equal waits.
    pub fn next(&mut self, chance: u64) -> u64 {
        let attempt = self.attempts;
        self.attempts = self.attempts.saturating_add(1);
        if attempt == 0 {
            return 0;
        }
        let whole = FIRST_MS.saturating_mul(1 << (attempt - 1).min(32)).min(self.cap_ms);
        let half = whole / 2;
        half + chance % (whole - half + 1)
    }

    /// Data came: the next cut is answered at once again.
    pub fn reset(&mut self) {
        self.attempts = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::Backoff;

    #[test]
    fn the_first_retry_is_at_once_and_the_waits_double_to_the_cap() {
        let mut backoff = Backoff::new(1_000);
        assert_eq!(backoff.next(7), 0);
        for whole in [100, 200, 400, 800, 1_000, 1_000] {
            let wait = backoff.next(12_345);
            assert!(wait >= whole / 2 && wait <= whole, "{wait} for {whole}");
        }
        backoff.reset();
        assert_eq!(backoff.next(7), 0);
    }

    #[test]
    fn a_thousand_failures_never_overflow_nor_pass_the_cap() {
        let mut backoff = Backoff::new(30_000);
        assert!((0..1_000).all(|chance| backoff.next(chance * 0x9e37_79b9) <= 30_000));
        assert_eq!(Backoff::new(0).next(1), 0);
    }
}
