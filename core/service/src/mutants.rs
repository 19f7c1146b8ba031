//! Switches that break a rule, so that a test can show that it would notice.
//!
//! They exist only with the feature `mutants`, which tests ask for; without it every rule is always kept.

use crate::workspace::Workspace;

/// A rule that can be switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// `check`
    Check,
    /// `exclude`
    Exclude,
    /// `capacity`: who is let in at once.
    Capacity,
    /// `capacity`: who is let in when room appears.
    Promotion,
    /// `hold`
    Hold,
    /// Rollups follow deletes.
    Rollup,
    /// A ledger's floor.
    Floor,
    /// Transfers come to zero.
    Transfer,
    /// Numbers go back when the unit of work does.
    Sequence,
}

impl Workspace {
    #[cfg(not(feature = "mutants"))]
    pub(crate) fn is_off(&self, _rule: Rule) -> bool {
        false
    }

    #[cfg(feature = "mutants")]
    pub(crate) fn is_off(&self, rule: Rule) -> bool {
        self.0.off.load(std::sync::atomic::Ordering::Relaxed) & bit(rule) != 0
    }

    /// Breaks a rule from now on.
    #[cfg(feature = "mutants")]
    pub fn switch_off(&self, rule: Rule) {
        self.0.off.fetch_or(bit(rule), std::sync::atomic::Ordering::Relaxed);
    }
}

#[cfg(feature = "mutants")]
fn bit(rule: Rule) -> u32 {
    1 << rule as u32
}
