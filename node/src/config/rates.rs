//! How often one user may do what.

use std::time::Duration;

use rookery_actors::{Rate, Rates};
use serde::{Deserialize, Deserializer};

use super::values::{Span, from_text};

/// How often one user may do what.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RatesConfig {
    /// Messages and changes of groups.
    pub messages: Often,
    /// Those to one group.
    pub group_messages: Often,
    /// Groups made.
    pub groups: Often,
    /// Members added to groups.
    pub members: Often,
    /// Users looked up by their handles.
    pub lookups: Often,
    /// Reports to the moderators.
    pub reports: Often,
    /// Changes of settings, people, and what is shown.
    pub settings: Often,
    /// Changes of what a connection looks at, and renewals of that.
    pub watches: Often,
    /// Accounts younger than this have a quarter of each.
    pub new_account: Span,
}

impl Default for RatesConfig {
    fn default() -> Self {
        let (minute, hour) = (Duration::from_secs(60), Duration::from_secs(3600));
        Self {
            messages: Often::new(300, minute, 200),
            group_messages: Often::new(120, minute, 60),
            groups: Often::new(20, hour, 20),
            members: Often::new(600, hour, 600),
            lookups: Often::new(600, hour, 600),
            reports: Often::new(20, hour, 20),
            settings: Often::new(300, minute, 200),
            watches: Often::new(120, minute, 60),
            new_account: Span::from_secs(24 * 3600),
        }
    }
}

impl From<&RatesConfig> for Rates {
    fn from(config: &RatesConfig) -> Self {
        Self {
            messages: config.messages.0,
            group_messages: config.group_messages.0,
            groups: config.groups.0,
            members: config.members.0,
            lookups: config.lookups.0,
            reports: config.reports.0,
            settings: config.settings.0,
            watches: config.watches.0,
            new_account: config.new_account.get(),
        }
    }
}

/// So often in a time, and so many of them at once; or as often as one likes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Often(Option<Rate>);

/// The most that may be said: beyond, say "off".
const MAX: u32 = 1_000_000;

impl Often {
    const fn new(number: u32, time: Duration, at_once: u32) -> Self {
        let each = Duration::from_nanos(time.as_nanos() as u64 / number as u64);
        Self(Some(Rate { burst: at_once, each }))
    }

    fn parse(text: &str) -> Option<Self> {
        if text == "off" {
            return Some(Self(None));
        }
        let (often, at_once) = match text.split_once(", ") {
            Some((often, at_once)) => (often, Some(at_once.strip_suffix(" at once")?)),
            None => (text, None),
        };
        let (number, unit) = often.split_once('/')?;
        let count = |text: &str| text.parse().ok().filter(|number| (1..=MAX).contains(number));
        let number = count(number)?;
        let time = match unit {
            "s" => 1,
            "min" => 60,
            "h" => 3_600,
            "day" => 86_400,
            _ => return None,
        };
        let at_once = at_once.map_or(Some(number), count)?;
        Some(Self::new(number, Duration::from_secs(time), at_once))
    }
}

impl<'de> Deserialize<'de> for Often {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expecting =
            "how often, such as \"5/s\", \"300/min, 200 at once\", \"20/h\" or \"600/day\", or \"off\"";
        from_text(deserializer, expecting, |text| {
            Self::parse(text).ok_or_else(|| format!("`{text}` says no such thing"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_in_a_time_and_as_many_at_once_unless_it_says_how_many() {
        let rate = |burst, millis| Some(Often(Some(Rate { burst, each: Duration::from_millis(millis) })));
        assert_eq!(Often::parse("5/s"), rate(5, 200));
        assert_eq!(Often::parse("300/min, 200 at once"), rate(200, 200));
        assert_eq!(Often::parse("60/h, 1 at once"), rate(1, 60_000));
        assert_eq!(Often::parse("24/day"), rate(24, 3_600_000));
        assert_eq!(Often::parse("off"), Some(Often(None)));
        for wrong in [
            "",
            "5",
            "5/",
            "/s",
            "0/s",
            "5/week",
            "-1/s",
            "5/s, at once",
            "5/s, 0 at once",
            "5/s 3 at once",
            "1000001/s",
            "OFF",
        ] {
            assert_eq!(Often::parse(wrong), None, "{wrong}");
        }
    }
}
