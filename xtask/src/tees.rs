//! Takes `local.tee` out of a module, for Fluent Bit's interpreter.
//!
//! Its loader lets an instruction write straight into the local that a `local.set` behind it names, and a `local.get` is
//! no step of its own, but a `local.tee` is always one. So where an instruction computes or loads what is teed, a set and
//! a get take the tee's place: two bytes more, and a tenth of the guest's steps less. No pass of `wasm-opt` does it
//! last: those that write the module make tees again.

use wasm_encoder::{CodeSection, Module, RawSection};
use wasmparser::{FunctionBody, Operator, Parser, Payload, Result};

const LOCAL_GET: u8 = 0x20;
const LOCAL_SET: u8 = 0x21;

/// The module without the tees that cost.
///
/// # Errors
/// It is no module.
pub fn replace(module: &[u8]) -> Result<Vec<u8>> {
    let mut new = Module::new();
    let mut code = CodeSection::new();
    let mut functions = 0;
    for payload in Parser::new(0).parse_all(module) {
        match payload? {
            Payload::CodeSectionStart { count, .. } => functions = count,
            Payload::CodeSectionEntry(body) => {
                code.raw(&function(module, &body)?);
                if code.len() == functions {
                    new.section(&code);
                }
            }
            other => {
                if let Some((id, range)) = other.as_section() {
                    new.section(&RawSection { id, data: &module[range] });
                }
            }
        }
    }
    Ok(new.finish())
}

fn function(module: &[u8], body: &FunctionBody<'_>) -> Result<Vec<u8>> {
    let mut new = Vec::new();
    let mut copied = body.range().start;
    let mut before = 0;
    let mut operators = body.get_operators_reader()?;
    while !operators.eof() {
        let (operator, at) = operators.read_with_offset()?;
        if matches!(operator, Operator::LocalTee { .. }) && writes_locals(before) {
            let end = operators.original_position();
            let local = &module[at + 1..end];
            new.extend([&module[copied..at], &[LOCAL_SET], local, &[LOCAL_GET], local].concat());
            copied = end;
        }
        before = module[at];
    }
    new.extend_from_slice(&module[copied..body.range().end]);
    Ok(new)
}

/// Whether the loader has an instruction write into the local that is set behind it: it is a load, or a number computed.
fn writes_locals(opcode: u8) -> bool {
    matches!(opcode, 0x28..=0x35 | 0x45..=0xbf)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tee_behind_a_sum_is_a_set_and_a_get() {
        // (func (param i32) (result i32) i32.const 1, local.get 0, i32.add, local.tee 0, local.tee 0)
        let body = [0, 0x41, 1, 0x20, 0, 0x6a, 0x22, 0, 0x22, 0, 0x0b];
        let wanted = [0, 0x41, 1, 0x20, 0, 0x6a, 0x21, 0, 0x20, 0, 0x22, 0, 0x0b];
        let module = |body: &[u8]| {
            let mut module = Module::new();
            for (id, data) in [(1, &[1, 0x60, 1, 0x7f, 1, 0x7f][..]), (3, &[1, 0])] {
                module.section(&RawSection { id, data });
            }
            let mut code = CodeSection::new();
            code.raw(body);
            module.section(&code);
            module.finish()
        };
        assert_eq!(replace(&module(&body)).unwrap(), module(&wanted));
    }
}
