//! Makes cargo build again when a migration is added.

fn main() {
    use std::io::Write as _;
    let told = writeln!(std::io::stdout(), "cargo:rerun-if-changed=../../migrations");
    assert!(told.is_ok(), "cargo reads this output");
}
