//! *Créer un volume*

use crate::api::volumes::CreateVolume;
use crate::i18n::t;
use crate::web::components::dialog::{buttons, follow, submit};
use crate::web::components::field;
use crate::web::context::{Frame, use_locale};
use leptos::prelude::*;

pub fn body(frame: &Frame, close: String) -> AnyView {
    let locale = use_locale();
    let create = ServerAction::<CreateVolume>::new();
    let (refusal, pending) = follow(create, &close);
    let zones = field::zone(locale, &frame.session.zones, refusal);
    view! {
        <ActionForm action=create>
            <div class="body">
                {field::form_refusal(locale, refusal)}
                <p>{t!(locale, "create-volume-what")}</p>
                {field::text(locale, t!(locale, "field-name"), None, String::new(), true, refusal)}
                {zones}
                {field::size(locale, refusal)}
            </div>
            {buttons(t!(locale, "dialog-cancel"), close, submit(t!(locale, "act-create-volume"), false, pending))}
        </ActionForm>
    }
    .into_any()
}
