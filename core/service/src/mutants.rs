//! Switches that break a rule, so that a test can show that it would notice.
//!
//! They exist only with the feature `mutants`, which tests ask for; without it every rule is always kept.

use crate::workspace::Workspace;

/// Whether this build has the switches.
pub const BUILT_IN: bool = cfg!(feature = "mutants");

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
    /// An idempotency key stands for one effect.
    Dedup,
    /// A message that is claimed is nobody else's for a while.
    Claim,
    /// Success is told after the commit.
    Commit,
    /// A server looks at the pages of its file before it begins.
    Pages,
    /// Commits wait for the disk. The store keeps this one, so it is told when it is opened.
    Disk,
}

impl Rule {
    /// Those that whole programs are tested with.
    const NAMED: [(&'static str, Self); 9] = [
        ("exclude", Self::Exclude),
        ("rollup", Self::Rollup),
        ("floor", Self::Floor),
        ("sequence", Self::Sequence),
        ("dedup", Self::Dedup),
        ("claim", Self::Claim),
        ("commit", Self::Commit),
        ("pages", Self::Pages),
        ("disk", Self::Disk),
    ];

    /// By its name on a program's environment.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMED.iter().find(|(own, _)| *own == name).map(|(_, rule)| *rule)
    }
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

    /// Breaks a rule from now on, in a build that has the switches.
    #[cfg_attr(not(feature = "mutants"), expect(clippy::unused_self, reason = "there is nothing to switch"))]
    pub fn switch_off(&self, rule: Rule) {
        #[cfg(feature = "mutants")]
        self.0.off.fetch_or(bit(rule), std::sync::atomic::Ordering::Relaxed);
        #[cfg(not(feature = "mutants"))]
        tracing::error!(?rule, "this build cannot break a rule");
    }
}

#[cfg(feature = "mutants")]
fn bit(rule: Rule) -> u32 {
    1 << rule as u32
}
