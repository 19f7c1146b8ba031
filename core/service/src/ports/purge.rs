//! What the store keeps about people besides their records, and how it is made to forget.

use pergola_model::{Id, ObjectName};

use super::store::TimerKey;

/// Where, besides in records, the store may keep data of a person.
///
/// Every system table is one of these or listed in the test that walks all tables as one that holds nothing of the
/// kind. A new one gets a variant here: the compiler then asks every store what to do with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The values in audit lines; that something was done, when and by whom stays.
    Audit,
    /// Events not told yet, but for the news that the record is gone.
    Outbox,
    /// Wake-ups.
    Timers,
    /// Answers kept under idempotency keys.
    Answers,
    /// The bin.
    Bin,
    /// What imports wrote, and the values from before: such a record cannot be taken back any more.
    Imports,
}

impl Place {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Audit, Self::Outbox, Self::Timers, Self::Answers, Self::Bin, Self::Imports];

    /// The name in answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Audit => "audit",
            Self::Outbox => "outbox",
            Self::Timers => "timers",
            Self::Answers => "answers",
            Self::Bin => "bin",
            Self::Imports => "imports",
        }
    }

    /// The tables in which it is kept.
    #[must_use]
    pub fn tables(self) -> &'static [&'static str] {
        match self {
            Self::Audit => &["pergola_audit"],
            Self::Outbox => &["pergola_outbox"],
            Self::Timers => &["pergola_timer"],
            Self::Answers => &["pergola_answer"],
            Self::Bin => &["pergola_bin", "pergola_bin_item"],
            Self::Imports => &["pergola_import", "pergola_import_entry"],
        }
    }
}

/// What takes the place of an audit line's values.
pub const PURGED: &str = r#"{"$purged":true}"#;

/// A text that the store keeps, and the record that it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// Where it stands: pages go on after it.
    pub key: TraceKey,
    /// The record that it is about, if it is about one.
    pub record: Option<(ObjectName, Id)>,
    /// The text.
    pub text: String,
    /// Whether it is the record that somebody deleted, without which its deletion makes no sense.
    pub is_root: bool,
}

/// Where a trace stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TraceKey {
    /// A line of the audit.
    Audit(i64),
    /// An answer under an idempotency key.
    Answer(String),
    /// An item of a deletion.
    BinItem(Id, i64),
    /// A timer that a plugin set itself: its name and payload.
    Timer(TimerKey),
}

/// What is to be forgotten.
#[derive(Debug, Clone, Default)]
pub struct Forgotten {
    /// Records, in whichever table there is something about them.
    pub records: Vec<Id>,
    /// Answers.
    pub answers: Vec<String>,
    /// Whole deletions.
    pub deletions: Vec<Id>,
    /// Single items of deletions.
    pub items: Vec<(Id, i64)>,
    /// Timers that plugins set themselves.
    pub timers: Vec<TimerKey>,
}
