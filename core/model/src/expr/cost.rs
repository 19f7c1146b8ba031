//! What an expression costs for each record that it is asked of, so that none is a query in disguise.

use super::error::Fault;

/// The most that an expression may cost.
///
/// Sixty joined steps: a statement on SQLite joins at most 64 tables.
pub const COST_MAX: u32 = 1_200;

/// Of a reference that is followed, once for each path.
const STEP: u32 = 20;
/// Of a question about children.
const CHILDREN: u32 = 100;
/// What each part costs more that is asked of every child.
const PER_CHILD: u32 = 4;

/// The cost so far.
#[derive(Default)]
pub(super) struct Cost {
    total: u32,
    /// Whether the parts are asked of every child.
    is_inside: bool,
    /// The paths that are joined already, here and outside the children.
    joined: Vec<Vec<String>>,
    outside: Vec<Vec<String>>,
}

impl Cost {
    /// What it is in all.
    pub(super) fn total(&self) -> u32 {
        self.total
    }

    /// One part more.
    pub(super) fn part(&mut self, at: usize) -> Result<(), Fault> {
        self.add(1, at)
    }

    /// A path that is read along.
    pub(super) fn path(&mut self, path: &[String], at: usize) -> Result<(), Fault> {
        for length in 1..=path.len() {
            let start = path.get(..length).unwrap_or(path);
            if !self.joined.iter().any(|joined| joined == start) {
                self.joined.push(start.to_vec());
                self.add(STEP, at)?;
            }
        }
        Ok(())
    }

    /// From here on, parts are asked of every child.
    pub(super) fn enter(&mut self, at: usize) -> Result<(), Fault> {
        self.add(CHILDREN, at)?;
        self.is_inside = true;
        self.outside = std::mem::take(&mut self.joined);
        Ok(())
    }

    /// From here on, they are not.
    pub(super) fn leave(&mut self) {
        self.is_inside = false;
        self.joined = std::mem::take(&mut self.outside);
    }

    fn add(&mut self, cost: u32, at: usize) -> Result<(), Fault> {
        let cost = if self.is_inside { cost.saturating_mul(PER_CHILD) } else { cost };
        self.total = self.total.saturating_add(cost);
        if self.total <= COST_MAX {
            return Ok(());
        }
        Err(Fault::new(
            at,
            format!(
                "up to here the expression costs {}, more than {COST_MAX}: a reference that is followed costs {STEP}, \
                 a question about children {CHILDREN}, and {PER_CHILD} times what it asks of them; ask less at once",
                self.total
            ),
        ))
    }
}
