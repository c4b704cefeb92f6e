//! Rewrites a module for fewer steps of Fluent Bit's interpreter; `wasm-opt` optimises for fewer bytes.
//!
//! Its loader merges an instruction with the `local.set` that follows it, and neither a `local.get` nor a constant is a
//! step of its own, but a `local.tee` is always one. So a tee after an instruction that computes or loads its value is
//! replaced by a set and a get: two bytes more, and a tenth of the guest's steps less. A test whether 64 bits are not
//! zero becomes one comparison instead of two. `wasm-opt` cannot do either: its passes that write the module undo them.

use wasm_encoder::{CodeSection, Module, RawSection};
use wasmparser::{FunctionBody, Operator, Parser, Payload, Result};

const LOCAL_GET: u8 = 0x20;
const LOCAL_SET: u8 = 0x21;
/// `i64.const 0` and `i64.ne`.
const IS_NOT_ZERO: [u8; 3] = [0x42, 0, 0x52];
const I64_EQZ: u8 = 0x50;

/// Returns the module with fewer steps.
///
/// # Errors
/// It is not a module.
pub fn reduce_steps(module: &[u8]) -> Result<Vec<u8>> {
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
        let end = operators.original_position();
        match operator {
            Operator::LocalTee { .. } if writes_locals(before) => {
                let local = &module[at + 1..end];
                new.extend([&module[copied..at], &[LOCAL_SET], local, &[LOCAL_GET], local].concat());
                copied = end;
            }
            Operator::I32Eqz if before == I64_EQZ => {
                new.extend([&module[copied..at - 1], &IS_NOT_ZERO].concat());
                copied = end;
            }
            _ => (),
        }
        before = module[at];
    }
    new.extend_from_slice(&module[copied..body.range().end]);
    Ok(new)
}

/// Returns whether the loader merges an instruction with a following `local.set`: a load, or a computed number.
fn writes_locals(opcode: u8) -> bool {
    matches!(opcode, 0x28..=0x35 | 0x45..=0xbf)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_that_cost_a_step_are_replaced() {
        // A tee after a sum is replaced; the tee after it stays.
        let tees = [0, 0x41, 1, 0x20, 0, 0x6a, 0x22, 0, 0x22, 0, 0x0b];
        let no_tee = [0, 0x41, 1, 0x20, 0, 0x6a, 0x21, 0, 0x20, 0, 0x22, 0, 0x0b];
        // The negation of `i64.const 5 == 0`.
        let not_not = [0, 0x42, 5, 0x50, 0x45, 0x0b];
        let not = [0, 0x42, 5, 0x42, 0, 0x52, 0x0b];
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
        for (body, wanted) in [(&tees[..], &no_tee[..]), (&not_not, &not)] {
            assert_eq!(reduce_steps(&module(body)).unwrap(), module(wanted));
        }
    }
}
