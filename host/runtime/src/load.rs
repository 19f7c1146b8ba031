//! Checks a component against its manifest, before any of its code runs.

use std::path::Path;

use pergola_model::decl::{Manifest, Phase};
use wasmtime::{
    Engine,
    component::{Component, ComponentNamedList, InstancePre, Lift, Linker, Lower, types::ComponentItem},
};

use crate::{
    artifact,
    bindings::{
        exports::pergola::plugin::{action, after_write, before_write, event, lifecycle, own_timer, route, timer},
        pergola::plugin::types::Failure,
    },
    guest::Guest,
};

/// The largest component.
pub const COMPONENT_BYTES_MAX: usize = 32 << 20;
const PACKAGE: &str = "pergola:plugin/";
const VERSION: &str = "0.1.0";

/// Why a component was not loaded. None of its code ran.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// Larger than [`COMPONENT_BYTES_MAX`].
    #[error("the component has {bytes} bytes; at most {COMPONENT_BYTES_MAX} are allowed")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// Not a component, or one that uses what this host does not run.
    #[error("not a component that runs here: {cause}")]
    Invalid {
        /// In a line.
        cause: String,
    },
    /// Imports an interface of this host's without asking for it in the manifest.
    #[error("the component imports {interface}, which plugin.toml does not ask for; add `{line}`")]
    NotAsked {
        /// The interface.
        interface: String,
        /// The manifest line to add.
        line: &'static str,
    },
    /// Imports what this host does not have.
    #[error("the component imports {interface}, which this host does not have; {mend}")]
    UnknownImport {
        /// The interface or function.
        interface: String,
        /// What to do.
        mend: String,
    },
    /// The manifest declares a handler that the component does not export.
    #[error("plugin.toml declares {line}, but the component does not export {interface}")]
    NotExported {
        /// The interface that is missing.
        interface: String,
        /// The manifest's part that declares it.
        line: &'static str,
    },
    /// A handler or import with other types than the contract's.
    #[error("the component's {interface} does not have the contract's types: {cause}")]
    WrongType {
        /// The interface.
        interface: String,
        /// In a line.
        cause: String,
    },
}

/// A component that is ready to be instantiated.
pub(crate) struct Loaded {
    pub(crate) pre: InstancePre<Guest>,
    pub(crate) handlers: Handlers,
}

/// The handlers that a component exports, with their types checked.
pub(crate) struct Handlers {
    pub(crate) before_write: Option<before_write::GuestIndices>,
    pub(crate) after_write: Option<after_write::GuestIndices>,
    pub(crate) event: Option<event::GuestIndices>,
    pub(crate) timer: Option<timer::GuestIndices>,
    pub(crate) own_timer: Option<own_timer::GuestIndices>,
    pub(crate) action: Option<action::GuestIndices>,
    pub(crate) route: Option<route::GuestIndices>,
    pub(crate) lifecycle: Option<lifecycle::GuestIndices>,
}

/// Compiles a component, or takes it from the cache, and links it.
pub(crate) fn prepare(
    linker: &Linker<Guest>,
    bytes: &[u8],
    digest: &str,
    cache_dir: Option<&Path>,
) -> Result<Loaded, LoadError> {
    let invalid = |error: wasmtime::Error| LoadError::Invalid { cause: in_a_line(&error) };
    let component = artifact::compile(linker.engine(), bytes, digest, cache_dir).map_err(invalid)?;
    check_known(linker.engine(), &component)?;
    let pre = linker
        .instantiate_pre(&component)
        .map_err(|error| LoadError::WrongType { interface: "imports".to_owned(), cause: in_a_line(&error) })?;
    Ok(Loaded { handlers: Handlers::new(&pre)?, pre })
}

/// Checks what a component imports and exports against a manifest.
pub(crate) fn check(loaded: &Loaded, manifest: &Manifest) -> Result<(), LoadError> {
    let component = loaded.pre.component();
    for (interface, _) in component.component_type().imports(component.engine()) {
        if let Some(line) = line_to_add(interface, manifest) {
            return Err(LoadError::NotAsked { interface: interface.to_owned(), line });
        }
    }
    let handlers = &loaded.handlers;
    let declared = |phase| manifest.hook.iter().any(|hook| hook.phase == phase);
    let follows = |a_record: bool| manifest.timer.iter().any(|timer| timer.on.is_some() == a_record);
    for (is_declared, is_exported, name, line) in [
        (declared(Phase::Before), handlers.before_write.is_some(), "before-write", "[[hook]]"),
        (declared(Phase::After), handlers.after_write.is_some(), "after-write", "[[hook]] with phase = \"after\""),
        (!manifest.event.is_empty(), handlers.event.is_some(), "event", "[[event]]"),
        (follows(true), handlers.timer.is_some(), "timer", "[[timer]]"),
        (follows(false), handlers.own_timer.is_some(), "own-timer", "[[timer]] without on"),
        (!manifest.action.is_empty(), handlers.action.is_some(), "action", "[[action]]"),
        (!manifest.route.is_empty(), handlers.route.is_some(), "route", "[[route]]"),
        (manifest.lifecycle, handlers.lifecycle.is_some(), "lifecycle", "lifecycle = true"),
    ] {
        if is_declared && !is_exported {
            return Err(LoadError::NotExported { interface: full_name(name), line });
        }
    }
    Ok(())
}

