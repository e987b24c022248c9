//! A state: told by a shape, a word and a colour.

use leptos::prelude::*;

/// The shape that goes with a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// A full disc: it can be used.
    Good,
    /// A disc with a check: proven.
    Proven,
    /// A turning ring: something is being done.
    Busy,
    /// An empty ring: waits, or was left.
    Idle,
    /// A diamond: it failed.
    Bad,
}

impl Tone {
    const fn class(self) -> &'static str {
        match self {
            Self::Good => "state good",
            Self::Proven => "state proven",
            Self::Busy => "state busy",
            Self::Idle => "state idle",
            Self::Bad => "state bad",
        }
    }
}

/// The state in words, after its shape.
pub fn status(tone: Tone, words: String) -> AnyView {
    view! { <span class=tone.class()>{words}</span> }.into_any()
}
