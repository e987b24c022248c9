//! Sending a file in the background. `fetch` cannot tell how much was sent, so this is an `XMLHttpRequest`.

use super::import::Sending;
use crate::api::json;
use crate::domain::fault::Fault;
use crate::domain::size::Bytes;
use crate::view::Started;
use crate::web::components::dialog::finish;
use crate::web::context::Frame;
use crate::web::erased::RwSignal;
use leptos::ev::{Event, MouseEvent, SubmitEvent};
use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{File, FormData, HtmlFormElement, HtmlInputElement, ProgressEvent, XmlHttpRequest};

/// The request under way and what listens to it.
type Request = StoredValue<Option<XmlHttpRequest>, LocalStorage>;

/// What the form does: send itself, propose a name, stop.
pub fn handlers(
    form: NodeRef<html::Form>,
    frame: Frame,
    sending: RwSignal<Sending>,
    refused: RwSignal<Option<Fault>>,
    close: String,
) -> (
    impl Fn(SubmitEvent) + 'static,
    impl Fn(Event) + 'static,
    impl Fn(MouseEvent) + Copy + Send + Sync + 'static,
) {
    let request: Request = StoredValue::new_local(None);
    let stop = move || {
        if let Some(Some(under_way)) = request.try_update_value(Option::take) {
            _ = under_way.abort();
        }
        sending.set(None);
    };
    on_cleanup(stop);
    // Effects and cleanups need their owner; what the request calls later runs in it.
    let owner = Owner::current();
    let on_submit = move |event: SubmitEvent| {
        event.prevent_default();
        let Some(form) = form.get_untracked() else {
            return;
        };
        if sending.with_untracked(Option::is_some) {
            return;
        }
        // Said before anything is sent: the server would say the same, after reading what it cannot keep.
        refused.set(too_large(&form, &frame));
        if refused.with_untracked(Option::is_some) {
            return;
        }
        let (owner, frame, close) = (owner.clone(), frame.clone(), close.clone());
        let answered = move |answer: Result<Started, Fault>| {
            sending.set(None);
            match answer {
                Ok(started) => {
                    let act = || finish(&frame, started, &close);
                    if let Some(owner) = &owner {
                        owner.with(act)
                    } else {
                        act()
                    }
                }
                Err(fault) => refused.set(Some(fault)),
            }
        };
        match send(&form, sending, answered) {
            Some(under_way) => request.set_value(Some(under_way)),
            None => refused.set(Some(Fault::Unreachable)),
        }
    };
    let on_change = |event: Event| {
        let input = event
            .target()
            .and_then(|target| target.dyn_into::<HtmlInputElement>().ok());
        if let Some(input) = input.filter(|input| input.type_() == "file") {
            propose_name(&input);
        }
    };
    (on_submit, on_change, move |_| stop())
}

/// The file that is larger than all that the chosen zone could ever hold: the server's own rule.
fn too_large(form: &HtmlFormElement, frame: &Frame) -> Option<Fault> {
    let data = FormData::new_with_form(form).ok()?;
    let zone = data.get("zone").as_string()?;
    let file = data.get("file").dyn_into::<File>().ok()?;
    let zone = frame
        .session
        .zones
        .iter()
        .find(|known| known.id.to_string() == zone)?;
    // As a number it is exact up to 2^53 bytes.
    let needed = Bytes(file.size() as u64);
    (needed > zone.total).then_some(Fault::ImageTooLarge {
        needed,
        free: zone.free,
    })
}

/// The file's name, less its ending, for a volume that has no name yet.
fn propose_name(file: &HtmlInputElement) {
    let name = document()
        .get_element_by_id("field-name")
        .and_then(|name| name.dyn_into::<HtmlInputElement>().ok());
    let chosen = file.files().and_then(|files| files.get(0));
    if let (Some(name), Some(chosen)) = (name, chosen)
        && name.value().is_empty()
    {
        let whole = chosen.name();
        name.set_value(
            whole
                .rsplit_once('.')
                .map_or(whole.as_str(), |(stem, _)| stem),
        );
    }
}

/// Sends the form. `answered` is called once, unless it is stopped.
fn send(
    form: &HtmlFormElement,
    sending: RwSignal<Sending>,
    answered: impl Fn(Result<Started, Fault>) + 'static,
) -> Option<XmlHttpRequest> {
    let data = FormData::new_with_form(form).ok()?;
    let request = XmlHttpRequest::new().ok()?;
    request.open("POST", &form.get_attribute("action")?).ok()?;
    request
        .set_request_header("Accept", "application/json")
        .ok()?;
    let progress = Closure::<dyn FnMut(ProgressEvent)>::new(move |event: ProgressEvent| {
        // As numbers they are exact up to 2^53 bytes.
        sending.set(Some((event.loaded() as u64, event.total() as u64)));
    });
    request
        .upload()
        .ok()?
        .set_onprogress(Some(progress.as_ref().unchecked_ref()));
    let ended = {
        let request = request.clone();
        Closure::<dyn FnMut(ProgressEvent)>::new(move |event: ProgressEvent| {
            match event.type_().as_str() {
                "load" => answered(answer_of(&request)),
                "error" => answered(Err(Fault::UploadCutOff)),
                // Stopped: nobody waits for an answer.
                _ => {}
            }
        })
    };
    request.set_onload(Some(ended.as_ref().unchecked_ref()));
    request.set_onerror(Some(ended.as_ref().unchecked_ref()));
    sending.set(Some((0, 0)));
    request.send_with_opt_form_data(Some(&data)).ok()?;
    // They live until the request that calls them is gone.
    progress.forget();
    ended.forget();
    Some(request)
}

fn answer_of(request: &XmlHttpRequest) -> Result<Started, Fault> {
    let text = request.response_text().ok().flatten().unwrap_or_default();
    if request.status() == Ok(200) {
        json::read(&text).map_err(|_| Fault::Unreachable)
    } else {
        Err(json::read(&text).unwrap_or(Fault::Unreachable))
    }
}