/// The manifest line that an import lacks.
fn line_to_add(interface: &str, manifest: &Manifest) -> Option<&'static str> {
    let capabilities = &manifest.capabilities;
    match short_name(interface)? {
        "records"
            if capabilities.records.is_empty() && capabilities.own_rights.is_empty() && manifest.object.is_empty() =>
        {
            Some("records = { \"contact\" = \"read\" } under [capabilities], with the objects that it needs")
        }
        "messages" if !capabilities.messages => Some("messages = true under [capabilities]"),
        "timers" if manifest.timer.iter().all(|timer| timer.on.is_some()) => {
            Some("[[timer]] with an action, without on and at, for the timers that it sets itself")
        }
        _ => None,
    }
}

/// Refuses imports that no manifest can grant.
fn check_known(engine: &Engine, component: &Component) -> Result<(), LoadError> {
    for (name, import) in component.component_type().imports(engine) {
        let is_interface = matches!(import.ty, ComponentItem::ComponentInstance(_));
        if is_interface && short_name(name).is_some() {
            continue;
        }
        return Err(LoadError::UnknownImport { interface: name.to_owned(), mend: mend_for(name) });
    }
    Ok(())
}

fn mend_for(import: &str) -> String {
    if import.starts_with("wasi:") {
        "no line in plugin.toml grants WASI: build for wasm32-unknown-unknown, and take time, logs and records from \
         the plugin SDK"
            .to_owned()
    } else if import.starts_with(PACKAGE) {
        format!("it speaks version {VERSION} of the contract: set `api` in plugin.toml and the SDK's version to that")
    } else {
        format!("no line in plugin.toml grants it: use the interfaces of {PACKAGE}… alone")
    }
}

/// `records` for any interface of this host's contract.
fn short_name(interface: &str) -> Option<&str> {
    let (name, version) = interface.strip_prefix(PACKAGE)?.split_once('@')?;
    let is_known =
        matches!(name, "types" | "log" | "clock" | "settings" | "records" | "messages" | "phones" | "timers");
    (is_known && version.starts_with("0.1.")).then_some(name)
}

fn full_name(short: &str) -> String {
    format!("{PACKAGE}{short}@{VERSION}")
}

impl Handlers {
    fn new(pre: &InstancePre<Guest>) -> Result<Self, LoadError> {
        type Done = (Result<(), Failure>,);
        macro_rules! handler {
            ($module:ident, $name:literal, $function:literal, $parameters:ty, $answer:ty) => {
                match $module::GuestIndices::new(pre) {
                    Ok(indices) => {
                        check_types::<$parameters, $answer>(pre, $name, $function)?;
                        Some(indices)
                    }
                    Err(_) => None,
                }
            };
        }
        type Verdicts = (Result<Vec<before_write::Verdict>, Failure>,);
        Ok(Self {
            before_write: handler!(before_write, "before-write", "handle", (before_write::Batch,), Verdicts),
            after_write: handler!(after_write, "after-write", "handle", (after_write::Batch,), Done),
            event: handler!(event, "event", "handle", (Vec<event::Happened>,), Done),
            timer: handler!(timer, "timer", "fire", (timer::Due,), Done),
            own_timer: handler!(own_timer, "own-timer", "fire", (own_timer::Due,), Done),
            action: handler!(action, "action", "run", (String, String), (Result<String, Failure>,)),
            route: handler!(route, "route", "handle", (route::Request,), (Result<route::Response, Failure>,)),
            lifecycle: handler!(lifecycle, "lifecycle", "installed", (Option<String>,), Done),
        })
    }
}

/// Compares an exported function with the contract, so that a wrong one fails at install and not at night.
fn check_types<Parameters, Answer>(pre: &InstancePre<Guest>, name: &str, function: &str) -> Result<(), LoadError>
where
    Parameters: ComponentNamedList + Lower,
    Answer: ComponentNamedList + Lift,
{
    let (engine, interface) = (pre.engine(), full_name(name));
    let wrong = |cause: &str| LoadError::WrongType { interface: interface.clone(), cause: cause.to_owned() };
    let component = pre.component().component_type();
    let Some(ComponentItem::ComponentInstance(instance)) =
        component.get_export(engine, &interface).map(|found| found.ty)
    else {
        return Err(wrong("it is not an interface"));
    };
    let Some(ComponentItem::ComponentFunc(found)) = instance.get_export(engine, function).map(|found| found.ty) else {
        return Err(wrong(&format!("{function} is not a function")));
    };
    found
        .typecheck::<Parameters, Answer>(&pre.instance_type())
        .map_err(|error| wrong(&format!("{function}: {}", in_a_line(&error))))
}

/// An error and its causes, in a line of bounded length.
pub(crate) fn in_a_line(error: &wasmtime::Error) -> String {
    let causes: Vec<String> = error.chain().map(|cause| cause.to_string().replace('\n', " ")).collect();
    causes.join(": ").chars().take(300).collect()
}
