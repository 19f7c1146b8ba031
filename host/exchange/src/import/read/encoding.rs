//! Which encoding a text has, and the text.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1251};

use super::FileProblem;

/// How much of a file is looked at.
const SAMPLE_BYTES: usize = 256 * 1024;

/// Whether bytes are no text in any encoding that tables are written in.
pub(super) fn is_binary(bytes: &[u8]) -> bool {
    let sample = bytes.get(..SAMPLE_BYTES).unwrap_or(bytes);
    if Encoding::for_bom(sample).is_some() || utf16_without_bom(sample).is_some() {
        return false;
    }
    let control = |byte: &&u8| **byte < 0x20 && !matches!(**byte, b'\t' | b'\n' | b'\r' | 0x0b | 0x0c | 0x1a);
    let controls = sample.iter().filter(control).count();
    sample.contains(&0) || controls.saturating_mul(100) > sample.len()
}

/// The text, and the name of its encoding unless it is UTF-8.
pub(super) fn decode(
    bytes: Vec<u8>,
    wanted: Option<&str>,
    region: &str,
) -> Result<(String, Option<&'static str>), FileProblem> {
    let encoding = match wanted {
        Some(label) => {
            Encoding::for_label(label.as_bytes()).ok_or_else(|| FileProblem::UnknownEncoding(label.to_owned()))?
        }
        None => guess(&bytes, region),
    };
    // Without byte order mark and fault, the bytes become the text without a copy.
    if encoding == UTF_8 && !bytes.starts_with(b"\xef\xbb\xbf") {
        let lossy = |error: std::string::FromUtf8Error| String::from_utf8_lossy(error.as_bytes()).into_owned();
        return Ok((String::from_utf8(bytes).unwrap_or_else(lossy), None));
    }
    let (text, actual, _) = encoding.decode(&bytes);
    Ok((text.into_owned(), (actual != UTF_8).then(|| actual.name())))
}

fn guess(bytes: &[u8], region: &str) -> &'static Encoding {
    if let Some((encoding, _)) = Encoding::for_bom(bytes) {
        return encoding;
    }
    if let Some(encoding) = utf16_without_bom(bytes.get(..SAMPLE_BYTES).unwrap_or(bytes)) {
        return encoding;
    }
    match std::str::from_utf8(bytes) {
        Ok(_) => return UTF_8,
        // Cut off in the middle of a letter, as broken downloads are.
        Err(error) if error.error_len().is_none() => return UTF_8,
        Err(_) => {}
    }
    by_statistics(bytes, region)
}

fn by_statistics(bytes: &[u8], region: &str) -> &'static Encoding {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    // Only lines with other than ASCII letters tell anything.
    let mut fed = 0_usize;
    for line in bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| !line.is_ascii()) {
        detector.feed(line, false);
        fed = fed.saturating_add(line.len());
        if fed > SAMPLE_BYTES {
            break;
        }
    }
    detector.feed(b"", true);
    let country = region.to_ascii_lowercase();
    let cyrillic =
        matches!(country.as_str(), "ru" | "by" | "kz" | "ua" | "kg" | "tj" | "uz" | "tm" | "bg" | "rs" | "mk");
    let guessed = detector.guess(Some(country.as_bytes()), Utf8Detection::Deny);
    // In a short list the statistics take a few Cyrillic words for anything in the Latin alphabet;
    // where people write Cyrillic, a Western encoding with hardly an ASCII letter is that.
    if cyrillic && guessed.name() != WINDOWS_1251.name() && mostly_high_letters(bytes) && !is_other_cyrillic(guessed) {
        return WINDOWS_1251;
    }
    guessed
}

fn is_other_cyrillic(encoding: &'static Encoding) -> bool {
    ["KOI8-R", "KOI8-U", "IBM866", "ISO-8859-5", "x-mac-cyrillic"].contains(&encoding.name())
}

/// Whether bytes above ASCII come in runs, as in words of another alphabet, rather than one by one.
fn mostly_high_letters(bytes: &[u8]) -> bool {
    let high = bytes.iter().filter(|byte| !byte.is_ascii()).count();
    let pairs = bytes.windows(2).filter(|pair| pair.iter().all(|byte| !byte.is_ascii())).count();
    pairs.saturating_mul(2) > high
}

fn utf16_without_bom(sample: &[u8]) -> Option<&'static Encoding> {
    if sample.len() < 4 || !sample.contains(&0) {
        return None;
    }
    let zeros = |offset: usize| sample.iter().skip(offset).step_by(2).filter(|byte| **byte == 0).count();
    // Text has delimiters, line ends and digits, so that zeros are frequent, and on one side only.
    let (even, odd, enough) = (zeros(0), zeros(1), sample.len() / 20);
    match (even, odd) {
        (0, odd) if odd > enough => Some(UTF_16LE),
        (even, 0) if even > enough => Some(UTF_16BE),
        _ => None,
    }
}
