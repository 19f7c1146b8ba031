//! A beauty salon over booking: what is known of a client, ratings of masters, and coming back.
//!
//! This file connects the plugin to its host. Each other file is one idea, with its decisions as plain
//! functions that are tested natively, and its host calls around them.

mod consent;
mod rate;
mod rating;
mod report;
mod visits;
mod words;
mod writing;

use pergola_plugin::prelude::*;

/// The plugin. It has no state: the host makes a fresh instance for each call.
struct Plugin;

pergola_plugin::plugin!(Plugin);

impl BeforeWrite for Plugin {
    fn before_write_all(writes: &[Write]) -> Result<Vec<Verdict>, Failure> {
        match writes.first().map(|write| write.object.as_str()) {
            Some("contact") => consent::check(writes),
            Some("salon.rating") => rating::fill(writes),
            _ => Ok(Vec::new()),
        }
    }
}

impl OnTimer for Plugin {
    fn on_timer(due: &Due) -> Result<(), Failure> {
        match due.action.as_str() {
            "visit_over" => visits::over(&due.target),
            "ask_rating" => writing::ask_rating(&due.target),
            "win_back" => writing::win_back(&due.target),
            // A timer of another version; there is nothing to do again later.
            _ => Ok(()),
        }
    }
}

impl Routes for Plugin {
    fn handle(request: &Request) -> Result<Response, Failure> {
        match request.route() {
            ("POST", "/rate") => rate::answer(request),
            _ => Err(Failure::not_found("There is no such route.")),
        }
    }
}

impl Actions for Plugin {
    fn run(action: &str, input: &Input) -> Result<Json, Failure> {
        match action {
            "report" => report::answer(&input.read()?),
            _ => Err(Failure::not_found("There is no such action.")),
        }
    }
}

/// The rows of an object with these ids, in one query.
fn rows_by_id(object: &str, ids: &std::collections::BTreeSet<Id>, fields: &[&str]) -> Result<Vec<Row>, Failure> {
    /// A filter has at most 500 parts.
    const IDS_MAX: usize = 200;
    let ids: Vec<Id> = ids.iter().copied().collect();
    let mut rows = Vec::with_capacity(ids.len());
    for chunk in ids.chunks(IDS_MAX) {
        let names: Vec<String> = (0..chunk.len()).map(|place| format!("p{place}")).collect();
        let query = Query::of(object).filter(format!("id in [{}]", names.join(", "))).fields(fields.iter().copied());
        rows.extend(chunk.iter().fold(query, |query, id| query.param(*id)).all()?);
    }
    Ok(rows)
}
