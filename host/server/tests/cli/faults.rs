//! Bad days: processes killed, databases gone, disks that lose what was not synced, under a load of real clients.
//!
//! [`driver`] is the load; [`notes`] is what its clients sent and were told. After the fault [`invariants`] compares that
//! with what is there. Each test has its mutant: a switch that breaks the property, under which the checker must
//! complain. `docs/how-to/test-faults.md` tells how to run more rounds.

pub(crate) mod driver;
pub(crate) mod invariants;
mod kills;
mod lossy;
pub(crate) mod notes;
mod outage;
mod relay;
mod silence;
pub(crate) mod world;

/// How often to do it: a few times in every run of the tests, or as often as somebody asks for.
fn rounds(usually: usize) -> usize {
    let asked = std::env::var_os("PERGOLA_FAULT_ROUNDS").and_then(|text| text.to_str()?.parse().ok());
    asked.unwrap_or(usually)
}
