//! Starts new plugins from the template, which is the plugin `hello` itself: what is built and tested is what is copied.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::NewPluginError;

/// The plugins' workspace, for the profile that a plugin outside it needs too.
const WORKSPACE: &str = include_str!("../../../plugins/Cargo.toml");
const CARGO: &str = include_str!("../../../plugins/hello/Cargo.toml");
/// Files that are copied as they are, but for the id.
const FILES: [(&str, &str); 4] = [
    ("plugin.toml", include_str!("../../../plugins/hello/plugin.toml")),
    ("README.md", include_str!("../../../plugins/hello/README.md")),
    ("src/lib.rs", include_str!("../../../plugins/hello/src/lib.rs")),
    ("src/greeting.rs", include_str!("../../../plugins/hello/src/greeting.rs")),
];
const GIT_IGNORE: &str = "/dist\n/target\n";

/// The template's id, and its label.
const TEMPLATE_ID: &str = "hello";
const TEMPLATE_LABEL: &str = "label = { en = \"Hello\" }";
/// The template's path to the SDK.
const TEMPLATE_SDK: &str = "\"../../plugin-api/rust\"";
/// What only a member of the plugins' workspace can say.
const INHERITED_LINTS: &str = "[lints]\nworkspace = true\n\n";

/// Ids that would not compile or would hide something of the platform's.
const RESERVED: [&str; 9] =
    ["core", "std", "alloc", "test", "proc_macro", "pergola", "pergola_plugin", "serde", "serde_json"];

/// Where a new plugin finds the SDK.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum SdkSource {
    /// In the checkout that this program was built from.
    #[default]
    Checkout,
    /// In this folder; a relative one is relative to the new plugin's.
    Path(PathBuf),
}

/// Starts a new plugin with this id in `dir`, which must be empty or not exist, and gives the files written.
///
/// The plugin builds on its own, wherever the folder is.
///
/// # Errors
/// See [`NewPluginError`]; nothing is written unless id, folder and SDK are good.
pub fn new_plugin(dir: &Path, id: &str, sdk: &SdkSource) -> Result<Vec<PathBuf>, NewPluginError> {
    check_id(id)?;
    if fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some()) || dir.is_file() {
        return Err(NewPluginError::NotEmpty { dir: dir.to_owned() });
    }
    let sdk = match sdk {
        SdkSource::Checkout => Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("rust"),
        SdkSource::Path(path) => path.clone(),
    };
    if !has_sdk(dir, &sdk) {
        return Err(NewPluginError::NoSdk { path: sdk });
    }
    let mut files = vec![("Cargo.toml", cargo_toml(id, &sdk)), (".gitignore", GIT_IGNORE.to_owned())];
    files.extend(FILES.iter().map(|(name, text)| (*name, rename(text, id))));
    let mut written = Vec::new();
    for (name, text) in files {
        let path = dir.join(name);
        write(&path, &text).map_err(|source| NewPluginError::Write { path: path.clone(), source })?;
        written.push(path);
    }
    Ok(written)
}

fn check_id(id: &str) -> Result<(), NewPluginError> {
    let is_name = id.len() <= 48
        && id.starts_with(|c: char| c.is_ascii_lowercase())
        && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if !is_name {
        return Err(NewPluginError::InvalidId { id: id.to_owned() });
    }
    if RESERVED.contains(&id) || is_keyword(id) {
        return Err(NewPluginError::ReservedId { id: id.to_owned() });
    }
    Ok(())
}

/// Words that cargo refuses as a package's name.
fn is_keyword(id: &str) -> bool {
    const KEYWORDS: &str = " abstract as async await become box break const continue crate do dyn else enum extern false \
                            final fn for gen if impl in let loop macro match mod move mut override priv pub ref return self \
                            static struct super trait true try type typeof unsafe unsized use virtual where while yield ";
    KEYWORDS.contains(&format!(" {id} "))
}

/// Whether the SDK is in `sdk`, seen from the plugin's folder, which need not exist yet.
fn has_sdk(dir: &Path, sdk: &Path) -> bool {
    // The relative path is resolved by name, because the folder to start from may not exist.
    let mut path = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    for part in sdk.components() {
        match part {
            std::path::Component::ParentDir => {
                path.pop();
            }
            other => path.push(other),
        }
    }
    path.join("Cargo.toml").is_file()
}

fn cargo_toml(id: &str, sdk: &Path) -> String {
    let sdk = toml::Value::String(sdk.to_string_lossy().into_owned()).to_string();
    let text = CARGO.replace(TEMPLATE_SDK, &sdk).replace(&format!("\"{TEMPLATE_ID}\""), &format!("\"{id}\""));
    let profile = WORKSPACE.split_once("[profile.release]").map_or("", |(_, profile)| profile);
    let text = text.replace(INHERITED_LINTS, "");
    format!("{text}\n# The plugin is a workspace of its own.\n[workspace]\n\n[profile.release]{profile}")
}

/// Puts the id in the place of the template's.
fn rename(text: &str, id: &str) -> String {
    let title: String = id.split('_').map(capitalized).collect::<Vec<_>>().join(" ");
    text.replace(TEMPLATE_LABEL, &format!("label = {{ en = \"{title}\" }}")).replace(TEMPLATE_ID, id)
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, text)
}
