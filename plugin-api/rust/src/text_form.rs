//! JSON as the text form, for the types that are written as one.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use crate::{Date, DateTime, Decimal, Duration, Id};

macro_rules! json_as_text {
    ($($type:ty),*) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Cow::<str>::deserialize(deserializer)?.parse().map_err(|failure: crate::Failure| D::Error::custom(failure.message))
            }
        }
    )*};
}

json_as_text!(Id, Decimal, Date, DateTime, Duration);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_json_texts() {
        let json = r#"["2026-03-08","2026-03-08T09:30:00Z","PT1H30M","12.50"]"#;
        let read: (Date, DateTime, Duration, Decimal) = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), json);
        let failure = serde_json::from_str::<Date>("\"tomorrow\"").unwrap_err();
        assert!(failure.to_string().starts_with("This is not a date"), "{failure}");
    }
}
