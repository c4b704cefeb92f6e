//! x
mod input;
fn main(){}
