//! What crosses crates: scenarios, hostile plugins, faults and benchmarks.
