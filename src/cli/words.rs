//! Times and texts as people read them, in every command.
//!
//! Times stand in UTC, as in the log, with how far away they are. Pure: the time is an argument. Texts come from a
//! vault or another process and end on a terminal, so nothing in them moves its cursor.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// `2026-11-22 07:45 UTC`
pub(super) fn at(time: Timestamp) -> String {
    time.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// `in 47 minutes`, `12 minutes ago`.
pub(super) fn away(time: Timestamp, now: Timestamp) -> String {
    let distance = time.duration_since(now);
    let seconds = distance.abs().as_secs();
    let (number, unit) = match seconds {
        0..120 => (seconds, "second"),
        120..7_200 => (seconds / 60, "minute"),
        7_200..172_800 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    let plural = if number == 1 { "" } else { "s" };
    match number {
        0 => "now".to_owned(),
        _ if distance.is_negative() => format!("{number} {unit}{plural} ago"),
        _ => format!("in {number} {unit}{plural}"),
    }
}

/// `2026-11-22 07:45 UTC (in 47 minutes)`
pub(super) fn both(time: Timestamp, now: Timestamp) -> String {
    format!("{} ({})", at(time), away(time, now))
}

/// Text on one line.
pub(super) fn plain(text: &str) -> String {
    text.split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_far_away_a_time_is_is_said_in_its_largest_unit() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        for (seconds, said) in [
            (0, "now"),
            (1, "in 1 second"),
            (-119, "119 seconds ago"),
            (120, "in 2 minutes"),
            (-7_199, "119 minutes ago"),
            (7_200, "in 2 hours"),
            (172_800, "in 2 days"),
            (-864_000, "10 days ago"),
        ] {
            assert_eq!(away(Timestamp::from_second(1_800_000_000 + seconds).unwrap(), now), said);
        }
        assert_eq!(both(Timestamp::from_second(1_800_003_600).unwrap(), now), "2027-01-15 09:00 UTC (in 60 minutes)");
    }

    #[test]
    fn no_text_moves_the_cursor() {
        assert_eq!(plain("a\x1b[2J\r\nb\u{9b}c  d"), "a [2J b c d");
    }
}
