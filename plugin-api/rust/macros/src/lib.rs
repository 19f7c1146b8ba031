//! The macro that turns a plugin's manifest into typed records and exports.
//!
//! Used through `pergola_plugin::plugin!`. It writes the least code that must be in the plugin's own
//! crate; whatever can be ordinary code is in the SDK.

mod exports;
mod manifest;
mod records;

use std::path::{Path, PathBuf};

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::{Error, LitStr, Token};

use manifest::Manifest;

/// Makes a plugin of a type: `plugin!(Booking);`, once, at the root of the crate.
///
/// Reads `plugin.toml` beside the crate's `Cargo.toml` and writes
///
/// - a module `records` with a struct for each `[object.…]` and `[extend.…]`, and all of the SDK's `records`;
/// - the exports for the handlers that the manifest declares, calling the type's implementations of
///   `BeforeWrite`, `AfterWrite`, `OnEvent`, `OnTimer`, `Actions`, `Routes` and `Lifecycle`.
///
/// Another manifest's path, relative to `Cargo.toml`, may follow: `plugin!(Booking, "tests/plugin.toml");`.
///
/// # Errors
/// Does not compile if the manifest cannot be read, or declares a handler whose trait is not implemented.
#[proc_macro]
pub fn plugin(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let call = syn::parse_macro_input!(input as Call);
    expand(&call).unwrap_or_else(Error::into_compile_error).into()
}

/// The macro's arguments.
struct Call {
    plugin: syn::Path,
    manifest: Option<LitStr>,
}

impl Parse for Call {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let plugin = input.parse()?;
        let comma: Option<Token![,]> = input.parse()?;
        let manifest = if comma.is_some() && !input.is_empty() { Some(input.parse()?) } else { None };
        Ok(Self { plugin, manifest })
    }
}

fn expand(call: &Call) -> syn::Result<TokenStream> {
    let path = manifest_path(call)?;
    let manifest = read(&path).map_err(|message| Error::new(Span::call_site(), message))?;
    let file = path.to_string_lossy();
    let records = records::module(&manifest)?;
    let exports = exports::exports(&manifest, &call.plugin)?;
    Ok(quote! {
        // Makes cargo build again when the manifest changes.
        const _: &[u8] = include_bytes!(#file);
        #records
        #exports
    })
}

#[expect(clippy::disallowed_methods, reason = "cargo tells macros by the environment which crate they are in")]
fn manifest_path(call: &Call) -> syn::Result<PathBuf> {
    let directory = std::env::var("CARGO_MANIFEST_DIR")
        .map_err(|_| Error::new(Span::call_site(), "plugin! needs cargo: CARGO_MANIFEST_DIR is not set"))?;
    let file = call.manifest.as_ref().map_or_else(|| "plugin.toml".to_owned(), LitStr::value);
    Ok(Path::new(&directory).join(file))
}

fn read(path: &Path) -> Result<Manifest, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("cannot read the plugin's manifest {}: {error}", path.display()))?;
    Manifest::parse(&text).map_err(|error| format!("in the plugin's manifest {}: {error}", path.display()))
}
