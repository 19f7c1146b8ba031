//! From core modules to components, and what a component asks for and offers.

use wasmparser::{Encoding, Parser, Payload, Validator, WasmFeatures};
use wit_component::ComponentEncoder;

use crate::error::NotAComponent;

/// What a component asks for and offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComponentShape {
    /// Names of its imports, such as `pergola:plugin/records@0.1.0`, in order.
    pub imports: Vec<String>,
    /// Names of its exports, such as `pergola:plugin/before-write@0.1.0`, in order.
    pub exports: Vec<String>,
}

/// Turns a core module that was built with the SDK into a component, and validates it.
pub(crate) fn encode(module: &[u8]) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
    Ok(ComponentEncoder::default().validate(true).module(module)?.encode()?)
}

/// Tells what a component imports and exports, without running any of it.
///
/// Validates it first, so whatever comes from outside may be handed in.
///
/// # Errors
/// [`NotAComponent`]: other bytes, a core module, or a component that is not valid.
pub fn inspect(component: &[u8]) -> Result<ComponentShape, NotAComponent> {
    let broken = |error| NotAComponent(Some(error));
    Validator::new_with_features(WasmFeatures::default()).validate_all(component).map_err(broken)?;
    let mut shape = ComponentShape { imports: Vec::new(), exports: Vec::new() };
    // How many modules and components the parser is inside of; only the outermost one's names count.
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(component) {
        match payload.map_err(broken)? {
            Payload::Version { encoding: Encoding::Module, .. } if depth == 0 => return Err(NotAComponent(None)),
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    shape.imports.push(import.map_err(broken)?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    shape.exports.push(export.map_err(broken)?.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok(shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_component_are_refused() {
        let core_module = b"\0asm\x01\0\0\0";
        for bytes in [&b""[..], b"hello", core_module] {
            inspect(bytes).unwrap_err();
        }
    }

    #[test]
    fn an_empty_component_asks_for_and_offers_nothing() {
        let component = b"\0asm\x0d\0\x01\0";
        assert_eq!(inspect(component).unwrap(), ComponentShape { imports: Vec::new(), exports: Vec::new() });
    }
}
