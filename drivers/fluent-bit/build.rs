//! The plugin finds Fluent Bit's functions among the symbols that the executable exports, as Fluent Bit's does.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-link-arg-bins=-Wl,--export-dynamic");
}
