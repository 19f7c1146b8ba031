//! The Store port on sqlx: SQLite, with group commit. PostgreSQL comes later, behind the same port and the same tests.
//!
//! Reading order: [`SqliteStore`] is the way in; `writer` commits in groups, `readers` lends connections, both as a
//! `session`, over which `view` implements the port; `records`, `page`, `timers`, `outbox`, `accounts` and `schema` are
//! its statements; `layout`, `row`, `filter` and `sql` are what statements are made of.
//!
//! To add a field type: a case in `layout::Holds`, its value in `row`, its comparison in `filter`, and a field of it in the
//! two test suites.
//!
//! All dynamic SQL is built on `sql::Sql`, which quotes names and binds values. Not with sea-query: its builder
//! would allocate an expression tree per statement on the hot path, and has neither `STRICT` nor `IS TRUE`.
//!
//! Invariants: only `filter` knows the meaning of expressions; no statement holds a value in its text, except the labels
//! that `schema` writes; a unit of work is never told "done" before its commit is durable.

mod accounts;
mod aggregate;
pub mod backup;
mod bin;
mod connect;
mod counters;
mod dialect;
pub mod directory;
mod error;
mod filter;
mod imports;
mod key;
mod late;
mod layout;
mod line;
mod outbox;
mod overlaps;
mod page;
mod postgres;
mod purge;
mod readers;
mod records;
mod rooms;
mod row;
mod schema;
mod scrub;
mod search;
mod session;
mod sql;
mod store;
mod tally;
mod timers;
mod turn;
mod view;
mod writer;

pub use postgres::{PostgresOptions, PostgresStore};
pub use store::{Options, SqliteStore};
