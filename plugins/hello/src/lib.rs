//! Tidies the names of contacts and keeps a greeting for each.
//!
//! This file connects the plugin to its host. What it decides is in `greeting`, as plain functions
//! that `cargo test` tests without a host.

mod greeting;

use pergola_plugin::prelude::*;
use serde::Deserialize;

/// The plugin. It has no state: the host makes a fresh instance for each call.
struct Plugin;

// Reads plugin.toml, writes the module `records` and connects the traits below to the host.
pergola_plugin::plugin!(Plugin);

impl BeforeWrite for Plugin {
    /// Runs before a contact is created or updated; the answer is what to set besides.
    fn before_write(write: &Write) -> Result<Fields, Failure> {
        // An update that leaves the name alone is none of our business.
        if !write.changes("name") {
            return Ok(Fields::new());
        }
        let name = greeting::tidy(&write.changes.read::<String>("name")?);
        if !greeting::has_letters(&name) {
            return Err(Failure::refused("nameless", "Write a name with at least one letter.").field("name"));
        }
        // The struct for `[extend.contact]` in the manifest.
        let ours = records::ContactExtension { greeting: Some(greeting::greeting(&name)) };
        Ok(ours.into_fields().with("name", name))
    }
}

/// The input of the action `greet`, as its JSON Schema in the manifest says.
#[derive(Deserialize)]
struct Greet {
    contact: Id,
}

impl Actions for Plugin {
    /// Runs when somebody calls an action of the plugin; the answer is JSON.
    fn run(action: &str, input: &Input) -> Result<Json, Failure> {
        match action {
            "greet" => greet(&input.read()?),
            other => Err(Failure::not_found(format!("There is no action {other}."))),
        }
    }
}

/// Answers a contact's greeting; contacts from before the install have none yet, so it is made and kept.
fn greet(input: &Greet) -> Result<Json, Failure> {
    let contact = records::get("contact", input.contact)?
        .ok_or_else(|| Failure::not_found("There is no such contact.").field("contact"))?;
    let kept = contact.read::<records::ContactExtension>()?.greeting;
    let greeting = if let Some(greeting) = kept {
        greeting
    } else {
        let greeting = greeting::greeting(&contact.fields.read::<String>("name")?);
        let ours = records::ContactExtension { greeting: Some(greeting.clone()) };
        records::update("contact", contact.id, ours.into_fields())?;
        greeting
    };
    Ok(json!({ "greeting": greeting }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(changes: Fields) -> Write {
        Write {
            object: "contact".to_owned(),
            kind: Kind::Update,
            id: Id::from_u128(1),
            before: Fields::new().with("name", "Ann"),
            changes,
        }
    }

    #[test]
    fn a_name_is_tidied_and_greeted() {
        let answer = Plugin::before_write(&write(Fields::new().with("name", "  Ada   Lovelace "))).unwrap();
        assert_eq!(answer, Fields::new().with("name", "Ada Lovelace").with("hello.greeting", "Hello, Ada!"));
    }

    #[test]
    fn a_name_without_letters_is_refused_at_its_field() {
        let refusal = Plugin::before_write(&write(Fields::new().with("name", "+7 900"))).unwrap_err();
        assert_eq!((refusal.code.as_str(), refusal.field.as_deref()), ("nameless", Some("name")));
    }

    #[test]
    fn other_changes_pass_as_they_are() {
        assert_eq!(Plugin::before_write(&write(Fields::new().with("phone", "+33"))).unwrap(), Fields::new());
    }
}
