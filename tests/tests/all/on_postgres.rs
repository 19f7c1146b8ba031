//! The scenarios on PostgreSQL.

#![expect(clippy::duplicate_mod, reason = "the scenarios are compiled for each database")]

use pergola_cluster::Cluster;
use pergola_testkit::Backend;

#[path = "bin.rs"]
mod bin;
#[path = "booking.rs"]
mod booking;
#[path = "doctor.rs"]
mod doctor;
#[path = "language.rs"]
mod language;
#[path = "questions.rs"]
mod questions;
#[path = "reports.rs"]
mod reports;
#[path = "salon.rs"]
mod salon;
#[path = "unique.rs"]
mod unique;
#[path = "unit_of_work.rs"]
mod unit_of_work;
#[path = "upgrade.rs"]
mod upgrade;
#[path = "wake_ups.rs"]
mod wake_ups;
#[path = "waking.rs"]
mod waking;

/// A new, empty place.
pub(super) fn backend() -> Backend {
    Backend::Postgres(Cluster::shared().unwrap_or_else(|error| panic!("{error}")).new_url())
}
