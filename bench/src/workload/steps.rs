//! What happened over time, in steps of a tenth of a second, around a fault.

use std::time::Duration;

/// How long a step is.
pub(super) const STEP: Duration = Duration::from_millis(100);

/// Steps over which a rate is taken: one alone holds too few messages, and one commit more or less is seen.
const WINDOW: usize = 3;

/// Steps for which a rate has to hold before it is back, taken together.
const HELD: usize = 10;

/// Steps after a fault in which what it does begins; what begins later is something else.
const FELT: usize = 10;

/// A run in steps, from its beginning on.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Steps {
    steps: Vec<Step>,
}

/// A tenth of a second.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    /// Messages that were confirmed in it.
    pub(super) confirmed: u64,
    /// The longest that a message took that was due in it.
    pub(super) worst: Duration,
}

impl Steps {
    /// Notes a message's confirmation, at so long since the beginning.
    pub(super) fn confirmed(&mut self, at: Duration) {
        self.at(at).confirmed += 1;
    }

    /// Notes how long a message took that was due at so long since the beginning.
    pub(super) fn took(&mut self, due: Duration, time: Duration) {
        let step = self.at(due);
        step.worst = step.worst.max(time);
    }

    /// The steps, in order.
    pub(super) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Messages per second that were confirmed between two times since the beginning, in whole steps.
    pub(super) fn rate(&self, from: Duration, until: Duration) -> f64 {
        let (from, until) = (number(from), number(until).min(self.steps.len()));
        let Some(steps) = self.steps.get(from..until).filter(|steps| !steps.is_empty()) else { return 0.0 };
        count(steps) as f64 / (steps.len() as f64 * STEP.as_secs_f64())
    }

    /// How long after a fault at `fault` it took until so many messages per second were confirmed again, in each three steps
    /// together: until the end of the first three, after some with fewer, that are followed by a second of as many. Zero if
    /// there are no fewer within a second of the fault; `None` if they do not come back before `until`.
    pub(super) fn back_after(&self, fault: Duration, until: Duration, rate: f64) -> Option<Duration> {
        let end = number(until).min(self.steps.len());
        let reaches = |from: usize, length: usize| {
            let steps = &self.steps[from..(from + length).min(end)];
            count(steps) as f64 >= rate * steps.len() as f64 * STEP.as_secs_f64()
        };
        // Windows that end after the fault, and begin before it, have both in them.
        let first = (number(fault) + 1).saturating_sub(WINDOW);
        let windows = first..(end + 1).saturating_sub(WINDOW);
        let mut felt = windows.clone().take_while(|from| *from <= number(fault) + FELT);
        let Some(fallen) = felt.find(|from| !reaches(*from, WINDOW)) else { return Some(Duration::ZERO) };
        let mut after = fallen + 1..windows.end;
        let back = after.find(|from| reaches(*from, WINDOW) && reaches(from + WINDOW, HELD))?;
        Some((STEP * (back + WINDOW) as u32).saturating_sub(fault))
    }

    fn at(&mut self, time: Duration) -> &mut Step {
        let number = number(time);
        if self.steps.len() <= number {
            self.steps.resize(number + 1, Step::default());
        }
        &mut self.steps[number]
    }
}

fn number(time: Duration) -> usize {
    (time.as_nanos() / STEP.as_nanos()) as usize
}

fn count(steps: &[Step]) -> u64 {
    steps.iter().map(|step| step.confirmed).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run of so many confirmed messages in each step.
    fn run(steps: &[u64]) -> Steps {
        let step = |confirmed: &u64| Step { confirmed: *confirmed, worst: Duration::ZERO };
        Steps { steps: steps.iter().map(step).collect() }
    }

    fn after(steps: usize) -> Duration {
        STEP * steps as u32
    }

    const FAULT: usize = 10;

    /// Ten steps of ten, then these, then twenty of ten.
    fn fault(steps: &[u64]) -> Steps {
        run(&[&[10; FAULT], steps, &[10; 20]].concat())
    }

    #[test]
    fn messages_fall_into_the_step_of_their_time() {
        let mut steps = Steps::default();
        steps.confirmed(Duration::from_millis(250));
        steps.took(Duration::from_millis(99), Duration::from_millis(7));
        steps.took(Duration::from_millis(0), Duration::from_millis(3));
        let step = |confirmed, ms| Step { confirmed, worst: Duration::from_millis(ms) };
        assert_eq!(steps.steps(), [step(0, 7), step(0, 0), step(1, 0)]);
    }

    #[test]
    fn the_rate_is_that_of_whole_steps() {
        let steps = run(&[10, 20, 30]);
        assert_eq!(steps.rate(after(0), after(2)), 150.0);
        assert_eq!(steps.rate(after(1), after(9)), 250.0);
        assert_eq!(steps.rate(after(7), after(9)), 0.0);
    }

    #[test]
    fn a_rate_that_never_falls_is_back_at_once() {
        let back = fault(&[]).back_after(after(FAULT), after(30), 90.0);
        assert_eq!(back, Some(Duration::ZERO));
        // One commit less in a step is no fall.
        assert_eq!(fault(&[8, 10]).back_after(after(FAULT), after(32), 90.0), Some(Duration::ZERO));
    }

    #[test]
    fn what_begins_long_after_the_fault_is_not_its() {
        let steps = run(&[&[10; FAULT + FELT + WINDOW + 1][..], &[0; 9]].concat());
        assert_eq!(steps.back_after(after(FAULT), after(30), 90.0), Some(Duration::ZERO));
    }

    #[test]
    fn an_outage_lasts_until_the_rate_is_as_before_for_three_steps() {
        let steps = fault(&[0; 6]);
        assert_eq!(steps.back_after(after(FAULT), after(36), 90.0), Some(after(6 + WINDOW)));
        // What has piled up and comes at once ends the outage no sooner than it comes.
        let steps = fault(&[0, 0, 0, 0, 0, 60]);
        assert_eq!(steps.back_after(after(FAULT), after(36), 90.0), Some(after(6)));
    }

    #[test]
    fn one_burst_in_an_outage_does_not_end_it() {
        let steps = fault(&[0, 0, 50, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(steps.back_after(after(FAULT), after(43), 90.0), Some(after(13 + WINDOW)));
    }

    #[test]
    fn what_does_not_come_back_is_not_back() {
        let steps = run(&[[10; FAULT], [5; FAULT]].concat());
        assert_eq!(steps.back_after(after(FAULT), after(20), 90.0), None);
    }
}
