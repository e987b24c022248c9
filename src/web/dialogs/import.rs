//! *Importer une image disque*: a plain form with a file. With scripts the same form is sent in the background, with its
//! progress and a way to stop.

use crate::api::json;
use crate::domain::fault::Fault;
use crate::domain::locale::Locale;
use crate::domain::size::Bytes;
use crate::i18n::{format, t};
use crate::web::components::dialog::submit;
use crate::web::components::{field, progress};
use crate::web::context::{Frame, use_locale};
use crate::web::erased::{RwSignal, follow, maybe, memo};
use leptos::html;
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

/// How far a sending has come: bytes sent, bytes in all.
pub type Sending = Option<(u64, u64)>;

/// `template`: whether it becomes a template, else a volume.
pub fn body(frame: Frame, template: bool, close: String) -> AnyView {
    let locale = use_locale();
    // A form sent without scripts comes back with its refusal in the address.
    let brought = use_query_map().with_untracked(|query| {
        query
            .get_str("fault")
            .and_then(|fault| json::read::<Fault>(fault).ok())
    });
    let refused = RwSignal::new(brought);
    let sending: RwSignal<Sending> = RwSignal::new(None);
    let refusal = memo(move |_| refused.get());
    #[cfg(feature = "hydrate")]
    crate::web::erased::effect(move || {
        if refusal.with(Option::is_some) {
            crate::web::components::dialog::to_refusal();
        }
    });
    let busy = memo(move |_| sending.with(Option::is_some));
    let form = NodeRef::<html::Form>::new();
    let (action, what) = if template {
        ("/upload/template", t!(locale, "import-template-what"))
    } else {
        ("/upload/volume", t!(locale, "import-what"))
    };
    let choices = if template {
        field::description(locale, String::new(), refusal)
    } else {
        let zones = field::zone(locale, &frame.session.zones, refusal);
        view! { {zones} {kind(locale)} }.into_any()
    };
    #[cfg(feature = "hydrate")]
    let (on_submit, on_change, on_stop) =
        super::upload::handlers(form, frame, sending, refused, close.clone());
    #[cfg(not(feature = "hydrate"))]
    let (on_submit, on_change, on_stop) = (
        |_: leptos::ev::SubmitEvent| {},
        |_: leptos::ev::Event| {},
        |_: leptos::ev::MouseEvent| {},
    );
    view! {
        <form
            method="post"
            action=action
            enctype="multipart/form-data"
            node_ref=form
            on:submit=on_submit
            on:change=on_change
        >
            <div class="body">
                {field::form_refusal(locale, refusal)}
                <p>{what}</p>
                {field::text(locale, t!(locale, "field-name"), None, String::new(), true, refusal)}
                {choices}
                // The file comes last: the server decides by the other fields before it reads it.
                {field::file(locale, t!(locale, "import-file"), refusal)}
                <div class="sending">
                    {follow(move || maybe(sending.get().map(|(sent, total)| sent_so_far(sent, total))))}
                </div>
            </div>
            <footer>
                {follow(move || {
                    if busy.get() {
                        view! {
                            <button type="button" class="button" on:click=on_stop>{t!(locale, "import-stop")}</button>
                        }
                        .into_any()
                    } else {
                        view! { <a class="button" href=close.clone() data-noscroll="">{t!(locale, "dialog-cancel")}</a> }
                            .into_any()
                    }
                })}
                {submit(t!(locale, "import-submit"), false, busy)}
            </footer>
        </form>
    }
    .into_any()
}

fn kind(locale: Locale) -> AnyView {
    view! {
        <div class="field">
            <label for="field-kind">{t!(locale, "import-kind")}</label>
            <select id="field-kind" name="kind">
                <option value="root">{t!(locale, "import-kind-root")}</option>
                <option value="data">{t!(locale, "import-kind-data")}</option>
            </select>
        </div>
    }
    .into_any()
}

fn sent_so_far(sent: u64, total: u64) -> AnyView {
    let locale = use_locale();
    let label = t!(locale, "import-progress");
    if total > 0 && sent >= total {
        return view! { {progress::bar(label, Bytes(0), None)} <small>{t!(locale, "import-sent")}</small> }.into_any();
    }
    let (sent, total) = (Bytes(sent), Bytes(total));
    let percent = format::percent(locale, format::percent_of(sent, total));
    let of = t!(
        locale,
        "import-sending-of",
        done = format::bytes(locale, sent),
        total = format::bytes(locale, total)
    );
    view! {
        <small>{t!(locale, "import-sending", percent = percent)}</small>
        {progress::bar(label, sent, Some(total))}
        <small class="figures">{of}</small>
    }
    .into_any()
}
