//! What the plugin writes to people, in six languages.

use pergola_plugin::prelude::*;

/// A language that people are written to in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    English,
    Russian,
    Turkish,
    Finnish,
    Greek,
    Bengali,
}

const ENGLISH_MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const RUSSIAN_MONTHS: [&str; 12] = [
    "января",
    "февраля",
    "марта",
    "апреля",
    "мая",
    "июня",
    "июля",
    "августа",
    "сентября",
    "октября",
    "ноября",
    "декабря",
];
const TURKISH_MONTHS: [&str; 12] =
    ["Ocak", "Şubat", "Mart", "Nisan", "Mayıs", "Haziran", "Temmuz", "Ağustos", "Eylül", "Ekim", "Kasım", "Aralık"];
const FINNISH_MONTHS: [&str; 12] = [
    "tammikuuta",
    "helmikuuta",
    "maaliskuuta",
    "huhtikuuta",
    "toukokuuta",
    "kesäkuuta",
    "heinäkuuta",
    "elokuuta",
    "syyskuuta",
    "lokakuuta",
    "marraskuuta",
    "joulukuuta",
];
const GREEK_MONTHS: [&str; 12] = [
    "Ιανουαρίου",
    "Φεβρουαρίου",
    "Μαρτίου",
    "Απριλίου",
    "Μαΐου",
    "Ιουνίου",
    "Ιουλίου",
    "Αυγούστου",
    "Σεπτεμβρίου",
    "Οκτωβρίου",
    "Νοεμβρίου",
    "Δεκεμβρίου",
];
const BENGALI_MONTHS: [&str; 12] =
    ["জানুয়ারি", "ফেব্রুয়ারি", "মার্চ", "এপ্রিল", "মে", "জুন", "জুলাই", "আগস্ট", "সেপ্টেম্বর", "অক্টোবর", "নভেম্বর", "ডিসেম্বর"];

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

    fn months(self) -> &'static [&'static str; 12] {
        match self {
            Self::English => &ENGLISH_MONTHS,
            Self::Russian => &RUSSIAN_MONTHS,
            Self::Turkish => &TURKISH_MONTHS,
            Self::Finnish => &FINNISH_MONTHS,
            Self::Greek => &GREEK_MONTHS,
            Self::Bengali => &BENGALI_MONTHS,
        }
    }

    /// A time as people read it: `21 Nov 14:00`; with the year, if it is not this one.
    pub(crate) fn moment(self, at: Moment, this_year: i32) -> String {
        let (day, year) = (at.date.day(), at.date.year());
        let month =
            usize::from(at.date.month()).checked_sub(1).and_then(|place| self.months().get(place)).unwrap_or(&"");
        let year = if year == this_year { String::new() } else { format!(" {year}") };
        let (hour, minute) = (at.minutes / 60, at.minutes % 60);
        match self {
            Self::English => format!("{day} {month}{year} {hour:02}:{minute:02}"),
            Self::Russian | Self::Turkish | Self::Greek => format!("{day} {month}{year}, {hour:02}:{minute:02}"),
            Self::Finnish => format!("{day}. {month}{year} klo {hour}.{minute:02}"),
            Self::Bengali => bengali_digits(&format!("{day} {month}{year}, {hour:02}:{minute:02}")),
        }
    }

    /// What a visit is, in a line.
    pub(crate) fn visit(self, service: &str, master: &str, when: &str) -> String {
        match self {
            Self::English => format!("{service} with {master}, {when}"),
            Self::Russian => format!("{service}, мастер {master}, {when}"),
            Self::Turkish | Self::Finnish | Self::Greek | Self::Bengali => format!("{service}, {master}, {when}"),
        }
    }

    /// That a visit was moved, and when it was before.
    pub(crate) fn moved(self, visit: &str, before: &str) -> String {
        match self {
            Self::English => format!("Moved: {visit} (was {before})"),
            Self::Russian => format!("Перенос: {visit} (было {before})"),
            Self::Turkish => format!("Taşındı: {visit} (önceki: {before})"),
            Self::Finnish => format!("Siirretty: {visit} (oli {before})"),
            Self::Greek => format!("Μεταφέρθηκε: {visit} (ήταν {before})"),
            Self::Bengali => format!("সময় বদলেছে: {visit} (আগে ছিল {before})"),
        }
    }

    /// That a visit was cancelled.
    pub(crate) fn cancelled(self, visit: &str) -> String {
        let word = match self {
            Self::English => "Cancelled",
            Self::Russian => "Отмена",
            Self::Turkish => "İptal edildi",
            Self::Finnish => "Peruttu",
            Self::Greek => "Ακυρώθηκε",
            Self::Bengali => "বাতিল হয়েছে",
        };
        format!("{word}: {visit}")
    }

    /// The subject of a reminder.
    pub(crate) fn reminder_subject(self, service: &str) -> String {
        match self {
            Self::English => format!("Reminder: {service}"),
            Self::Russian => format!("Напоминание: {service}"),
            Self::Turkish => format!("Hatırlatma: {service}"),
            Self::Finnish => format!("Muistutus: {service}"),
            Self::Greek => format!("Υπενθύμιση: {service}"),
            Self::Bengali => format!("মনে করিয়ে দিচ্ছি: {service}"),
        }
    }

    /// The text of a reminder.
    pub(crate) fn reminder(self, visit: &str) -> String {
        match self {
            Self::English => format!("We look forward to seeing you: {visit}."),
            Self::Russian => format!("Ждём вас: {visit}."),
            Self::Turkish => format!("Sizi bekliyoruz: {visit}."),
            Self::Finnish => format!("Tervetuloa: {visit}."),
            Self::Greek => format!("Σας περιμένουμε: {visit}."),
            Self::Bengali => format!("আপনার অপেক্ষায় আছি: {visit}।"),
        }
    }
}

