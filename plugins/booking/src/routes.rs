//! HTTP for the booking page: what can be booked, when, and booking it.

pub(crate) mod book;
pub(crate) mod lists;
pub(crate) mod slots;
