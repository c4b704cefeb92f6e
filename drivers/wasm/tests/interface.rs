//! The imports and exports of the built modules of `dist/`.
//!
//! Not in one process with the tests in WAMR: each runtime has signal handlers of its own.

use std::fs;
use std::path::Path;

use kaudit_wasm_driver::wasmtime::Wasmtime;

#[test]
fn the_interface_equals_the_record() {
    for (module, file) in [("kaudit.wasm", "interface.txt"), ("kaudit-base.wasm", "interface-base.txt")] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dist").join(module);
        let built = fs::read(path).expect("`cargo xtask dist` builds it");
        let module = Wasmtime::new(&built).expect("an old runtime supports all its features");
        let expected = fs::read_to_string(Path::new("tests/data").join(file)).unwrap_or_default();
        assert_eq!(module.interface(), expected, "imports and exports differ from tests/data/{file}");
    }
}

#[test]
fn a_reference_type_is_too_new() {
    // (module (table 1 externref))
    assert!(Wasmtime::new(b"\0asm\x01\0\0\0\x04\x04\x01\x6f\0\x01").is_err());
}
