//! Embeds a baked configuration into a base WebAssembly module.
//!
//! The bytes get pages of their own after the initial memory of the module, which neither its data nor its allocator
//! (it only grows the memory) ever touches. A second data segment writes their address and length to the slot, whose
//! address the module exports as [`SLOT`]. Everything else is copied unchanged.

#![forbid(unsafe_code)]

use core::fmt;

use wasm_encoder::{ConstExpr, DataCountSection, DataSection, MemorySection, MemoryType, Module, RawSection};
use wasmparser::{DataKind, ExternalKind, Operator, Parser, Payload};

/// The exported global that contains the slot's address.
pub const SLOT: &str = "kaudit_baked";

const PAGE: u64 = 64 << 10;

/// The reason why a file is not a base module.
#[derive(Debug)]
pub struct NotABaseModule(String);

impl fmt::Display for NotABaseModule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a base module of kaudit-filter: {}", self.0)
    }
}

impl std::error::Error for NotABaseModule {}

impl From<wasmparser::BinaryReaderError> for NotABaseModule {
    fn from(error: wasmparser::BinaryReaderError) -> Self {
        // The text after the dash contains the bytes that were found, over many lines.
        Self(error.message().split(" - ").next().unwrap_or_default().to_owned())
    }
}

fn not_a_base_module(what: &str) -> NotABaseModule {
    NotABaseModule(what.to_owned())
}

/// Returns the base module with `baked` embedded.
///
/// # Errors
/// `base` is not a WebAssembly module, or has no slot for a configuration.
pub fn embed(base: &[u8], baked: &[u8]) -> Result<Vec<u8>, NotABaseModule> {
    let layout = Layout::of(base)?;
    let start = layout.pages.saturating_mul(PAGE);
    let pages = layout.pages.saturating_add((baked.len() as u64).div_ceil(PAGE));
    let [address, length] =
        [start, baked.len() as u64].map(|number| u32::try_from(number).unwrap_or(u32::MAX));
    let slot: Vec<u8> = [address, length].iter().flat_map(|number| number.to_le_bytes()).collect();

    let mut module = Module::new();
    for payload in Parser::new(0).parse_all(base) {
        let payload = payload?;
        match &payload {
            Payload::MemorySection(_) => {
                let mut memories = MemorySection::new();
                memories.memory(MemoryType {
                    minimum: pages,
                    maximum: layout.max_pages,
                    memory64: false,
                    shared: false,
                    page_size_log2: None,
                });
                module.section(&memories);
            }
            Payload::DataCountSection { count, .. } => {
                module.section(&DataCountSection { count: count.saturating_add(2) });
            }
            Payload::DataSection(segments) => {
                let mut data = DataSection::new();
                for segment in segments.clone() {
                    let segment = segment?;
                    match segment.kind {
                        DataKind::Passive => data.passive(segment.data.iter().copied()),
                        DataKind::Active { offset_expr, .. } => {
                            let at = ConstExpr::i32_const(constant(&offset_expr)?);
                            data.active(0, &at, segment.data.iter().copied())
                        }
                    };
                }
                data.active(0, &ConstExpr::i32_const(address.cast_signed()), baked.iter().copied());
                data.active(0, &ConstExpr::i32_const(layout.slot), slot.iter().copied());
                module.section(&data);
            }
            // Custom sections contain names of functions, which no agent reads.
            Payload::CustomSection(_) => (),
            other => {
                if let Some((id, range)) = other.as_section() {
                    let data = base.get(range).ok_or_else(|| not_a_base_module("a section ends early"))?;
                    module.section(&RawSection { id, data });
                }
            }
        }
    }
    Ok(module.finish())
}

/// The parts of a base module that embedding depends on.
struct Layout {
    pages: u64,
    max_pages: Option<u64>,
    slot: i32,
}

impl Layout {
    fn of(base: &[u8]) -> Result<Self, NotABaseModule> {
        let mut memory = None;
        let mut globals = Vec::new();
        let mut slot = None;
        let mut data = false;
        for payload in Parser::new(0).parse_all(base) {
            match payload? {
                Payload::MemorySection(memories) => memory = memories.into_iter().next().transpose()?,
                Payload::GlobalSection(section) => {
                    for global in section {
                        globals.push(constant(&global?.init_expr).ok());
                    }
                }
                Payload::ExportSection(exports) => {
                    for export in exports {
                        let export = export?;
                        if export.kind == ExternalKind::Global && export.name == SLOT {
                            slot = Some(export.index);
                        }
                    }
                }
                Payload::DataSection(_) => data = true,
                _ => (),
            }
        }
        let memory = memory.ok_or_else(|| not_a_base_module("it has no memory"))?;
        let slot = slot
            .and_then(|index| globals.get(usize::try_from(index).ok()?).copied()?)
            .filter(|_| data)
            .ok_or_else(|| not_a_base_module("missing export `kaudit_baked`"))?;
        Ok(Self { pages: memory.initial, max_pages: memory.maximum, slot })
    }
}

/// Returns the value of a constant initialiser.
fn constant(expression: &wasmparser::ConstExpr<'_>) -> Result<i32, NotABaseModule> {
    match expression.get_operators_reader().read()? {
        Operator::I32Const { value } => Ok(value),
        _ => Err(not_a_base_module("an address is not a number")),
    }
}
