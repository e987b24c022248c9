//! Pages that the server alone writes: those that are read, or are plain forms. The browser half has no code for what is in
//! them. It leaves what stands in the document as it is; led to such a page from another, it asks the server for the
//! document and takes the page out of it.
//!
//! Parts of a page that follow what changes are elements with an id and `data-live`, which names the kind of change: they
//! are asked for again and put in place of the old ones, while forms beside them keep what was typed. What may never be
//! true: anything in such a page that needs scripts.

use super::erased::maybe;
use leptos::prelude::*;
use leptos_meta::Title;

#[cfg(feature = "ssr")]
pub use server::{later, whole};

/// The route's view of such a page.
macro_rules! written {
    ($page:path) => {{
        #[cfg(feature = "ssr")]
        fn view() -> AnyView {
            crate::web::written::whole($page)
        }
        #[cfg(not(feature = "ssr"))]
        use crate::web::written::view;
        by(view)
    }};
}
pub(super) use written;

/// The page around what is written: the same nodes on both sides.
fn around(title: AnyView, place: AnyView, failed: AnyView) -> AnyView {
    view! { {title} {place} {failed} }.into_any()
}

#[cfg(feature = "ssr")]
mod server {
    use super::*;

    /// The page, and nothing for the browser to go on with: what is asked for here is not sent along a second time.
    pub fn whole(page: fn() -> AnyView) -> AnyView {
        let inside = Owner::with_no_hydration(page);
        around(
            view! { <Title/> }.into_any(),
            view! { <div class="written">{inside}</div> }.into_any(),
            maybe(None),
        )
    }

    /// Part of a page that needs an answer first.
    pub fn later(part: impl Future<Output = AnyView> + Send + 'static) -> AnyView {
        let part: std::pin::Pin<Box<dyn Future<Output = AnyView> + Send>> = Box::pin(part);
        view! { <Suspense fallback=|| ()>{Suspend::new(part)}</Suspense> }.into_any()
    }
}

/// The page in the browser.
#[cfg(not(feature = "ssr"))]
pub fn view() -> AnyView {
    use super::components::lists;
    use super::context::use_frame;
    use super::erased::{RwSignal, effect, follow};
    use super::links;
    use crate::domain::fault::Fault;

    let place = NodeRef::new();
    let title = RwSignal::new(document().title());
    let fault = RwSignal::new(None::<Fault>);
    #[cfg(feature = "hydrate")]
    {
        let frame = use_frame();
        let written = browser::Written {
            place,
            title,
            fault,
            kit_due: frame.as_ref().map(|frame| frame.kit_due),
        };
        if let Some(frame) = frame {
            let live = frame.live;
            effect(move || {
                let activity = live.activity.get();
                written.refresh("activity", activity);
            });
            effect(move || {
                let work = live.jobs.get().wrapping_add(live.instances.get());
                written.refresh("work", work);
            });
        }
        let here = links::use_here();
        let path = leptos_router::hooks::use_location()
            .pathname
            .get_untracked();
        effect(move || {
            let address = here.get();
            if address.split('?').next() == Some(path.as_str()) {
                written.show(address);
            } else {
                written.left();
            }
        });
    }
    around(
        view! { <Title text=move || title.get()/> }.into_any(),
        view! { <div class="written" node_ref=place></div> }.into_any(),
        follow(move || maybe(fault.get().map(|fault| lists::failed(&fault)))),
    )
}

#[cfg(feature = "hydrate")]
mod browser {
    use super::super::erased::RwSignal;
    use crate::domain::fault::Fault;
    use leptos::html::Div;
    use leptos::prelude::*;
    use leptos::task::spawn_local;
    use wasm_bindgen::{JsCast, JsValue};
    use wasm_bindgen_futures::JsFuture;
    use web_sys::{Document, DomParser, Element, NodeList, Response, SupportedType};

    /// Where the page stands, and what else it says.
    #[derive(Clone, Copy)]
    pub struct Written {
        pub place: NodeRef<Div>,
        pub title: RwSignal<String>,
        pub fault: RwSignal<Option<Fault>>,
        /// Whether the reminder of the recovery kit is shown; none outside of the frame.
        pub kit_due: Option<RwSignal<bool>>,
    }

