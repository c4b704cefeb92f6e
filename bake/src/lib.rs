//! Puts a baked configuration into a base module.
//!
//! The bytes get pages of their own behind all memory that the module begins with, which neither its data nor its
//! allocator (it asks for further pages only) will ever touch. A second data segment writes their address and length
//! where the module looks for them, at the address that it exports as [`SLOT`]. Everything else is copied as it is.

#![forbid(unsafe_code)]

use core::fmt;

use wasm_encoder::{ConstExpr, DataCountSection, DataSection, MemorySection, MemoryType, Module, RawSection};
use wasmparser::{DataKind, ExternalKind, Operator, Parser, Payload};

/// The exported global that holds the slot's address.
pub const SLOT: &str = "kaudit_baked";

const PAGE: u64 = 64 << 10;

/// Why a file is no base module.
#[derive(Debug)]
pub struct NotABase(String);

impl fmt::Display for NotABase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "this is no base module of kaudit-filter: {}", self.0)
    }
}

impl std::error::Error for NotABase {}

impl From<wasmparser::BinaryReaderError> for NotABase {
    fn from(error: wasmparser::BinaryReaderError) -> Self {
        // Behind the dash stand the bytes that were found, over many lines.
        Self(error.message().split(" - ").next().unwrap_or_default().to_owned())
    }
}

fn not(what: &str) -> NotABase {
    NotABase(what.to_owned())
}

/// The base module with `baked` in it.
///
/// # Errors
/// `base` is not a WebAssembly module, or not one that looks for a configuration.
pub fn embed(base: &[u8], baked: &[u8]) -> Result<Vec<u8>, NotABase> {
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
                    maximum: layout.most_pages,
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
            // Names of functions, which nobody reads in an agent.
            Payload::CustomSection(_) => (),
            other => {
                if let Some((id, range)) = other.as_section() {
                    let data = base.get(range).ok_or_else(|| not("a section ends early"))?;
                    module.section(&RawSection { id, data });
                }
            }
        }
    }
    Ok(module.finish())
}

/// What has to be known of a base module.
struct Layout {
    pages: u64,
    most_pages: Option<u64>,
    slot: i32,
}

impl Layout {
    fn of(base: &[u8]) -> Result<Self, NotABase> {
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
        let memory = memory.ok_or_else(|| not("it has no memory"))?;
        let slot = slot
            .and_then(|index| globals.get(usize::try_from(index).ok()?).copied()?)
            .filter(|_| data)
            .ok_or_else(|| not("it has no place for a configuration"))?;
        Ok(Self { pages: memory.initial, most_pages: memory.maximum, slot })
    }
}

/// The number that an initialiser is.
fn constant(expression: &wasmparser::ConstExpr<'_>) -> Result<i32, NotABase> {
    match expression.get_operators_reader().read()? {
        Operator::I32Const { value } => Ok(value),
        _ => Err(not("an address is not a number")),
    }
}
