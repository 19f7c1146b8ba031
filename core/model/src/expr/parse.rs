//! From text to CEL's tree, with the place of every part.

use cel::{
    Env, IdedExpr,
    common::ast::{Expr, SourceInfo},
};

use super::{
    SOURCE_BYTES_MAX,
    error::Fault,
    scan::{self, Token},
};

/// A parsed text.
pub(super) struct Parsed<'a> {
    source: &'a str,
    info: SourceInfo,
    /// The tree.
    pub(super) root: IdedExpr,
}

/// Parses within the limits.
pub(super) fn parse(source: &str) -> Result<Parsed<'_>, Fault> {
    if source.len() > SOURCE_BYTES_MAX {
        return Err(Fault::new(SOURCE_BYTES_MAX, format!("the expression is longer than {SOURCE_BYTES_MAX} bytes")));
    }
    let tokens = scan::scan(source)?;
    // An environment without macros, so that `has(name)` and `x.all(…)` arrive here as plain calls.
    match Env::default().parser().error_recovery_limit(0).parse_with_source_info(source) {
        Ok((root, info)) => Ok(Parsed { source, info, root }),
        Err(errors) => Err(explain(source, &tokens, &errors)),
    }
}

impl Parsed<'_> {
    /// The byte at which a part stands; for a path or a call on something, where that starts.
    pub(super) fn place(&self, expr: &IdedExpr) -> usize {
        let mut first = expr;
        loop {
            first = match &first.expr {
                Expr::Select(select) => &select.operand,
                Expr::Call(call) => match (&call.target, call.args.as_slice()) {
                    (Some(target), _) => target,
                    (None, [left, _] | [left, _, _])
                        if !call.func_name.starts_with(|c: char| c.is_ascii_alphabetic()) =>
                    {
                        left
                    }
                    _ => break,
                },
                _ => break,
            };
        }
        self.offset(first)
    }

    /// The byte at which a part's own sign stands: the operator, or the bracket of a call.
    pub(super) fn offset(&self, expr: &IdedExpr) -> usize {
        self.info.offset_for(expr.id).map_or(0, |(start, _)| usize::try_from(start).unwrap_or_default())
    }

    /// The byte at which the name of a called function stands.
    pub(super) fn called(&self, expr: &IdedExpr, name: &str) -> usize {
        let bracket = self.offset(expr);
        let before = self.source.get(..bracket).unwrap_or_default().trim_end();
        before.strip_suffix(name).map_or(bracket, str::len)
    }

    /// How a part of one token is written.
    pub(super) fn written(&self, expr: &IdedExpr) -> Option<&str> {
        let (start, stop) = self.info.offset_for(expr.id)?;
        self.source.get(usize::try_from(start).ok()?..=usize::try_from(stop).ok()?)
    }
}

fn explain(source: &str, tokens: &[Token<'_>], errors: &cel::ParseErrors) -> Fault {
    let Some(first) = errors.errors.iter().find(|error| error.pos.0 > 0).or(errors.errors.first()) else {
        return Fault::new(0, "this is not an expression");
    };
    let at = byte_at(source, first.pos);
    let Some(token) = tokens.iter().find(|token| token.at.saturating_add(token.text.len()) > at) else {
        return Fault::new(source.len(), "the expression ends too early: something must follow here");
    };
    if first.msg.contains("invalid int") || first.msg.contains("invalid double") {
        return Fault::new(token.at, format!("{} is out of the range of numbers", token.text));
    }
    if first.msg.contains("invalid string") || token.text.contains('\\') {
        return Fault::new(token.at, "the text has a bad escape; write \\\\ for \\ and \\' for '");
    }
    let near = tokens.iter().filter(|other| other.at <= token.at).rev().take(2);
    if let Some((token, hint)) = near.filter_map(|token| Some((token, scan::hint(token.text)?))).next() {
        return Fault::new(token.at, hint);
    }
    if first.msg.contains("reserved") {
        return Fault::new(token.at, format!("{:?} is a reserved word and cannot be a name", token.text));
    }
    Fault::new(token.at, format!("{:?} cannot stand here", token.text))
}

/// The byte at a line from 1 and a column from 1, counted in characters.
fn byte_at(source: &str, (line, column): (isize, isize)) -> usize {
    let lines = usize::try_from(line.saturating_sub(1)).unwrap_or_default();
    let start: usize = source.split_inclusive('\n').take(lines).map(str::len).sum();
    let columns = usize::try_from(column.saturating_sub(1)).unwrap_or_default();
    let rest = source.get(start..).unwrap_or_default();
    start.saturating_add(rest.chars().take(columns).map(char::len_utf8).sum())
}
