//! The module finds Lua's functions in the process that loads it: they have to be exported, as Vector's gnu builds do.

fn main() {
    println!("cargo:rustc-link-arg-bins=-rdynamic");
}
