//! The program: exit code, nothing else.

fn main() {}
