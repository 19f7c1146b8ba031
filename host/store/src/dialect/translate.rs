//! A statement's text as PostgreSQL wants it: `?` becomes `$1`, `$2`, … and system tables get their schema.

use crate::sql::{Bind, Kind};

/// What the names of system tables begin with.
const SYSTEM: &str = "pergola_";

/// The text for PostgreSQL. The type of each value stands in it: sqlx keeps prepared statements by their
/// text, and would send a number of one type to a statement that was prepared with another.
pub(super) fn translate(text: &str, binds: &[Bind], schema: &str) -> String {
    let mut out = String::with_capacity(text.len() + binds.len() * 8);
    let mut binds = binds.iter().enumerate();
    let mut rest = text;
    while let Some(at) = rest.find(['?', '\'', '"', 'p']) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let taken = match from.as_bytes().first() {
            Some(b'?') => {
                if let Some((index, bind)) = binds.next() {
                    out.push('$');
                    out.push_str(&index.saturating_add(1).to_string());
                    out.push_str("::");
                    out.push_str(type_name(bind.kind()));
                }
                1
            }
            Some(quote @ (b'\'' | b'"')) => {
                let end = from.bytes().skip(1).position(|byte| byte == *quote);
                let length = end.map_or(from.len(), |end| end.saturating_add(2));
                out.push_str(from.get(..length).unwrap_or(from));
                length
            }
            _ => {
                let inside = before.bytes().last().or_else(|| out.bytes().last());
                if from.starts_with(SYSTEM) && !inside.is_some_and(is_inside_name) {
                    out.push_str(schema);
                    out.push('.');
                }
                out.push('p');
                1
            }
        };
        rest = from.get(taken..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

/// Whether what comes after this byte goes on with a name, or is qualified already.
fn is_inside_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'$')
}

fn type_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Bool => "bool",
        Kind::Integer => "int8",
        Kind::Real => "float8",
        Kind::Text => "text",
        Kind::Bytes => "bytea",
        Kind::Id => "uuid",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_numbered_and_typed_outside_of_quotes() {
        let binds = [Bind::Integer(1), Bind::Null(Kind::Id), Bind::Text("?".to_owned())];
        let text = translate("SELECT '?''?', \"a?\" FROM t WHERE a = ? AND b IN (?, ?)", &binds, "\"s\"");
        assert_eq!(text, "SELECT '?''?', \"a?\" FROM t WHERE a = $1::int8 AND b IN ($2::uuid, $3::text)");
    }

    #[test]
    fn system_tables_get_their_schema_and_other_names_do_not() {
        let text = translate(
            "UPDATE pergola_timer SET a = pergola_timer.a, p = my_pergola_x, t.pergola_y = 'pergola_z'",
            &[],
            "\"s\"",
        );
        assert_eq!(
            text,
            "UPDATE \"s\".pergola_timer SET a = \"s\".pergola_timer.a, p = my_pergola_x, t.pergola_y = 'pergola_z'"
        );
    }
}