/// A time on the workspace's wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) date: Date,
    /// Minutes after midnight.
    pub(crate) minutes: u16,
}

impl From<clock::Wall> for Moment {
    fn from(wall: clock::Wall) -> Self {
        Self { date: wall.date, minutes: wall.minutes }
    }
}

fn bengali_digits(text: &str) -> String {
    let zero = u32::from('০');
    let digit = |c: char| c.to_digit(10).and_then(|value| char::from_u32(zero + value)).unwrap_or(c);
    text.chars().map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(text: &str, minutes: u16) -> Moment {
        Moment { date: text.parse().unwrap(), minutes }
    }

    #[test]
    fn times_are_written_as_each_language_does() {
        for (code, expected) in [
            ("en", "21 Nov 09:05"),
            ("ru", "21 ноября, 09:05"),
            ("tr", "21 Kasım, 09:05"),
            ("fi", "21. marraskuuta klo 9.05"),
            ("el", "21 Νοεμβρίου, 09:05"),
            ("bn", "২১ নভেম্বর, ০৯:০৫"),
        ] {
            let language = Language::find(code).unwrap();
            assert_eq!(language.moment(moment("2026-11-21", 545), 2026), expected);
        }
        assert_eq!(Language::English.moment(moment("2027-01-02", 840), 2026), "2 Jan 2027 14:00");
    }

    #[test]
    fn reminders_say_what_with_whom_and_when() {
        for (code, expected) in [
            ("en", "Reminder: Haircut | We look forward to seeing you: Haircut with Anna, 21 Nov 14:00."),
            ("ru", "Напоминание: Haircut | Ждём вас: Haircut, мастер Anna, 21 ноября, 14:00."),
            ("tr", "Hatırlatma: Haircut | Sizi bekliyoruz: Haircut, Anna, 21 Kasım, 14:00."),
            ("fi", "Muistutus: Haircut | Tervetuloa: Haircut, Anna, 21. marraskuuta klo 14.00."),
            ("el", "Υπενθύμιση: Haircut | Σας περιμένουμε: Haircut, Anna, 21 Νοεμβρίου, 14:00."),
            ("bn", "মনে করিয়ে দিচ্ছি: Haircut | আপনার অপেক্ষায় আছি: Haircut, Anna, ২১ নভেম্বর, ১৪:০০।"),
        ] {
            let language = Language::find(code).unwrap();
            let visit = language.visit("Haircut", "Anna", &language.moment(moment("2026-11-21", 840), 2026));
            assert_eq!(format!("{} | {}", language.reminder_subject("Haircut"), language.reminder(&visit)), expected);
        }
    }

    #[test]
    fn codes_are_found_with_and_without_a_region() {
        for (code, found) in [
            ("ru", Some(Language::Russian)),
            ("EL-gr", Some(Language::Greek)),
            (" bn_BD", Some(Language::Bengali)),
            ("de", None),
            ("", None),
        ] {
            assert_eq!(Language::find(code), found, "{code}");
        }
    }
}
