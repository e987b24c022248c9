//! *Créer un volume*

use crate::i18n::t;
use crate::web::ask::{Act, acting, form};
use crate::web::components::dialog::{buttons, follow, submit};
use crate::web::components::field;
use crate::web::context::{Frame, use_locale};
use leptos::prelude::*;

pub fn body(frame: &Frame, close: String) -> AnyView {
    let locale = use_locale();
    let create = acting(Act::CreateVolume);
    let (refusal, pending) = follow(create, &close);
    let inside = view! {
        <div class="body">
            {field::form_refusal(locale, refusal)}
            <p>{t!(locale, "create-volume-what")}</p>
            {field::text(locale, t!(locale, "field-name"), None, String::new(), true, refusal)}
            {field::zone(locale, &frame.session.zones, refusal)}
            {field::size(locale, refusal)}
        </div>
        {buttons(t!(locale, "dialog-cancel"), close, submit(t!(locale, "restore-submit"), false, pending))}
    };
    form(create, Act::CreateVolume, "ask", inside.into_any())
}
