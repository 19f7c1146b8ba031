//! What happens when records of this plugin are written.

pub(crate) mod appointment;
pub(crate) mod timeline;
