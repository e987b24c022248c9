//! Pieces that several pages share. None of them calls the server.

pub mod dialog;
pub mod field;
pub mod icon;
pub mod lists;
pub mod menu;
pub mod progress;
pub mod status;
pub mod table;
pub mod tree;
