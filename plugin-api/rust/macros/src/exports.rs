//! The component's exports: exactly the handlers that the manifest declares.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::{Error, Path};

use crate::manifest::Manifest;

/// The contract, as far as exports need it. Built in, so that a plugin's build does not look for it.
const TYPES_WIT: &str = include_str!("../../../wit/types.wit");
const HANDLERS_WIT: &str = include_str!("../../../wit/handlers.wit");

/// A kind of handler: how its export is written for the plugin's type.
struct Handler {
    /// The interface in the contract.
    interface: &'static str,
    /// The trait in the SDK.
    implements: &'static str,
    /// Whether the manifest declares it.
    declared: fn(&Manifest) -> bool,
    /// The body of the interface's implementation.
    body: fn(&Path) -> TokenStream,
}

const HANDLERS: [Handler; 8] = [
    Handler {
        interface: "before-write",
        implements: "BeforeWrite",
        declared: Manifest::has_before,
        body: before_write,
    },
    Handler { interface: "after-write", implements: "AfterWrite", declared: Manifest::has_after, body: after_write },
    Handler { interface: "event", implements: "OnEvent", declared: Manifest::has_event, body: event },
    Handler { interface: "timer", implements: "OnTimer", declared: Manifest::has_timer, body: timer },
    Handler { interface: "own-timer", implements: "OnOwnTimer", declared: Manifest::has_own_timer, body: own_timer },
    Handler { interface: "action", implements: "Actions", declared: Manifest::has_action, body: action },
    Handler { interface: "route", implements: "Routes", declared: Manifest::has_route, body: route },
    Handler {
        interface: "lifecycle",
        implements: "Lifecycle",
        declared: |manifest| manifest.lifecycle,
        body: lifecycle,
    },
];

