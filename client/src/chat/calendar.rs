//! Days of the calendar, UTC. After Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".

const MS_A_DAY: u64 = 86_400_000;
const MS_A_MINUTE: u64 = 60_000;

/// Year, month and day of a day counted from 1970-01-01.
pub(super) fn date_of(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

/// Days from 1970-01-01 to a date; `None` when there is no such day since.
fn days_to(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let from_march = (month + 9) % 12;
    let year_from_march = year - u64::from(month <= 2);
    let (era, of_era) = (year_from_march / 400, year_from_march % 400);
    let of_year = (153 * from_march + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    (date_of(days) == (year, month, day)).then_some(days)
}

/// Milliseconds since 1970 of a time like `2026-11-22` or `2026-11-22 10:30`, UTC.
pub(super) fn parse(text: &str) -> Option<u64> {
    let number = |text: &str, digits: usize| {
        let is_one = text.len() == digits && text.bytes().all(|digit| digit.is_ascii_digit());
        is_one.then(|| text.parse::<u64>().ok()).flatten()
    };
    let (date, time) = text.split_once([' ', 'T']).unwrap_or((text, "00:00"));
    let mut parts = date.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let days = days_to(number(year, 4)?, number(month, 2)?, number(day, 2)?)?;
    let (hours, minutes) = time.trim().split_once(':')?;
    let (hours, minutes) = (number(hours, 2)?, number(minutes, 2)?);
    (hours < 24 && minutes < 60).then_some(days * MS_A_DAY + (hours * 60 + minutes) * MS_A_MINUTE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_of_the_calendar_go_both_ways() {
        let first = days_to(1970, 1, 1).unwrap();
        let last = days_to(2400, 12, 31).unwrap();
        assert_eq!((first, last), (0, 157_419));
        for days in first..=last {
            let (year, month, day) = date_of(days);
            assert_eq!(days_to(year, month, day), Some(days));
        }
    }

    #[test]
    fn times_are_understood_and_days_that_are_none_are_not() {
        assert_eq!(parse("1970-01-02"), Some(MS_A_DAY));
        assert_eq!(parse("1970-01-01 01:30"), Some(90 * MS_A_MINUTE));
        assert_eq!(parse("2026-11-22T10:00"), Some(1_795_341_600_000));
        for wrong in
            ["", "yesterday", "2026-02-29", "2026-13-01", "2026-1-1", "2026-01-01 24:00", "1969-12-31"]
        {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
