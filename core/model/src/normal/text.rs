//! Text, e-mail and web addresses in one spelling.

use super::Wrong;
use crate::field::TEXT_CHARS_MAX;

/// The longest e-mail address. Source: RFC 5321, 4.5.3.1.3 (a path of 256 with its brackets).
const EMAIL_BYTES_MAX: usize = 254;
/// The longest part before the @. Source: RFC 5321, 4.5.3.1.1.
const EMAIL_LOCAL_BYTES_MAX: usize = 64;
/// How much of a value a message shows, in characters.
const EXCERPT_CHARS: usize = 40;

/// The start of a text, for messages.
pub(crate) fn excerpt(text: &str) -> String {
    let mut shown: String = text.chars().take(EXCERPT_CHARS).map(|c| if c.is_control() { '·' } else { c }).collect();
    if text.chars().nth(EXCERPT_CHARS).is_some() {
        shown.push('…');
    }
    shown
}

/// One line, trimmed.
pub(super) fn line(text: String, chars_max: usize) -> Result<String, Wrong> {
    let text = trimmed(text);
    if let Some(bad) = text.chars().find(|c| c.is_control()) {
        let message = match bad {
            '\n' | '\r' => "only one line fits here: take the line break out".to_owned(),
            '\t' => "a tab does not fit here: use a space".to_owned(),
            other => format!("the text has the invisible character U+{:04X}: take it out", u32::from(other)),
        };
        return Err(Wrong::new("control_character", message));
    }
    within(text, chars_max)
}

/// Many lines, trimmed at both ends, separated by `\n`.
pub(super) fn lines(text: String, chars_max: usize) -> Result<String, Wrong> {
    let mut text = trimmed(text);
    if text.contains('\r') {
        text = text.replace("\r\n", "\n").replace('\r', "\n");
    }
    if let Some(bad) = text.chars().find(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
        let message = format!("the text has the invisible character U+{:04X}: take it out", u32::from(bad));
        return Err(Wrong::new("control_character", message));
    }
    within(text, chars_max)
}

/// An address that mail could be sent to; the whole grammar of RFC 5322 is not asked for, nor welcome.
pub(super) fn email(text: &str) -> Result<String, Wrong> {
    if text.is_empty() {
        return Ok(String::new());
    }
    let address = text.to_lowercase();
    let well_formed = address
        .split_once('@')
        .is_some_and(|(local, domain)| is_local_part(local) && is_domain(domain) && address.len() <= EMAIL_BYTES_MAX);
    if well_formed {
        return Ok(address);
    }
    let message = format!("\"{}\" is not an e-mail address; write it like name@example.com", excerpt(text));
    Err(Wrong::new("not_an_email", message))
}

/// A web address with its scheme; scheme and host in lower case.
pub(super) fn url(text: String) -> Result<String, Wrong> {
    if text.is_empty() {
        return Ok(text);
    }
    let refuse = |what: &str| Wrong::new("not_a_url", format!("\"{}\" {what}", excerpt(&text)));
    let (scheme, rest) = text.split_once("://").ok_or_else(|| refuse("has no scheme: put https:// in front"))?;
    let scheme = scheme.to_ascii_lowercase();
    if scheme != "http" && scheme != "https" {
        return Err(refuse("does not start with https:// or http://"));
    }
    if rest.chars().any(|c| c.is_whitespace() || matches!(c, '"' | '<' | '>' | '\\' | '`')) {
        return Err(refuse("has a space or sign that web addresses do not have: write it as %20 or the like"));
    }
    let host_ends = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(host_ends);
    let authority = authority.to_lowercase();
    let (host, port) = authority.rsplit_once(':').unwrap_or((authority.as_str(), "80"));
    if !is_host(host) || port.parse::<u16>().is_err() {
        return Err(refuse("names no host; write it like https://example.com/page"));
    }
    // Lower case may be longer than upper case, so the limit is asked for again.
    within(format!("{scheme}://{authority}{path}"), TEXT_CHARS_MAX)
}

fn trimmed(text: String) -> String {
    let inner = text.trim();
    if inner.len() == text.len() { text } else { inner.to_owned() }
}

fn within(text: String, chars_max: usize) -> Result<String, Wrong> {
    // Bytes bound characters from above, so most texts are not counted.
    if text.len() > chars_max {
        let chars = text.chars().count();
        if chars > chars_max {
            return Err(Wrong::new("too_long", format!("at most {chars_max} characters fit, these are {chars}")));
        }
    }
    Ok(text)
}

fn is_local_part(local: &str) -> bool {
    let fits = |c: char| !c.is_whitespace() && !c.is_control() && !"()<>[]:;@\\,\"".contains(c);
    !local.is_empty()
        && local.len() <= EMAIL_LOCAL_BYTES_MAX
        && local.chars().all(fits)
        && local.split('.').all(|atom| !atom.is_empty())
}

fn is_domain(domain: &str) -> bool {
    domain.contains('.') && domain.split('.').all(is_domain_label)
}

fn is_domain_label(label: &str) -> bool {
    !label.is_empty()
        && !label.starts_with('-')
        && !label.ends_with('-')
        // Letters of any script: an internationalised name may be written as people see it, with marks.
        && label.chars().all(|c| c == '-' || c.is_alphanumeric() || (!c.is_ascii() && !c.is_whitespace() && !c.is_control()))
}

fn is_host(host: &str) -> bool {
    host.strip_suffix('.').unwrap_or(host).split('.').all(|label| is_domain_label(&label.replace('_', "a")))
}
