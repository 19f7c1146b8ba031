//! What the business lets people book online, by its settings.

use pergola_plugin::prelude::*;

use crate::span::Span;
use crate::words::Language;

/// The settings and the time, as one request sees them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rules {
    pub(crate) now: DateTime,
    /// Minutes between two starts that are offered: 1–1440.
    pub(crate) step: u32,
    /// Minutes before the start within which nobody may book any more.
    pub(crate) notice_minutes: i64,
    /// Days ahead that may be booked.
    pub(crate) ahead_days: i64,
}

impl Rules {
    pub(crate) fn load() -> Self {
        let number = |name: &str, default: i64, range: std::ops::RangeInclusive<i64>| {
            settings::integer(name).unwrap_or(default).clamp(*range.start(), *range.end())
        };
        Self {
            now: clock::now(),
            step: u32::try_from(number("slot_step_minutes", 30, 1..=1440)).unwrap_or(30),
            notice_minutes: number("notice_minutes", 0, 0..=525_600),
            ahead_days: number("book_ahead_days", 60, 0..=1_000),
        }
    }

    /// When visits may start that are booked now.
    pub(crate) fn bookable(&self) -> Span {
        let until = self.now + Duration::days(self.ahead_days);
        Span::new(self.now + Duration::minutes(self.notice_minutes), until)
    }
}

/// The language of the timeline, and of people whose language nobody knows.
pub(crate) fn language() -> Language {
    settings::text("language").as_deref().and_then(Language::find).unwrap_or(Language::English)
}
