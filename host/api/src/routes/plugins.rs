//! The workspace's plugins.

pub(super) mod list;
pub(super) mod settings;
