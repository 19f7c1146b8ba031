//! `contains`, `startsWith` and `endsWith`: exact, case counts, no character is special.

use pergola_model::expr::{Node, NodeKind, TextTest};
use pergola_service::ports::store::StoreError;

use super::Filter;
use crate::sql::Sql;

impl Filter<'_> {
    pub(super) fn text_test(&mut self, test: TextTest, a: &Node, b: &Node, sql: &mut Sql) -> Result<(), StoreError> {
        match (test, self.known_text(b)?) {
            (TextTest::StartsWith, Some(prefix)) => self.starts_with(a, &prefix, sql),
            (TextTest::StartsWith, None) => self.position(a, b, " = 1", sql),
            (TextTest::Contains, _) => self.position(a, b, " > 0", sql),
            (TextTest::EndsWith, _) => self.ends_with(a, b, sql),
        }
    }

    /// Texts that start so are a range in the order of code points, which an index serves.
    fn starts_with(&mut self, a: &Node, prefix: &str, sql: &mut Sql) -> Result<(), StoreError> {
        sql.push("(");
        self.value(a, sql)?;
        sql.push(" >= ").bind(prefix);
        if let Some(end) = after_prefix(prefix) {
            sql.push(" AND ");
            self.value(a, sql)?;
            sql.push(" < ").bind(end);
        }
        sql.push(")");
        Ok(())
    }

    fn position(&mut self, a: &Node, b: &Node, test: &str, sql: &mut Sql) -> Result<(), StoreError> {
        let (a, b) = (self.part(a)?, self.part(b)?);
        sql.append(self.layouts.dialect().position(a, b)).push(test);
        Ok(())
    }

    fn ends_with(&mut self, a: &Node, b: &Node, sql: &mut Sql) -> Result<(), StoreError> {
        let (a, b) = (self.part(a)?, self.part(b)?);
        sql.append(self.layouts.dialect().ends_with(a, b));
        Ok(())
    }

    fn known_text(&self, node: &Node) -> Result<Option<String>, StoreError> {
        match &node.kind {
            NodeKind::Literal(value) => Ok(value.as_text().map(str::to_owned)),
            NodeKind::Parameter(n) => Ok(self.parameter(*n, &node.ty)?.as_text().map(str::to_owned)),
            _ => Ok(None),
        }
    }
}

/// The first text in the order of code points that comes after all that start with the prefix.
fn after_prefix(prefix: &str) -> Option<String> {
    let mut text = prefix.to_owned();
    while let Some(last) = text.pop() {
        // The range steps over the surrogates, which are no characters.
        if let Some(next) = (last..=char::MAX).nth(1) {
            text.push(next);
            return Some(text);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_prefix_is_the_next_code_point_of_its_last_character_that_has_one() {
        assert_eq!(after_prefix("Ан").as_deref(), Some("Ао"));
        assert_eq!(after_prefix("a\u{d7ff}").as_deref(), Some("a\u{e000}"));
        assert_eq!(after_prefix("a\u{10ffff}").as_deref(), Some("b"));
        assert_eq!(after_prefix("\u{10ffff}"), None);
        assert_eq!(after_prefix(""), None);
    }
}
