//! Host names, as they are kept and as requests have them.

use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
};

/// The longest name that the domain name system takes, and the longest part of one (RFC 1035).
const NAME_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;

/// A host name or an address, without a port, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostName(String);

/// A text that is no host name.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0:?} is not a host name: use letters, digits, - and dots, as in salon.example, without a port; a name with other \
     letters is written as xn--…"
)]
pub struct BadHostName(String);

impl HostName {
    /// Checks a name.
    ///
    /// # Errors
    /// [`BadHostName`].
    pub fn new(text: &str) -> Result<Self, BadHostName> {
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let is_address = name.parse::<Ipv4Addr>().is_ok();
        let in_brackets = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        if let Some(address) = in_brackets.and_then(|inside| inside.parse::<Ipv6Addr>().ok()) {
            return Ok(Self(format!("[{address}]")));
        }
        if is_address || (name.len() <= NAME_BYTES_MAX && name.split('.').all(is_label)) {
            return Ok(Self(name));
        }
        Err(BadHostName(text.to_owned()))
    }

    /// From a `Host` header, which may have a port; none if it makes no sense.
    #[must_use]
    pub fn of_request(host: &str) -> Option<Self> {
        let is_port = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let name = host.rsplit_once(':').filter(|(_, port)| is_port(port)).map_or(host, |(name, _)| name);
        Self::new(name).ok()
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_label(label: &str) -> bool {
    (1..=LABEL_BYTES_MAX).contains(&label.len())
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_name_is_kept_in_one_form() {
        for (given, kept) in [
            ("Salon.Example.", "salon.example"),
            ("localhost", "localhost"),
            ("127.0.0.1", "127.0.0.1"),
            ("[0::1]", "[::1]"),
            ("xn--e1afmkfd.xn--p1ai", "xn--e1afmkfd.xn--p1ai"),
        ] {
            assert_eq!(HostName::new(given).unwrap().as_str(), kept, "{given}");
        }
        let long = format!("{}.example", "a".repeat(64));
        for bad in ["", ".", "a..b", "-a.example", "a-.example", "a_b", "salon.example:80", "пример.рф", "[::g]", &long]
        {
            assert!(HostName::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_request_may_name_a_port() {
        let of = |host: &str| HostName::of_request(host).map(|name| name.to_string());
        assert_eq!(of("Salon.example:7420").as_deref(), Some("salon.example"));
        assert_eq!(of("salon.example").as_deref(), Some("salon.example"));
        assert_eq!(of("[::1]:7420").as_deref(), Some("[::1]"));
        assert_eq!(of("[::1]").as_deref(), Some("[::1]"));
        assert_eq!(of(""), None);
        assert_eq!(of("a b"), None);
    }
}
