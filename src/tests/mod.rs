//! Tests of the house as a whole. Those of one room stand in that room.

mod architecture;
mod contrast;
