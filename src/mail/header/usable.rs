//! Whether a reader can make something of a `Date` or a `Message-ID`.
//!
//! As liberal as mail programs are: only what says nothing to any of them is found wanting, so that a field is never
//! replaced for its looks. Whether a moment is true, or an identifier unique, is not asked.

use super::block::unfold;

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// Whether a day, a month by its English name, a year and a time stand in it. The weekday, the seconds and the zone may be
/// missing, the zone a name, the year short (RFC 5322 §4.3), and the order that of C's `asctime`.
#[must_use]
pub fn date(value: &[u8]) -> bool {
    let value = unfold(value);
    let text = without_comments(&String::from_utf8_lossy(&value)).to_ascii_lowercase();
    let (mut day, mut month, mut year, mut has_time) = (None, None, None, false);
    let words = text.split([' ', '\t', ',']).filter(|word| !word.starts_with(['+', '-']));
    for word in words {
        if word.contains(':') {
            has_time |= is_time(word);
            continue;
        }
        for part in word.split('-') {
            match part.parse::<i16>() {
                Ok(number) if part.len() <= 2 && day.is_none() => day = i8::try_from(number).ok(),
                Ok(number) if part.len() <= 4 && year.is_none() => year = Some(full_year(number, part.len())),
                _ => month = month.or_else(|| MONTHS.iter().zip(1_i8..).find(|(m, _)| part.starts_with(*m))),
            }
        }
    }
    let (Some(day), Some((_, month)), Some(year)) = (day, month, year) else { return false };
    // RFC 5322 §3.3: no year before 1900.
    has_time && year >= 1900 && jiff::civil::Date::new(year, month, day).is_ok()
}

/// RFC 5322 §4.3, years of two and three digits.
fn full_year(year: i16, digits: usize) -> i16 {
    match digits {
        1 | 2 if year < 50 => 2000 + year,
        1..=3 => 1900 + year,
        _ => year,
    }
}

/// `9:05` or `09:05:00`, with whatever follows it without a blank. A minute may have 61 seconds.
fn is_time(word: &str) -> bool {
    let time = word.split(['+', '-', '.']).next().unwrap_or_default();
    let mut numbers = time.split(':').zip([24, 60, 61]);
    let in_range = numbers.all(|(number, end)| number.parse::<u8>().is_ok_and(|number| number < end));
    in_range && (2..=3).contains(&time.split(':').count())
}

/// RFC 5322 §3.2.2, nested ones too; each stands for a blank.
fn without_comments(text: &str) -> String {
    let mut depth = 0_usize;
    let outside = text.chars().map(|c| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ if depth == 0 => return c,
            _ => {}
        }
        ' '
    });
    outside.collect()
}

/// Whether there is something between angle brackets, or a word `left@right`. An identifier that only lacks its brackets is
/// one to mail programs: answers refer to it, and the sender may wait for them.
#[must_use]
pub fn message_id(value: &[u8]) -> bool {
    let value = unfold(value);
    let is_inside = |open: usize| {
        let rest = &value[open + 1..];
        memchr::memchr(b'>', rest).is_some_and(|close| !rest[..close].trim_ascii().is_empty())
    };
    let has_two_sides = |word: &[u8]| memchr::memchr(b'@', word).is_some_and(|at| at > 0 && at + 1 < word.len());
    memchr::memchr(b'<', &value).is_some_and(is_inside) || value.split(u8::is_ascii_whitespace).any(has_two_sides)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_date_that_some_program_reads_is_one() {
        for text in [
            "Sun, 22 Nov 2026 09:05:00 +0100",
            " Sun,\r\n 22 Nov 2026\r\n\t09:05:00 +0100 (CET (winter)) ",
            "22 Nov 26 09:05 GMT",
            // Not of 1900, which had no such day.
            "29 Feb 00 09:05 GMT",
            "22 Nov 126 09:05:60 EST",
            "Sun,22 Nov 2026 9:05:00+0100",
            "Sun Nov 22 09:05:00 2026",
            "Sunday, 22-Nov-26 09:05:00 MEZ",
            "22 November 2026 09:05:00 -0000",
            "Thu, 1 Jan 1970 00:00:00 +0000",
            "29 Feb 2028 00:00:00.000 Z",
        ] {
            assert!(date(text.as_bytes()), "{text}");
        }
        assert!(date(b"Sun, 22 Nov 2026 09:05:00 +0100 (Westeurop\xE4ische Zeit)"));
    }

    #[test]
    fn what_no_program_reads_is_no_date() {
        for text in [
            "",
            "now",
            "22.11.26",
            "22/11/2026 9:05",
            "2026-11-22T09:05:00+01:00",
            "Son, 22 Dez 2026 09:05:00 +0100",
            "Sun, 22 Nov 2026",
            "Sun, 32 Nov 2026 09:05:00 +0100",
            "Sun, 31 Feb 2026 09:05:00 +0100",
            "Sun, 22 Nov 2026 24:05:00 +0100",
            "Sun, 22 Nov 2026 09 +0100",
            "Sun, 22 Nov 2026 1:2:3:4 +0100",
            "Mon, 22 Nov 0000 09:05:00 +0100",
            "(Sun, 22 Nov 2026 09:05:00 +0100)",
            "Sun, %d %b %Y %H:%M:%S %z",
        ] {
            assert!(!date(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn an_identifier_has_brackets_or_two_sides() {
        for text in ["<1@nas>", " <1>\r\n", "1@nas", "<\"odd id\"@[192.0.2.1]>", "<1@nas> (again)", "<1@nas"] {
            assert!(message_id(text.as_bytes()), "{text}");
        }
        for text in ["", "<>", "< >", "20261122090500", "1 @ nas", "@nas", "1@", "<1", "1@ <>"] {
            assert!(!message_id(text.as_bytes()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_the_relay_itself_writes_is_usable(second in 0_i64..4_000_000_000) {
            let moment = jiff::Timestamp::from_second(second).unwrap().to_zoned(jiff::tz::TimeZone::UTC);
            prop_assert!(date(crate::mail::stamp::date(&moment).as_bytes()));
        }

        #[test]
        fn any_octets_are_judged(value in proptest::collection::vec(any::<u8>(), 0..100), text in "[0-9a-z:+,<>@() -]{0,60}") {
            let _ = (date(&value), message_id(&value), date(text.as_bytes()), message_id(text.as_bytes()));
        }
    }
}
