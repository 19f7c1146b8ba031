//! Proves whole imports, from the bytes of a file to the records, against a workspace in memory.

mod fake;
mod files;
mod matching;
mod resume;
mod rows;

use fake::Fake;
use pergola_model::ObjectName;

use super::{Content, ImportError, ImportOptions, ImportSummary, Progress, Source, run};

fn options() -> ImportOptions {
    ImportOptions::new(ObjectName::new("contact").unwrap())
}

fn bytes(name: &str, bytes: impl Into<Vec<u8>>) -> Source {
    Source { name: name.to_owned(), content: Content::Bytes(bytes.into()) }
}

async fn import(base: &Fake, source: Source, options: &ImportOptions) -> Result<ImportSummary, ImportError> {
    let mut last = Progress::default();
    let summary = run::import(base, source, options, &mut |progress| {
        assert!(progress.done > last.done && progress.done <= progress.total);
        last = progress;
    })
    .await?;
    assert_eq!(last.done, summary.rows, "progress stops short");
    assert_eq!(summary.created + summary.updated + summary.merged + summary.refused, summary.rows, "{summary:?}");
    Ok(summary)
}

async fn import_csv(base: &Fake, text: &str) -> ImportSummary {
    import(base, bytes("clients.csv", text), &options()).await.unwrap()
}

/// created, updated, merged, refused.
fn counts(summary: &ImportSummary) -> [u64; 4] {
    [summary.created, summary.updated, summary.merged, summary.refused]
}
