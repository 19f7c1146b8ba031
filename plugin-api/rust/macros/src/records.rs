//! The module `records`: a struct for each object and extension in the manifest.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote};
use syn::Error;

use crate::manifest::{Field, Manifest, Object};

/// Writes the module. It holds the SDK's `records` too, so that one name serves both.
pub(crate) fn module(manifest: &Manifest) -> syn::Result<TokenStream> {
    let invalid = |message: String| Error::new(Span::call_site(), format!("in the plugin's manifest: {message}"));
    let mut structs = Vec::new();
    for object in manifest.objects().map_err(invalid)? {
        structs.push(typed(&Shape::owned(manifest, &object)).map_err(invalid)?);
    }
    for object in manifest.extensions().map_err(invalid)? {
        structs.push(typed(&Shape::extension(manifest, &object)).map_err(invalid)?);
    }
    Ok(quote! {
        /// The plugin's records as structs, and reading and writing records.
        pub mod records {
            pub use ::pergola_plugin::records::*;
            #(#structs)*
        }
    })
}

/// What a struct is made of.
struct Shape<'a> {
    ident: Ident,
    doc: String,
    object: String,
    /// What precedes the fields' names in a record.
    prefix: String,
    fields: &'a [Field],
    /// Whether `required` holds: not for extensions, because records from before the install lack them.
    strict: bool,
}

impl<'a> Shape<'a> {
    fn owned(manifest: &Manifest, object: &'a Object) -> Self {
        let full_name = format!("{}.{}", manifest.id, object.name);
        Self {
            ident: format_ident!("{}", pascal(&object.name)),
            doc: format!("The fields of a `{full_name}`."),
            object: full_name,
            prefix: String::new(),
            fields: &object.fields,
            strict: true,
        }
    }

    fn extension(manifest: &Manifest, object: &'a Object) -> Self {
        Self {
            ident: format_ident!("{}Extension", pascal(&object.name)),
            doc: format!("The fields that this plugin adds to a `{}`.", object.name),
            object: object.name.clone(),
            prefix: format!("{}.", manifest.id),
            fields: &object.fields,
            strict: false,
        }
    }
}

/// Writes one struct and what it can do.
fn typed(shape: &Shape<'_>) -> Result<TokenStream, String> {
    let Shape { ident, doc, object, prefix, fields, strict } = shape;
    let (mut members, mut reads, mut writes, mut arguments, mut initial) = (vec![], vec![], vec![], vec![], vec![]);
    for field in *fields {
        let name = member(&field.name);
        let full_name = format!("{prefix}{}", field.name);
        let rust = rust_type(field)?;
        let member_doc = field_doc(field);
        let required = *strict && field.required && !field.formula;
        let member_type = if required { rust.clone() } else { quote!(::std::option::Option<#rust>) };
        members.push(quote!(#[doc = #member_doc] pub #name: #member_type));
        reads.push(quote!(#name: fields.read(#full_name)?));
        if required {
            arguments.push(quote!(#name: #rust));
            initial.push(quote!(#name));
        } else {
            initial.push(quote!(#name: ::std::option::Option::None));
        }
        if !field.formula {
            writes.push(write_member(field, required, &full_name));
        }
    }
    let binding = if writes.is_empty() { quote!(fields) } else { quote!(mut fields) };
    let argument = if reads.is_empty() { quote!(_) } else { quote!(fields) };
    Ok(quote! {
        #[doc = #doc]
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct #ident { #(#members),* }

        impl #ident {
            /// With the required fields, and no other.
            #[allow(clippy::too_many_arguments, clippy::new_without_default, reason = "as many as the manifest requires")]
            #[must_use]
            pub fn new(#(#arguments),*) -> Self {
                Self { #(#initial),* }
            }
        }

        impl ::pergola_plugin::Typed for #ident {
            const OBJECT: &'static str = #object;

            fn from_fields(#argument: &::pergola_plugin::Fields) -> ::std::result::Result<Self, ::pergola_plugin::Failure> {
                ::std::result::Result::Ok(Self { #(#reads),* })
            }

            fn into_fields(self) -> ::pergola_plugin::Fields {
                let #binding = ::pergola_plugin::Fields::new();
                #(#writes)*
                fields
            }
        }
    })
}

/// Writes the statement that puts a member into `fields`.
fn write_member(field: &Field, required: bool, full_name: &str) -> TokenStream {
    let name = member(&field.name);
    // Both are `String` in Rust, so the kind of value has to be said.
    let json = field.kind == "json";
    match (required, json) {
        (true, true) => quote!(fields.set(#full_name, ::pergola_plugin::Value::Json(self.#name));),
        (true, false) => quote!(fields.set(#full_name, self.#name);),
        (false, true) => quote!(fields.set_some(#full_name, self.#name.map(::pergola_plugin::Value::Json));),
        (false, false) => quote!(fields.set_some(#full_name, self.#name);),
    }
}

fn rust_type(field: &Field) -> Result<TokenStream, String> {
    Ok(match field.kind.as_str() {
        "text" | "long_text" | "choice" | "phone" | "email" | "url" | "json" => quote!(::std::string::String),
        "integer" => quote!(i64),
        "decimal" => quote!(::pergola_plugin::Decimal),
        "money" => quote!(::pergola_plugin::Money),
        "bool" => quote!(bool),
        "date" => quote!(::pergola_plugin::Date),
        "datetime" => quote!(::pergola_plugin::DateTime),
        "duration" => quote!(::pergola_plugin::Duration),
        "ref" => quote!(::pergola_plugin::Id),
        "tags" => quote!(::std::vec::Vec<::std::string::String>),
        other => {
            return Err(format!(
                "field `{}`: there is no type `{other}`; take text, long_text, integer, decimal, money, bool, date, \
                 datetime, duration, choice, phone, email, url, json, ref or tags",
                field.name
            ));
        }
    })
}

fn field_doc(field: &Field) -> String {
    let computed = if field.formula { ", computed by the host" } else { "" };
    match &field.about {
        Some(about) => format!("`{}`: {about}{computed}.", field.kind),
        None => format!("`{}`{computed}.", field.kind),
    }
}

/// A field's name in Rust: `type` becomes `r#type`.
fn member(name: &str) -> Ident {
    if matches!(name, "self" | "super" | "crate") {
        return format_ident!("{name}_");
    }
    syn::parse_str(name).unwrap_or_else(|_| Ident::new_raw(name, Span::call_site()))
}

/// `gift_card` becomes `GiftCard`; `booking.appointment` becomes `BookingAppointment`.
fn pascal(name: &str) -> String {
    let mut pascal = String::new();
    for word in name.split(['_', '.']) {
        let mut letters = word.chars();
        pascal.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        pascal.push_str(letters.as_str());
    }
    pascal
}
