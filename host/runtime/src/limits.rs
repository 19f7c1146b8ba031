//! What ends a guest's call early, and the limiter of its memory.

use std::time::Duration;

use wasmtime::ResourceLimiter;

/// Cells of a guest's function tables together; a pool slot has room for as many.
pub(crate) const TABLE_ELEMENTS_MAX: usize = 20_000;

/// Why the host ended a guest's call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Stop {
    /// A limit was reached: its name and figure, as people read them.
    #[error("more than the {limit} of {figure}")]
    Limit { limit: &'static str, figure: String },
    /// The guest said something that the contract does not allow.
    #[error("{0}")]
    Nonsense(String),
    /// The host itself could not answer.
    #[error("{0}")]
    Host(String),
}

impl Stop {
    pub(crate) fn limit(limit: &'static str, figure: impl ToString) -> Self {
        Self::Limit { limit, figure: figure.to_string() }
    }
}

impl From<crate::values::Unfit> for Stop {
    fn from(unfit: crate::values::Unfit) -> Self {
        Self::Nonsense(unfit.0)
    }
}

/// `50 ms`, `2 s`.
pub(crate) fn figure_of_time(time: Duration) -> String {
    if time.subsec_nanos() == 0 { format!("{} s", time.as_secs()) } else { format!("{} ms", time.as_millis()) }
}

/// `64 MiB`, `64 KiB`.
pub(crate) fn figure_of_bytes(bytes: usize) -> String {
    const UNITS: [(usize, &str); 2] = [(1 << 20, "MiB"), (1 << 10, "KiB")];
    UNITS
        .iter()
        .find(|(unit, _)| bytes >= *unit && bytes.is_multiple_of(*unit))
        .map_or_else(|| format!("{bytes} bytes"), |(unit, name)| format!("{} {name}", bytes / unit))
}

/// Counts the memory of all of one guest's memories, and remembers having said no: the guest
/// sees only an allocation that failed, and what it makes of that is a trap with another name.
#[derive(Debug)]
pub(crate) struct MemoryLimit {
    pub(crate) bytes_max: usize,
    bytes: usize,
    elements: usize,
    pub(crate) refused: bool,
}

impl MemoryLimit {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { bytes_max, bytes: 0, elements: 0, refused: false }
    }

    fn grow(used: &mut usize, refused: &mut bool, by: usize, max: usize) -> bool {
        let wanted = used.saturating_add(by);
        let allowed = wanted <= max;
        if allowed {
            *used = wanted;
        } else {
            *refused = true;
        }
        allowed
    }
}

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let by = desired.saturating_sub(current);
        Ok(Self::grow(&mut self.bytes, &mut self.refused, by, self.bytes_max))
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let by = desired.saturating_sub(current);
        Ok(Self::grow(&mut self.elements, &mut self.refused, by, TABLE_ELEMENTS_MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_as_people_write_them() {
        assert_eq!(figure_of_time(Duration::from_millis(50)), "50 ms");
        assert_eq!(figure_of_time(Duration::from_secs(30)), "30 s");
        assert_eq!(figure_of_bytes(64 << 20), "64 MiB");
        assert_eq!(figure_of_bytes(96 << 10), "96 KiB");
        assert_eq!(figure_of_bytes(100), "100 bytes");
    }

    #[test]
    fn memories_are_counted_together() {
        let mut limit = MemoryLimit::new(100);
        assert!(limit.memory_growing(0, 60, None).unwrap());
        assert!(!limit.memory_growing(0, 60, None).unwrap());
        assert!(limit.refused);
    }
}
