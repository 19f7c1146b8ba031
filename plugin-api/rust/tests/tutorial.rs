//! Proves that the README's plugin compiles: its manifest and its code are these files.

use pergola_plugin::prelude::*;

struct Studio;

pergola_plugin::plugin!(Studio, "tests/tutorial.toml");

impl BeforeWrite for Studio {
    fn before_write(write: &Write) -> Result<Fields, Failure> {
        let session: records::Session = write.typed()?;
        let minutes = session.minutes.unwrap_or(60);
        if minutes <= 0 {
            return Err(Failure::refused("no_time", "Give the session at least a minute.").field("minutes"));
        }
        Ok(Fields::new().with("ends_at", session.starts_at + Duration::minutes(minutes)))
    }
}

impl OnEvent for Studio {
    fn on_event(event: &Event) -> Result<(), Failure> {
        // It may have been deleted since.
        let Some(session) = records::find::<records::Session>(event.id)? else { return Ok(()) };
        let ours = records::ContactExtension { last_session: Some(session.starts_at) };
        records::update("contact", session.contact, ours.into_fields())?;
        Ok(())
    }
}

impl OnTimer for Studio {
    fn on_timer(due: &Due) -> Result<(), Failure> {
        let session: records::Session = due.target.read()?;
        let wall = clock::wall(session.starts_at);
        let message = Message::to(session.contact, &due.key)
            .subject("See you soon")
            .body(format!("{} at {:02}:{:02}", wall.date, wall.minutes / 60, wall.minutes % 60))
            .about(&due.target.object, due.target.id);
        messages::queue(message)?;
        Ok(())
    }
}

impl Routes for Studio {
    fn handle(request: &Request) -> Result<Response, Failure> {
        match request.route() {
            ("GET", "/free") => free(request),
            _ => Err(Failure::not_found("There is no such page.")),
        }
    }
}

/// `GET /p/studio/free?date=2026-03-08`: the sessions of a day, without names.
fn free(request: &Request) -> Result<Response, Failure> {
    let date: Date = request.read_param("date")?;
    let taken = Query::of("studio.session")
        .filter("starts_at >= p0 && starts_at < p1")
        .param(clock::at(date, 0))
        .param(clock::at(date.plus_days(1), 0))
        .sort("starts_at")
        .fields(["starts_at", "ends_at"])
        .rows()
        .map(|row| row.map(|row| json!([row.fields.datetime("starts_at"), row.fields.datetime("ends_at")])))
        .collect::<Result<Vec<_>, _>>()?;
    Response::json(200, &json!({ "taken": taken }))
}

#[test]
fn a_session_without_minutes_takes_an_hour() {
    let session = records::Session::new(Id::from_u128(1), DateTime::from_micros(0));
    let write = Write {
        object: "studio.session".into(),
        kind: Kind::Create,
        id: Id::from_u128(2),
        before: Fields::new(),
        changes: session.into_fields(),
    };
    let answer = Studio::before_write(&write).unwrap();
    assert_eq!(answer.datetime("ends_at"), Some(DateTime::from_micros(0) + Duration::hours(1)));
}

/// The README's fenced blocks in a language.
fn blocks(language: &str) -> Vec<&'static str> {
    let readme = include_str!("../README.md");
    let fence = format!("```{language}\n");
    readme.split(fence.as_str()).skip(1).filter_map(|rest| rest.split_once("```\n")).map(|(block, _)| block).collect()
}

#[test]
fn the_readme_shows_this_plugin() {
    // In a plugin's crate the manifest is where the macro looks for it.
    let code = include_str!("tutorial.rs").replace(", \"tests/tutorial.toml\"", "");
    let rust = blocks("rust");
    assert_eq!(rust.len(), 4);
    for block in rust {
        assert!(code.contains(block), "the README has code that tests/tutorial.rs has not:\n{block}");
    }
    assert!(
        blocks("toml").contains(&include_str!("tutorial.toml")),
        "the README's manifest is not tests/tutorial.toml"
    );
}