/// Writes the exports, and checks that the type implements what they call.
pub(crate) fn exports(manifest: &Manifest, plugin: &Path) -> syn::Result<TokenStream> {
    let declared: Vec<_> = HANDLERS.iter().filter(|handler| (handler.declared)(manifest)).collect();
    if declared.is_empty() {
        return Err(Error::new(
            Span::call_site(),
            "plugin.toml declares no [[hook]], [[event]], [[timer]], [[action]], [[route]] or lifecycle; \
             a plugin without handlers is data alone and needs no code",
        ));
    }
    let checks = declared.iter().map(|handler| {
        let implements = format_ident!("{}", handler.implements);
        // Named for the reader of the compiler's message.
        quote! {
            const _: () = {
                const fn declared_in_plugin_toml<T: ::pergola_plugin::#implements>() {}
                declared_in_plugin_toml::<#plugin>();
            };
        }
    });
    let wit = world(&declared);
    let implementations = declared.iter().map(|handler| {
        let interface = format_ident!("{}", handler.interface.replace('-', "_"));
        let body = (handler.body)(&inside(plugin));
        quote!(impl exports::pergola::plugin::#interface::Guest for Component { #body })
    });
    Ok(quote! {
        #(#checks)*

        // Natively there is nobody to export to, and the names would not suit a native linker.
        #[cfg(target_family = "wasm")]
        #[allow(unsafe_code, reason = "the canonical ABI passes pointers; all of it is generated")]
        mod __pergola_exports {
            ::pergola_plugin::wit_bindgen::generate!({
                inline: #wit,
                path: [],
                runtime_path: "::pergola_plugin::wit_bindgen::rt",
                with: { "pergola:plugin/types@0.1.0": ::pergola_plugin::bindings::pergola::plugin::types },
            });

            use ::pergola_plugin::bindings::pergola::plugin::types::Failure;

            struct Component;
            #(#implementations)*
            export!(Component);
        }
    })
}

/// The path of the plugin's type from inside the module.
fn inside(plugin: &Path) -> Path {
    let mut path = plugin.clone();
    let from_root = path.leading_colon.is_some() || path.segments.first().is_some_and(|first| first.ident == "crate");
    if !from_root {
        path.segments.insert(0, format_ident!("super").into());
    }
    path
}

/// A WIT package with a world that exports just these handlers.
fn world(handlers: &[&Handler]) -> String {
    let exports: String = handlers.iter().map(|handler| format!("    export {};\n", handler.interface)).collect();
    format!("{TYPES_WIT}\n{HANDLERS_WIT}\nworld handlers {{\n    import types;\n{exports}}}\n")
}

fn before_write(plugin: &Path) -> TokenStream {
    quote! {
        fn handle(
            batch: exports::pergola::plugin::before_write::Batch,
        ) -> Result<Vec<exports::pergola::plugin::before_write::Verdict>, Failure> {
            ::pergola_plugin::glue::start();
            let mut writes = Vec::with_capacity(batch.rows.len());
            for row in batch.rows {
                let write = ::pergola_plugin::glue::write(&batch.object, &batch.kind, row.id, row.before, row.changes)?;
                writes.push(write);
            }
            let verdicts = <#plugin as ::pergola_plugin::BeforeWrite>::before_write_all(&writes)
                .map_err(::pergola_plugin::glue::failure)?;
            Ok(verdicts
                .into_iter()
                .map(|verdict| {
                    let (changes, refusal) = ::pergola_plugin::glue::verdict(verdict);
                    exports::pergola::plugin::before_write::Verdict { changes, refusal }
                })
                .collect())
        }
    }
}

fn after_write(plugin: &Path) -> TokenStream {
    quote! {
        fn handle(batch: exports::pergola::plugin::after_write::Batch) -> Result<(), Failure> {
            ::pergola_plugin::glue::start();
            let mut written = Vec::with_capacity(batch.rows.len());
            for row in batch.rows {
                written.push(::pergola_plugin::glue::written(&batch.kind, row.before, row.now, row.changed)?);
            }
            <#plugin as ::pergola_plugin::AfterWrite>::after_write_all(&written).map_err(::pergola_plugin::glue::failure)
        }
    }
}

fn event(plugin: &Path) -> TokenStream {
    quote! {
        fn handle(happened: Vec<exports::pergola::plugin::event::Happened>) -> Result<(), Failure> {
            ::pergola_plugin::glue::start();
            let mut events = Vec::with_capacity(happened.len());
            for one in happened {
                let kind = one.kind;
                events.push(::pergola_plugin::glue::event(one.key, one.object, &kind, one.id, one.changed, one.at)?);
            }
            <#plugin as ::pergola_plugin::OnEvent>::on_events(&events).map_err(::pergola_plugin::glue::failure)
        }
    }
}

fn timer(plugin: &Path) -> TokenStream {
    quote! {
        fn fire(due: exports::pergola::plugin::timer::Due) -> Result<(), Failure> {
            ::pergola_plugin::glue::start();
            let due = ::pergola_plugin::glue::due(due.action, due.key, due.at, due.target);
            <#plugin as ::pergola_plugin::OnTimer>::on_timer(&due).map_err(::pergola_plugin::glue::failure)
        }
    }
}

fn own_timer(plugin: &Path) -> TokenStream {
    quote! {
        fn fire(due: exports::pergola::plugin::own_timer::Due) -> Result<(), Failure> {
            ::pergola_plugin::glue::start();
            let due = ::pergola_plugin::glue::own_due(due.action, due.name, due.key, due.at, due.payload);
            <#plugin as ::pergola_plugin::OnOwnTimer>::on_own_timer(&due).map_err(::pergola_plugin::glue::failure)
        }
    }
}

fn action(plugin: &Path) -> TokenStream {
    quote! {
        fn run(id: String, input: String) -> Result<String, Failure> {
            ::pergola_plugin::glue::start();
            <#plugin as ::pergola_plugin::Actions>::run(&id, &::pergola_plugin::Input::new(input))
                .map(|answer| answer.to_string())
                .map_err(::pergola_plugin::glue::failure)
        }
    }
}

fn route(plugin: &Path) -> TokenStream {
    quote! {
        fn handle(
            request: exports::pergola::plugin::route::Request,
        ) -> Result<exports::pergola::plugin::route::Response, Failure> {
            ::pergola_plugin::glue::start();
            let request = ::pergola_plugin::Request {
                method: request.method,
                path: request.path,
                query: request.query,
                body: request.body,
            };
            <#plugin as ::pergola_plugin::Routes>::handle(&request)
                .map(|response| exports::pergola::plugin::route::Response {
                    status: response.status,
                    content_type: response.content_type,
                    body: response.body,
                })
                .map_err(::pergola_plugin::glue::failure)
        }
    }
}

fn lifecycle(plugin: &Path) -> TokenStream {
    quote! {
        fn installed(previous_version: Option<String>) -> Result<(), Failure> {
            ::pergola_plugin::glue::start();
            <#plugin as ::pergola_plugin::Lifecycle>::installed(previous_version.as_deref())
                .map_err(::pergola_plugin::glue::failure)
        }
    }
}