    impl Written {
        /// The page at this address, unless it stands there.
        pub fn show(self, address: String) {
            let Some(place) = self.place.get() else {
                return;
            };
            // Written by the server into this very document.
            if place.get_attribute("data-of").is_none() && place.first_element_child().is_some() {
                _ = place.set_attribute("data-of", &address);
                return;
            }
            _ = place.set_attribute("data-of", &address);
            spawn_local(async move {
                let document = asked_for(&address).await;
                // The visitor may have gone elsewhere meanwhile.
                if !place.is_connected() || place.get_attribute("data-of") != Some(address.clone())
                {
                    return;
                }
                match document {
                    Ok(Some(document)) => match written(&document) {
                        Some(page) => {
                            place.set_inner_html(&page.inner_html());
                            self.title.set(document.title());
                            self.fault.set(None);
                        }
                        None => leave_for(&address),
                    },
                    // It leads elsewhere: to the door.
                    Ok(None) => leave_for(&address),
                    Err(fault) => {
                        place.set_inner_html("");
                        self.fault.set(Some(fault));
                    }
                }
            });
        }

        /// Another page is coming; unless it is one of the same kind, which the router takes for the same (the browser's
        /// history can lead from one member right to another).
        pub fn left(self) {
            set_timeout(
                move || {
                    let place = self.place.try_get_untracked().flatten();
                    if place.is_some_and(|place| place.is_connected()) {
                        _ = location().reload();
                    }
                },
                std::time::Duration::from_millis(500),
            );
        }

        /// The parts that follow this kind of change, which has come `changes` times.
        pub fn refresh(self, kind: &'static str, changes: u32) {
            let Some(place) = self.place.get_untracked() else {
                return;
            };
            let parts = format!("[data-live={kind}]");
            let none = place
                .query_selector(&parts)
                .is_ok_and(|part| part.is_none());
            let Some(address) = place
                .get_attribute("data-of")
                .filter(|_| changes > 0 && !none)
            else {
                return;
            };
            spawn_local(async move {
                // What cannot be asked for now stays as it was: the frame says that the connection is lost.
                let Ok(Some(document)) = asked_for(&address).await else {
                    return;
                };
                let Some(page) = written(&document).filter(|_| place.is_connected()) else {
                    return;
                };
                for part in all(page.query_selector_all(&parts)) {
                    let Some(old) = place
                        .owner_document()
                        .and_then(|own| own.get_element_by_id(&part.id()))
                    else {
                        continue;
                    };
                    // The same content stays the same elements: nobody loses their place in it.
                    if old.inner_html() != part.inner_html() {
                        old.set_inner_html(&part.inner_html());
                    }
                    if let (Some(due), Some(kit_due)) =
                        (part.get_attribute("data-kit-due"), self.kit_due)
                    {
                        kit_due.set(due == "true");
                    }
                }
            });
        }
    }

    fn leave_for(address: &str) {
        _ = location().assign(address);
    }

    fn written(document: &Document) -> Option<Element> {
        document.query_selector(".written").ok()?
    }

    fn all(list: Result<NodeList, JsValue>) -> Vec<Element> {
        let Ok(list) = list else { return Vec::new() };
        (0..list.length())
            .filter_map(|at| list.item(at)?.dyn_into().ok())
            .collect()
    }

    /// The document at this address; none if it leads elsewhere.
    async fn asked_for(address: &str) -> Result<Option<Document>, Fault> {
        let cut_off = |_: JsValue| Fault::Unreachable;
        let answer = JsFuture::from(window().fetch_with_str(address))
            .await
            .map_err(cut_off)?;
        let answer: Response = answer.unchecked_into();
        if answer.redirected() {
            return Ok(None);
        }
        if answer.status() >= 500 {
            return Err(Fault::Unreachable);
        }
        let text = JsFuture::from(answer.text().map_err(cut_off)?)
            .await
            .map_err(cut_off)?;
        let parser = DomParser::new().map_err(cut_off)?;
        let text = text.as_string().unwrap_or_default();
        parser
            .parse_from_string(&text, SupportedType::TextHtml)
            .map(Some)
            .map_err(cut_off)
    }
}
