//! The doctor: what is not as it should be in a workspace, and mending what can be mended without deciding anything.
//!
//! Reads in pages and takes the turn to write for a page at a time, so that a running workspace goes on. To add a check:
//! a function that gives findings, a line in [`Workspace::examine`], a row in `docs/backup.md`, and a test that makes the
//! damage and sees it found.

mod contacts;
mod derived;
mod records;
mod search;
mod system;
mod timers;

use super::Workspace;
use crate::error::Error;

/// Places that a finding names; it counts all.
const PLACES_MAX: usize = 20;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It mends itself, or waits for something; somebody should know.
    Notice,
    /// Data are not as they should be.
    Damage,
}

impl Severity {
    /// The word in answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Notice => "notice",
            Self::Damage => "damage",
        }
    }
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which check found it: stable, for programs.
    pub check: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What it is, for people.
    pub what: String,
    /// Where: the first 20 places.
    pub places: Vec<String>,
    /// How many places there are.
    pub count: u64,
    /// What to do, or what `fix` does.
    pub advice: &'static str,
    /// Whether `fix` mends it.
    pub mendable: bool,
    /// Whether it was mended.
    pub mended: bool,
}

impl Finding {
    /// Something that only people can mend.
    #[must_use]
    pub fn new(check: &'static str, severity: Severity, what: impl Into<String>, advice: &'static str) -> Self {
        let (places, what) = (Vec::new(), what.into());
        Self { check, severity, what, places, count: 0, advice, mendable: false, mended: false }
    }

    /// Something that `fix` mends.
    fn mendable(check: &'static str, severity: Severity, what: impl Into<String>, advice: &'static str) -> Self {
        Self { mendable: true, ..Self::new(check, severity, what, advice) }
    }

    /// Counts a place where it is so.
    pub fn add(&mut self, place: impl FnOnce() -> String) {
        self.count += 1;
        if self.places.len() < PLACES_MAX {
            self.places.push(place());
        }
    }

    /// The finding, if there is a place where it is so.
    #[must_use]
    pub fn if_any(self) -> Option<Self> {
        (self.count > 0).then_some(self)
    }
}

impl Workspace {
    /// Looks at everything; with `fix`, mends what is safe.
    ///
    /// # Errors
    /// The store's, where it cannot be read at all. What was mended until then stays.
    pub async fn examine(&self, fix: bool) -> Result<Vec<Finding>, Error> {
        let mut findings = Vec::new();
        findings.extend(self.examine_schema(fix).await?);
        findings.extend(self.examine_records(fix).await?);
        findings.extend(self.examine_contact_points().await?);
        findings.extend(self.examine_derived(fix).await?);
        findings.extend(self.examine_search(fix).await?);
        findings.extend(self.examine_timers(fix).await?);
        findings.extend(self.examine_missing_timers(fix).await?);
        findings.extend(self.examine_outbox().await?);
        findings.extend(self.examine_messages().await?);
        findings.extend(self.examine_answers(fix).await?);
        findings.extend(self.examine_purges(fix).await?);
        Ok(findings)
    }
}

/// What the store said, and not only that it failed.
fn cause(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}
