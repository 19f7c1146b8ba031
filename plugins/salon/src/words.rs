//! What the plugin writes to clients, in six languages.

use pergola_plugin::prelude::*;

/// A language that clients are written to in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    English,
    Russian,
    Turkish,
    Finnish,
    Greek,
    Bengali,
}

impl Language {
    /// The language with this code: `ru`, `ru-RU`, `RU_ru`.
    pub(crate) fn find(code: &str) -> Option<Self> {
        let primary = code.trim().split(['-', '_']).next()?.to_ascii_lowercase();
        Some(match primary.as_str() {
            "en" => Self::English,
            "ru" => Self::Russian,
            "tr" => Self::Turkish,
            "fi" => Self::Finnish,
            "el" => Self::Greek,
            "bn" => Self::Bengali,
            _ => return None,
        })
    }

    /// The subject of a request for a rating.
    pub(crate) fn rating_subject(self, business: &str) -> String {
        match self {
            Self::English => format!("How was your visit? {business}"),
            Self::Russian => format!("Как прошёл ваш визит? {business}"),
            Self::Turkish => format!("Ziyaretiniz nasıldı? {business}"),
            Self::Finnish => format!("Millainen käyntisi oli? {business}"),
            Self::Greek => format!("Πώς ήταν η επίσκεψή σας; {business}"),
            Self::Bengali => format!("আপনার অভিজ্ঞতা কেমন ছিল? {business}"),
        }
    }

    /// A request for a rating. Says where and by which number; the plugin does not know the host's address.
    pub(crate) fn rating(self, business: &str, visit: Id) -> String {
        match self {
            Self::English => format!(
                "Thank you for visiting {business}. Please give your visit 1 to 5 stars at /p/salon/rate. \
                 Its number is {visit}."
            ),
            Self::Russian => format!(
                "Спасибо за визит! {business}. Оцените его от 1 до 5 звёзд на странице /p/salon/rate. \
                 Номер визита: {visit}."
            ),
            Self::Turkish => format!(
                "Ziyaretiniz için teşekkürler! {business}. /p/salon/rate sayfasında 1 ile 5 yıldız arasında puan \
                 verin. Ziyaret numarası: {visit}."
            ),
            Self::Finnish => format!(
                "Kiitos käynnistäsi! {business}. Anna 1–5 tähteä sivulla /p/salon/rate. Käynnin numero: {visit}."
            ),
            Self::Greek => format!(
                "Ευχαριστούμε για την επίσκεψη! {business}. Δώστε 1 έως 5 αστέρια στη σελίδα /p/salon/rate. \
                 Αριθμός επίσκεψης: {visit}."
            ),
            Self::Bengali => {
                format!("আসার জন্য ধন্যবাদ! {business}। /p/salon/rate পাতায় ১ থেকে ৫ তারা দিন। ভিজিটের নম্বর: {visit}।")
            }
        }
    }

    /// The subject of a win-back message.
    pub(crate) fn win_back_subject(self) -> &'static str {
        match self {
            Self::English => "We miss you",
            Self::Russian => "Мы по вам скучаем",
            Self::Turkish => "Sizi özledik",
            Self::Finnish => "Meillä on ikävä sinua",
            Self::Greek => "Μας λείψατε",
            Self::Bengali => "আপনাকে মনে পড়ছে",
        }
    }

    /// A win-back message.
    pub(crate) fn win_back(self, business: &str) -> String {
        match self {
            Self::English => format!("We have not seen you for a while. Come and see us again! {business}"),
            Self::Russian => format!("Давно вас не видели. Приходите снова! {business}"),
            Self::Turkish => format!("Sizi bir süredir göremedik. Yine bekleriz! {business}"),
            Self::Finnish => format!("Edellisestä käynnistäsi on jo aikaa. Tervetuloa uudelleen! {business}"),
            Self::Greek => format!("Έχουμε καιρό να σας δούμε. Σας περιμένουμε ξανά! {business}"),
            Self::Bengali => format!("অনেক দিন আপনার দেখা নেই। আবার আসুন! {business}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODES: [&str; 6] = ["en", "ru", "tr", "fi", "el", "bn"];

    #[test]
    fn a_request_for_a_rating_says_where_and_for_which_visit() {
        let visit = Id::from_u128(0x0190_a3c4_7b1e_7c2a_9f00_0123_4567_89ab);
        for code in CODES {
            let text = Language::find(code).unwrap().rating("Atelier", visit);
            for part in ["Atelier", "/p/salon/rate", "0190a3c4-7b1e-7c2a-9f00-0123456789ab"] {
                assert!(text.contains(part), "{code}: {text}");
            }
        }
    }

    #[test]
    fn every_language_has_words_of_its_own() {
        let texts = CODES.map(|code| Language::find(code).unwrap().win_back("Atelier"));
        assert!(texts.iter().all(|text| text.ends_with(" Atelier")));
        assert_eq!(texts.iter().collect::<std::collections::BTreeSet<_>>().len(), CODES.len());
        assert_eq!(Language::find("ru-RU"), Some(Language::Russian));
        assert_eq!(Language::find("de"), None);
    }
}
