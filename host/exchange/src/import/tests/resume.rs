//! An import that is killed after any of its commits goes on as if nothing had been.

use std::sync::atomic::Ordering;

use super::*;

/// Several batches with rows of every fate; over one row a plugin breaks, so its batch is committed row by row.
fn file() -> String {
    let mut file = "Name;Phone;Notes\n".to_owned();
    for number in 0..900 {
        file += &match number % 30 {
            7 => format!("Wrong {number};12;\n"),
            13 => format!("Client 0;89120000000;again {number}\n"),
            19 => "Nameless friend;;\n".to_owned(),
            23 => format!("blocked {number};;\n"),
            _ => format!("Client {number};8912{number:07};\n"),
        };
        if number == 500 {
            file += "trap;;\n";
        }
    }
    file
}

struct Done {
    counts: [u64; 4],
    contacts: Vec<pergola_model::Fields>,
    report: Vec<String>,
}

async fn run_to_the_end(base: &Fake, options: &ImportOptions) -> Done {
    let summary = import(base, bytes("clients.csv", file()), options).await.unwrap();
    let report = std::fs::read_to_string(summary.report.as_ref().unwrap()).unwrap();
    let mut report: Vec<String> = report.lines().map(str::to_owned).collect();
    report.sort();
    Done { counts: counts(&summary), contacts: base.contacts(), report }
}

#[tokio::test]
async fn after_any_commit() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| ImportOptions { report: Some(folder.path().join(name)), ..options() };
    let whole = Fake::new();
    let expected = run_to_the_end(&whole, &at("whole.csv")).await;
    let commits = whole.commits.load(Ordering::SeqCst);
    assert!(commits > 150, "{commits}: the batch of the broken row is not written row by row");
    for commit in (1..commits).step_by(7).chain([commits]) {
        let base = Fake::new();
        base.dies_after.store(commit, Ordering::SeqCst);
        let cut = at(&format!("{commit}.csv"));
        let error = import(&base, bytes("clients.csv", file()), &cut).await.unwrap_err();
        assert!(matches!(error, ImportError::Stopped { .. }), "{error:?}");
        let done = run_to_the_end(&base, &cut).await;
        assert_eq!(done.counts, expected.counts, "killed after commit {commit}");
        assert_eq!(done.report, expected.report, "killed after commit {commit}");
        let names = |contacts: &[pergola_model::Fields]| {
            let mut all: Vec<String> = contacts.iter().map(|one| format!("{one:?}")).collect();
            all.sort();
            all
        };
        assert_eq!(names(&done.contacts), names(&expected.contacts), "killed after commit {commit}");
    }
}

#[tokio::test]
async fn only_if_it_is_the_same_file_in_the_same_way_and_not_if_it_is_to_begin_anew() {
    let going_on = |summary: &ImportSummary| summary.notices.iter().any(|notice| notice.starts_with("going on after"));
    for (name, change, goes_on) in [
        ("same", options(), true),
        ("other options", ImportOptions { region: Some("FI".to_owned()), ..options() }, false),
        ("anew", ImportOptions { restart: true, ..options() }, false),
        ("a dry run", ImportOptions { dry_run: true, ..options() }, false),
    ] {
        let base = Fake::new();
        base.dies_after.store(2, Ordering::SeqCst);
        import(&base, bytes("clients.csv", file()), &options()).await.unwrap_err();
        let summary = import(&base, bytes("clients.csv", file()), &change).await.unwrap();
        assert_eq!(going_on(&summary), goes_on, "{name}");
    }
    let base = Fake::new();
    base.dies_after.store(2, Ordering::SeqCst);
    import(&base, bytes("clients.csv", file()), &options()).await.unwrap_err();
    let other = import(&base, bytes("clients.csv", file() + "One More;;\n"), &options()).await.unwrap();
    assert!(!going_on(&other));
}
