//! The messages as their translators left them, and the forms of numbers and dates.

mod formats;
mod messages;
pub(super) mod pseudo;
mod sheets;
