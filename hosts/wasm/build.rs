//! The linker's settings of the guest.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var_os("CARGO_CFG_TARGET_FAMILY").is_some_and(|family| family == "wasm") {
        // The stack in the guest's memory. Fluent Bit's runtime is built with threads and gives an instance's only
        // thread a fifth of it; the largest chain of calls, while a filter is built, takes some 30 kB.
        println!("cargo::rustc-cdylib-link-arg=-zstack-size=262144");
    }
}
