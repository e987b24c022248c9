//! *Créer un volume de données*, from a volume snapshot, in any zone.

use crate::api::snapshots::{CreateVolumeFromSnapshot, get_snapshot};
use crate::domain::id::SnapshotId;
use crate::i18n::{format, t};
use crate::view::SnapshotRow;
use crate::web::components::dialog::{buttons, follow, submit, unavailable, waiting};
use crate::web::components::field;
use crate::web::context::{Frame, use_locale};
use leptos::prelude::*;

pub fn body(frame: Frame, snapshot: SnapshotId, close: String) -> AnyView {
    let found = Resource::new(|| (), move |()| get_snapshot(snapshot));
    let create = ServerAction::<CreateVolumeFromSnapshot>::new();
    let (refusal, pending) = follow(create, &close);
    view! {
        <Suspense fallback=waiting>
            {move || {
                let close = close.clone();
                found
                    .get()
                    .map(|found| match found {
                        Ok(row) => form(&frame, create, &row, refusal, pending, close),
                        Err(fault) => unavailable(&fault, close),
                    })
            }}
        </Suspense>
    }
    .into_any()
}

fn form(
    frame: &Frame,
    create: ServerAction<CreateVolumeFromSnapshot>,
    row: &SnapshotRow,
    refusal: field::Refusal,
    pending: Memo<bool>,
    close: String,
) -> AnyView {
    let locale = use_locale();
    let what = t!(locale, "restore-what", name = row.name.as_str(), size = format::bytes(locale, row.size));
    let zones = field::zone(locale, &frame.session.zones, refusal);
    let snapshot = row.id.to_string();
    view! {
        <ActionForm action=create>
            <div class="body">
                {field::form_refusal(locale, refusal)}
                <p>{what}</p>
                <input type="hidden" name="snapshot" value=snapshot/>
                {field::text(locale, t!(locale, "field-name"), None, String::new(), true, refusal)}
                {zones}
            </div>
            {buttons(t!(locale, "dialog-cancel"), close, submit(t!(locale, "restore-submit"), false, pending))}
        </ActionForm>
    }
    .into_any()
}
