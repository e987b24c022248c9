//! Pieces that several pages share. None of them calls the server.

pub mod dialog;
pub mod field;
pub mod icon;
pub mod lists;
pub mod menu;
pub mod narrow;
pub mod progress;
pub mod status;
pub mod table;
pub mod tree;

use crate::domain::locale::Locale;
use crate::domain::moment::Moment;
use crate::i18n::format;
use leptos::prelude::*;

/// A moment as a table or a fact has it, and as programs read it.
pub fn when(locale: Locale, moment: Moment) -> AnyView {
    view! { <time datetime=format::machine(moment)>{format::date_time(locale, moment)}</time> }
        .into_any()
}
