//! The copy-on-write block store (DESIGN: a volume is a stack of layers).

pub mod block;
