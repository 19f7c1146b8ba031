//! The plugin contract as Rust types, generated from `plugin-api/wit`.
//!
//! Host functions may trap the guest. Those that need the host's answer are async.

wasmtime::component::bindgen!({
    path: "../../plugin-api/wit",
    world: "plugin",
    imports: {
        "pergola:plugin/records": async | trappable,
        "pergola:plugin/messages": async | trappable,
        "pergola:plugin/phones": async | trappable,
        "pergola:plugin/timers": async | trappable,
        default: trappable,
    },
    exports: { default: async },
});
