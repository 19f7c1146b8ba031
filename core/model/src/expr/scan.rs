//! A look at the text before it is parsed: refuses what the language does not have, and bounds the depth.
//!
//! The parser recurses, so a hostile text must be stopped before it gets there. The bound is an upper
//! one on the height of the tree: what stands in brackets, plus one for every operator that may take it
//! as an operand. `&&` and `||` start anew, because the parser balances their chains; the few levels of
//! such a balanced tree are not counted.

use super::error::Fault;

/// The highest tree.
const DEPTH_MAX: usize = 64;

/// Words of other languages, and what to write here.
const FOREIGN_WORDS: [(&str, &str); 8] = [
    ("and", "write && for and"),
    ("or", "write || for or"),
    ("not", "write ! for not, != for not equal"),
    ("is", "write == null or != null"),
    ("like", "write name.contains('x'), name.startsWith('x') or name.endsWith('x')"),
    ("between", "write a >= low && a <= high"),
    ("if", "write condition ? yes : no"),
    ("nil", "write null"),
];

/// A word, number, text or operator, by its bytes in the text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token<'a> {
    /// Where it starts.
    pub(super) at: usize,
    /// How it is written.
    pub(super) text: &'a str,
}

/// Cuts the text into tokens and checks brackets and depth.
pub(super) fn scan(source: &str) -> Result<Vec<Token<'_>>, Fault> {
    let mut tokens = Vec::new();
    let mut depth = Depth::default();
    let mut at = 0;
    while let Some(rest) = source.get(at..).filter(|rest| !rest.is_empty()) {
        let length = token_length(rest, at)?;
        let text = rest.get(..length).unwrap_or(rest);
        if !text.trim().is_empty() {
            if text == "[" && tokens.last().is_some_and(ends_operand) {
                return Err(Fault::new(at, "expressions have no index; to look for a tag: 'x' in tags"));
            }
            depth.add(text, at)?;
            tokens.push(Token { at, text });
        }
        at = at.saturating_add(length.max(1));
    }
    depth.finish(source)?;
    Ok(tokens)
}

/// What to write instead of a word of another language.
pub(super) fn hint(word: &str) -> Option<&'static str> {
    let word = word.to_ascii_lowercase();
    FOREIGN_WORDS.iter().find(|(foreign, _)| *foreign == word).map(|(_, hint)| *hint)
}

fn ends_operand(token: &Token<'_>) -> bool {
    let is_word = token.text.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_') && token.text != "in";
    is_word || token.text.ends_with([')', ']', '\'', '"'])
}

fn token_length(rest: &str, at: usize) -> Result<usize, Fault> {
    let two = rest.get(..2).unwrap_or_default();
    if let "<>" | "//" = two {
        let message = if two == "<>" { "write != for not equal" } else { "expressions have no comments" };
        return Err(Fault::new(at, message));
    }
    if rest.starts_with("===") || rest.starts_with("!==") {
        return Err(Fault::new(at, "write == or !=, with one = less"));
    }
    if let "==" | "!=" | "<=" | ">=" | "&&" | "||" = two {
        return Ok(2);
    }
    let Some(first) = rest.chars().next() else { return Ok(0) };
    match first {
        '\'' | '"' => text_length(rest, 0, first, at),
        'r' | 'R' if rest.chars().nth(1).is_some_and(|c| c == '\'' || c == '"') => {
            text_length(rest, 1, rest.chars().nth(1).unwrap_or('\''), at)
        }
        c if c.is_ascii_alphanumeric() || c == '_' => {
            Ok(rest.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count())
        }
        ' ' | '\t' | '\n' | '\r' | '(' | ')' | '[' | ']' | ',' | '.' | '+' | '-' | '*' | '!' | '<' | '>' | '?'
        | ':' => Ok(1),
        other => Err(Fault::new(at, refusal(other))),
    }
}

fn text_length(rest: &str, prefix: usize, quote: char, at: usize) -> Result<usize, Fault> {
    let body = prefix.saturating_add(1);
    let doubled: String = [quote; 3].iter().collect();
    if rest.get(prefix..).is_some_and(|text| text.starts_with(&doubled)) {
        return Err(Fault::new(at, "texts have one quote on each side, not three"));
    }
    let mut escaped = false;
    for (offset, c) in rest.char_indices().filter(|(offset, _)| *offset >= body) {
        match c {
            '\n' | '\r' => break,
            _ if escaped => escaped = false,
            '\\' if prefix == 0 => escaped = true,
            c if c == quote => return Ok(offset.saturating_add(1)),
            _ => {}
        }
    }
    Err(Fault::new(at, format!("the text that starts here has no closing {quote} on its line")))
}

fn refusal(c: char) -> String {
    match c {
        '=' => "write == to compare; an expression cannot set anything".to_owned(),
        '&' => "write && for and".to_owned(),
        '|' => "write || for or".to_owned(),
        '/' | '%' => "expressions have no division; multiply the other side instead".to_owned(),
        '{' | '}' => "expressions have no maps".to_owned(),
        '«' | '»' | '“' | '”' | '„' | '‘' | '’' => "write texts in plain quotes: 'text'".to_owned(),
        other => format!("{other:?} has no meaning here; a text needs quotes: 'text'"),
    }
}

/// An upper bound on the height of the tree, as tokens come.
#[derive(Default)]
struct Depth {
    /// Open brackets and where they stand.
    open: Vec<(char, usize)>,
    /// For each open bracket, the heights outside it: of the chain so far, and of the highest chain.
    outer: Vec<(usize, usize)>,
    chain: usize,
    highest: usize,
}

impl Depth {
    fn add(&mut self, token: &str, at: usize) -> Result<(), Fault> {
        match token {
            "(" | "[" => {
                self.open.push((if token == "(" { ')' } else { ']' }, at));
                self.outer.push((self.chain, self.highest));
                (self.chain, self.highest) = (0, 0);
            }
            ")" | "]" => {
                match self.open.pop() {
                    Some((closing, _)) if token.starts_with(closing) => {}
                    _ => return Err(Fault::new(at, format!("this {token} closes nothing"))),
                }
                let inner = self.chain.max(self.highest).saturating_add(1);
                let (chain, highest) = self.outer.pop().unwrap_or_default();
                (self.chain, self.highest) = (chain.max(inner), highest);
            }
            "&&" | "||" | "," => {
                self.highest = self.highest.max(self.chain.saturating_add(1));
                self.chain = 0;
            }
            "." | "+" | "-" | "*" | "!" | "?" | ":" | "==" | "!=" | "<" | "<=" | ">" | ">=" | "in" => {
                self.chain = self.chain.saturating_add(1);
            }
            _ => {}
        }
        if self.chain.max(self.open.len()) > DEPTH_MAX {
            return Err(Fault::new(at, format!("the expression is too deep here: at most {DEPTH_MAX} steps")));
        }
        Ok(())
    }

    fn finish(&self, source: &str) -> Result<(), Fault> {
        match self.open.last() {
            Some((closing, at)) => Err(Fault::new(*at, format!("this bracket has no closing {closing}"))),
            None if source.trim().is_empty() => Err(Fault::new(0, "the expression is empty")),
            None => Ok(()),
        }
    }
}
