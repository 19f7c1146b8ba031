//! Components for tests, as WebAssembly text: no second toolchain, and any crime can be written down.

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The contract's folder, found from whichever crate of the checkout includes this file.
fn contract() -> std::path::PathBuf {
    let folders = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    folders.map(|folder| folder.join("plugin-api/wit")).find(|folder| folder.is_dir()).unwrap()
}

/// Memory and the allocator that the canonical ABI asks for. The first 4 KiB are the test's own.
const BASE: &str = r#"
    (memory (export "memory") 2)
    (global $top (mut i32) (i32.const 4096))
    (func (export "cabi_realloc") (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)
        (local $at i32)
        (local.set $at (i32.and (i32.add (global.get $top) (i32.const 15)) (i32.const -16)))
        (global.set $top (i32.add (local.get $at) (local.get $size)))
        (block $fits
            (br_if $fits (i32.le_u (global.get $top) (i32.mul (memory.size) (i32.const 65536))))
            (drop (memory.grow (i32.add (i32.div_u (local.get $size) (i32.const 65536)) (i32.const 1)))))
        (local.get $at))
"#;

/// A component of a world with these imports and exports, from the rest of a core module.
/// `imports` are WebAssembly text; they come first in a module.
pub(crate) fn component(world: &str, imports: &str, code: &str) -> Vec<u8> {
    component_of("", world, imports, code)
}

/// The same, with a WIT package of the test's own beside the contract or instead of it.
pub(crate) fn component_of(package: &str, world: &str, imports: &str, code: &str) -> Vec<u8> {
    encode(package, world, &format!("(module {imports} {BASE} {code})"))
}

/// A component that wants 125 MiB from the start.
pub(crate) fn large() -> Vec<u8> {
    encode("", "", "(module (memory (export \"memory\") 2000))")
}

fn encode(package: &str, world: &str, module: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    if !package.is_empty() {
        resolve.push_str("package.wit", package).unwrap();
    }
    if world.contains("pergola:plugin/") && !package.contains("package pergola:plugin") {
        resolve.push_path(contract()).unwrap();
    }
    let source = format!("package test:sample; world sample {{ {world} }}");
    let package = resolve.push_str("sample.wit", &source).unwrap();
    let world = resolve.select_world(&[package], None).unwrap();
    let mut module = wat::parse_str(module).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false).unwrap();
    ComponentEncoder::default().module(&module).unwrap().validate(true).encode().unwrap()
}

/// A before-write hook. Its code leaves the answer at 64 (where it finds zeros: accept all) and
/// sees the number of rows as `$rows`.
pub(crate) fn hook(imports: &str, code: &str) -> Vec<u8> {
    hook_with(imports, "", code)
}

/// The same with globals and functions of its own.
pub(crate) fn hook_with(imports: &str, items: &str, code: &str) -> Vec<u8> {
    let mut world = String::new();
    for interface in ["log", "clock", "settings", "records", "messages", "phones", "timers"] {
        if imports.contains(&format!("pergola:plugin/{interface}@")) {
            world.push_str(&format!("import pergola:plugin/{interface}@0.1.0; "));
        }
    }
    world.push_str("export pergola:plugin/before-write@0.1.0;");
    let code = format!(
        r#"{items}
        (func (export "pergola:plugin/before-write@0.1.0#handle")
            (param i32 i32 i32 i32 i32) (param $rows i32) (result i32)
            {code}
            (i32.const 64))"#
    );
    component(&world, imports, &code)
}

/// Sets `calls` of one row to the number of calls that its instance has seen.
pub(crate) fn counting() -> Vec<u8> {
    hook_with(
        "",
        r#"(global $calls (mut i64) (i64.const 0))
        (data (i32.const 512) "calls")"#,
        r#"(global.set $calls (i64.add (global.get $calls) (i64.const 1)))
        ;; ok: a list of one verdict at 256
        (i32.store (i32.const 68) (i32.const 256))
        (i32.store (i32.const 72) (local.get $rows))
        ;; the verdict: a list of one field at 384, no refusal
        (i32.store (i32.const 256) (i32.const 384))
        (i32.store (i32.const 260) (i32.const 1))
        ;; the field: its name at 512, an integer
        (i32.store (i32.const 384) (i32.const 512))
        (i32.store (i32.const 388) (i32.const 5))
        (i32.store8 (i32.const 392) (i32.const 2))
        (i64.store (i32.const 400) (global.get $calls))"#,
    )
}

/// The import of `records.get`.
pub(crate) const GET: &str = r#"(import "pergola:plugin/records@0.1.0" "get" (func $get (param i32 i32 i64 i64 i32)))"#;

/// Asks for the record 1 of an object without a name; the answer lands at 2048.
pub(crate) const CALL_GET: &str =
    "(call $get (i32.const 0) (i32.const 0) (i64.const 0) (i64.const 1) (i32.const 2048))";

/// Repeats code without end.
pub(crate) fn forever(code: &str) -> String {
    format!("(loop $again {code} (br $again))")
}

/// An action that answers a text of its own; `$answer` leaves result, pointer and length at 64.
pub(crate) fn action(answer: &str) -> Vec<u8> {
    action_with("", "", answer)
}

/// An action that asks the host for a record and answers `{}`.
pub(crate) fn asking_action() -> Vec<u8> {
    let answer = format!(
        "{CALL_GET} (i32.store (i32.const 68) (i32.const 100)) (i32.store (i32.const 72) (i32.const 2)) (i32.store16 (i32.const 100) (i32.const 0x7d7b))"
    );
    action_with("import pergola:plugin/records@0.1.0;", GET, &answer)
}

fn action_with(world: &str, imports: &str, answer: &str) -> Vec<u8> {
    let code = format!(
        r#"(func (export "pergola:plugin/action@0.1.0#run") (param i32 i32 i32 i32) (result i32)
            {answer} (i32.const 64))"#
    );
    component(&format!("{world} export pergola:plugin/action@0.1.0;"), imports, &code)
}

/// A route that answers what its code leaves at 64.
pub(crate) fn route(answer: &str) -> Vec<u8> {
    let code = format!(
        r#"(func (export "pergola:plugin/route@0.1.0#handle")
            (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
            {answer} (i32.const 64))"#
    );
    component("export pergola:plugin/route@0.1.0;", "", &code)
}
