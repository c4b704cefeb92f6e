//! The guest in wasmtime, limited to the features of Fluent Bit's oldest WebAssembly runtime.

use wasmtime::{Config, Engine, ExternType, Linker, Memory, Module, Store, TypedFunc, ValType, WasmFeatures};

use crate::wasi::{self, Errors, State};
use crate::{FUNCTION, Start, TAG, clock};

/// The features of WAMR 1.3.0 as Fluent Bit 2.2 builds it.
const KNOWN: WasmFeatures = WasmFeatures::MUTABLE_GLOBAL
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::BULK_MEMORY)
    .union(WasmFeatures::FLOATS);

/// A compiled module.
pub struct Wasmtime {
    engine: Engine,
    module: Module,
    errors: Errors,
}

impl Wasmtime {
    /// Compiles a module.
    ///
    /// # Errors
    /// It is not valid, or needs a feature that an old runtime lacks.
    pub fn new(bytes: &[u8]) -> Result<Self, String> {
        let mut config = Config::new();
        config.wasm_features(WasmFeatures::all(), false).wasm_features(KNOWN, true).consume_fuel(true);
        let engine = Engine::new(&config).map_err(words)?;
        let module = Module::new(&engine, bytes).map_err(words)?;
        Ok(Self { engine, module, errors: Errors::default() })
    }

    /// Returns the module's imports and exports with their types, one per line, sorted.
    pub fn interface(&self) -> String {
        let imports = self
            .module
            .imports()
            .map(|import| format!("import {}.{} {}\n", import.module(), import.name(), shape(&import.ty())));
        let exports =
            self.module.exports().map(|export| format!("export {} {}\n", export.name(), shape(&export.ty())));
        let mut lines: Vec<String> = imports.chain(exports).collect();
        lines.sort();
        lines.concat()
    }
}

/// Returns the name of a type.
fn shape(of: &ExternType) -> String {
    let list = |types: &mut dyn Iterator<Item = ValType>| {
        types.map(|value| value.to_string()).collect::<Vec<_>>().join(" ")
    };
    match of {
        ExternType::Func(func) => {
            format!("func ({}) -> ({})", list(&mut func.params()), list(&mut func.results()))
        }
        ExternType::Global(global) => format!("global {}", global.content()),
        ExternType::Memory(_) => "memory".to_owned(),
        other => format!("{other:?}"),
    }
}

/// Returns an error with its causes, on one line.
#[expect(clippy::needless_pass_by_value, reason = "it is passed to `map_err`")]
fn words(error: wasmtime::Error) -> String {
    format!("{error:#}").replace('\n', " ")
}

/// An instance.
pub struct Instance {
    store: Store<State>,
    memory: Memory,
    malloc: TypedFunc<u32, u32>,
    free: TypedFunc<u32, ()>,
    filter: TypedFunc<(u32, u32, u32, u32, u32, u32), u32>,
}

impl crate::Runtime for Wasmtime {
    type Instance = Instance;

    fn start(&self, start: &Start) -> Result<Instance, String> {
        let mut linker = Linker::new(&self.engine);
        wasi::link(&mut linker).map_err(words)?;
        let directory = start.directory.as_deref();
        let world = State::new(directory, clock(start.at), Errors::clone(&self.errors));
        let mut store = Store::new(&self.engine, world);
        store.set_fuel(u64::MAX).map_err(words)?;
        let instance = linker.instantiate(&mut store, &self.module).map_err(words)?;
        let begin = instance.get_typed_func::<(), ()>(&mut store, "_initialize").map_err(words)?;
        begin.call(&mut store, ()).map_err(words)?;
        let memory = instance.get_memory(&mut store, "memory").ok_or("no memory")?;
        Ok(Instance {
            memory,
            malloc: instance.get_typed_func(&mut store, "malloc").map_err(words)?,
            free: instance.get_typed_func(&mut store, "free").map_err(words)?,
            filter: instance.get_typed_func(&mut store, FUNCTION).map_err(words)?,
            store,
        })
    }

    fn take_errors(&self) -> Vec<u8> {
        self.errors.take()
    }
}

impl Instance {
    fn give(&mut self, bytes: &[u8]) -> wasmtime::Result<u32> {
        let length = u32::try_from(bytes.len() + 1)?;
        let address = self.malloc.call(&mut self.store, length)?;
        self.memory.write(&mut self.store, address as usize, bytes)?;
        self.memory.write(&mut self.store, address as usize + bytes.len(), &[0])?;
        Ok(address)
    }

    fn call(&mut self, record: &[u8]) -> wasmtime::Result<Option<Vec<u8>>> {
        let tag = self.give(TAG.as_bytes())?;
        let copy = self.give(record)?;
        let [tag_length, length] = [TAG.len(), record.len()].map(|length| u32::try_from(length).unwrap_or(0));
        let reply = self.filter.call(&mut self.store, (tag, tag_length, 0, 0, copy, length))?;
        let rest = self.memory.data(&self.store).get(reply as usize..).filter(|_| reply != 0);
        let end = rest.and_then(|bytes| Some((bytes, bytes.iter().position(|&byte| byte == 0)?)));
        let text = end.map(|(bytes, end)| bytes[..end].to_vec());
        self.free.call(&mut self.store, tag)?;
        self.free.call(&mut self.store, copy)?;
        Ok(text)
    }
}

impl crate::Instance for Instance {
    fn set_clock(&mut self, nanos: i64) {
        self.store.data_mut().clock = clock(nanos);
    }

    fn answer(&mut self, record: &[u8]) -> Result<Vec<u8>, String> {
        self.call(record).map_err(words)?.ok_or_else(|| "an invalid reply".to_owned())
    }

    fn spent(&mut self) -> Option<u64> {
        self.store.get_fuel().ok().map(|left| u64::MAX - left)
    }
}
