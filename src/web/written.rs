//! Pages that the server alone writes: those that are read, or are plain forms. The browser half has no code for what is in
//! them. It leaves what stands in the document as it is; led to such a page from another, it asks the server for the
//! document and takes the page out of it.
//!
//! Parts of a page that follow what changes are elements with an id and `data-live`, which names the kinds of change: they
//! are asked for again, not more often than twice a second, and put in place of the old ones, while forms beside them keep
//! what was typed. What may never be
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

/// The title that the document came with. Where a page stands below another that has one, the document has none for a
/// moment while they come to life.
#[cfg(feature = "hydrate")]
#[derive(Clone)]
pub struct CameAs(pub String);

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

#[cfg(feature = "hydrate")]
fn first_title() -> String {
    let now = document().title();
    if now.is_empty() {
        use_context::<CameAs>().map_or(now, |came| came.0)
    } else {
        now
    }
}

#[cfg(not(any(feature = "ssr", feature = "hydrate")))]
fn first_title() -> String {
    String::new()
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
    let title = RwSignal::new(first_title());
    let fault = RwSignal::new(None::<Fault>);
    #[cfg(feature = "hydrate")]
    {
        let frame = use_frame();
        let written = browser::Written {
            place,
            title,
            fault,
            due: StoredValue::new(None),
            kit_due: frame.as_ref().map(|frame| frame.kit_due),
        };
        if let Some(frame) = frame {
            let live = frame.live;
            effect(move || {
                let activity = live.activity.get();
                written.changed("[data-live~=activity]", activity);
            });
            effect(move || {
                let work = live.jobs.get().wrapping_add(live.instances.get());
                written.changed("[data-live~=work]", work);
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
    use web_sys::{Document, DomParser, Element, Node, NodeList, Response, SupportedType};

    /// The least time from one asking for what has changed to the next: a save reports its progress many times a second.
    const BETWEEN: std::time::Duration = std::time::Duration::from_millis(500);

    /// Where the page stands, and what else it says.
    #[derive(Clone, Copy)]
    pub struct Written {
        pub place: NodeRef<Div>,
        pub title: RwSignal<String>,
        pub fault: RwSignal<Option<Fault>>,
        /// None: the parts may be asked for; else whether something has changed since they were.
        pub due: StoredValue<Option<bool>>,
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
                if !stands(&place, &address) {
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

        /// What the parts that `follow` names follow has changed so many times since the page came.
        pub fn changed(self, follow: &str, times: u32) {
            let there = self.place.get_untracked().is_some_and(|place| {
                let part = place.query_selector(follow);
                part.is_ok_and(|part| part.is_some())
            });
            if times == 0 || !there {
                return;
            }
            if self.due.get_value().is_none() {
                self.refresh();
            } else {
                self.due.set_value(Some(true));
            }
        }

        /// Asks for the parts that follow something, now, and once more if that changes meanwhile.
        fn refresh(self) {
            self.due.set_value(Some(false));
            spawn_local(self.put_in_place());
            set_timeout(
                move || {
                    // The page may have gone meanwhile.
                    match self.due.try_get_value().flatten() {
                        Some(true) => self.refresh(),
                        _ => _ = self.due.try_update_value(|due| *due = None),
                    }
                },
                BETWEEN,
            );
        }

        async fn put_in_place(self) {
            let Some(place) = self.place.get_untracked() else {
                return;
            };
            let Some(address) = place.get_attribute("data-of") else {
                return;
            };
            let document = match asked_for(&address).await {
                Ok(Some(document)) if stands(&place, &address) => document,
                // It leads elsewhere: to the door.
                Ok(None) if stands(&place, &address) => return leave_for(&address),
                // What cannot be asked for now stays as it was: the frame says that the connection is lost.
                _ => return,
            };
            let Some(page) = written(&document) else {
                return;
            };
            for part in all(page.query_selector_all("[data-live]")) {
                let Some(old) = place
                    .owner_document()
                    .and_then(|own| own.get_element_by_id(&part.id()))
                else {
                    continue;
                };
                become_as(&old, &part);
                if let (Some(due), Some(kit_due)) =
                    (part.get_attribute("data-kit-due"), self.kit_due)
                {
                    kit_due.set(due == "true");
                }
            }
        }
    }

    /// Whether the page at this address is still the one that stands there.
    fn stands(place: &Element, address: &str) -> bool {
        place.is_connected() && place.get_attribute("data-of").as_deref() == Some(address)
    }

    /// Has the old node say what the new one says, keeping all elements that can stay: nobody loses their place in them.
    fn become_as(old: &Node, new: &Node) {
        if old.is_equal_node(Some(new)) {
            return;
        }
        let elements = (old.dyn_ref::<Element>(), new.dyn_ref::<Element>());
        let (Some(was), Some(is)) = elements else {
            return replace(old, new);
        };
        if was.tag_name() != is.tag_name() {
            return replace(old, new);
        }
        for name in names(was) {
            // What the reader has unfolded stays so.
            if name != "open" && !is.has_attribute(&name) {
                _ = was.remove_attribute(&name);
            }
        }
        for name in names(is) {
            let value = is.get_attribute(&name).unwrap_or_default();
            _ = was.set_attribute(&name, &value);
        }
        // What has an id is the same wherever it stands: a row that goes does not make the next one take its place, with
        // the focus on its button. What goes, goes first, so that what stays need not be moved, which would cost it the
        // focus.
        let ids: Vec<String> = children(new).iter().filter_map(id).collect();
        for child in children(old) {
            if id(&child).is_some_and(|id| !ids.contains(&id)) {
                _ = old.remove_child(&child);
            }
        }
        let mut left = old.first_child();
        for child in children(new) {
            let own = id(&child);
            while own.is_some()
                && let Some(between) = left.clone().filter(|left| id(left).is_none())
            {
                left = between.next_sibling();
                _ = old.remove_child(&between);
            }
            let known = match own {
                Some(_) => children(old).into_iter().find(|kept| id(kept) == own),
                None => left.clone().filter(|left| id(left).is_none()),
            };
            let Some(known) = known else {
                _ = old.insert_before(&child, left.as_ref());
                continue;
            };
            if left.as_ref() == Some(&known) {
                left = known.next_sibling();
            } else {
                _ = old.insert_before(&known, left.as_ref());
            }
            become_as(&known, &child);
        }
        while let Some(gone) = left {
            left = gone.next_sibling();
            _ = old.remove_child(&gone);
        }
    }

    fn children(of: &Node) -> Vec<Node> {
        std::iter::successors(of.first_child(), Node::next_sibling).collect()
    }

    fn id(of: &Node) -> Option<String> {
        let id = of.dyn_ref::<Element>()?.id();
        Some(id).filter(|id| !id.is_empty())
    }

    fn replace(old: &Node, new: &Node) {
        if let Some(parent) = old.parent_node() {
            _ = parent.replace_child(new, old);
        }
    }

    fn names(element: &Element) -> Vec<String> {
        let names = element.get_attribute_names();
        names.iter().filter_map(|name| name.as_string()).collect()
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
