//! Live changes: the server says *what kind of thing* changed, the page asks anew for what it shows of it.
//!
//! Changes that come close together are taken together. `EventSource` reconnects by itself and says where it was; the
//! server tells what was missed, or that everything may have changed. So it is taken when the browser is online again,
//! too. On the server all of this does nothing.

use super::erased::RwSignal;
use crate::domain::role::Role;

/// A counter a kind of change: a resource that has one among its sources is fetched anew when it grows.
#[derive(Clone, Copy)]
pub struct Live {
    /// Some volume changed.
    pub volumes: RwSignal<u32>,
    /// Some snapshot changed.
    pub snapshots: RwSignal<u32>,
    /// Some task made progress, began or ended.
    pub jobs: RwSignal<u32>,
    /// The activity log grew.
    pub activity: RwSignal<u32>,
    /// Some instance changed.
    pub instances: RwSignal<u32>,
    /// Some recovery point changed.
    pub points: RwSignal<u32>,
    /// Some template changed.
    pub templates: RwSignal<u32>,
    /// The role that this page was made for is not the reader's any more.
    pub outdated: RwSignal<bool>,
    /// Since when the stream is cut, by the browser's clock; none unless it has been for more than a moment.
    pub lost: RwSignal<Option<i64>>,
    /// The same from the first moment on.
    #[cfg(feature = "hydrate")]
    cut: RwSignal<Option<i64>>,
    /// Grows when a new stream is to be opened.
    again: RwSignal<u32>,
    /// Streams that were opened in vain since the last one that held.
    #[cfg(feature = "hydrate")]
    tries: RwSignal<u32>,
}

/// The browser's clock, in milliseconds; the server needs none.
pub fn clock() -> i64 {
    #[cfg(feature = "hydrate")]
    return js_sys::Date::now() as i64;
    #[cfg(not(feature = "hydrate"))]
    0
}

impl Live {
    /// Nothing has changed yet.
    pub fn new() -> Self {
        Self {
            volumes: RwSignal::new(0),
            snapshots: RwSignal::new(0),
            jobs: RwSignal::new(0),
            activity: RwSignal::new(0),
            instances: RwSignal::new(0),
            points: RwSignal::new(0),
            templates: RwSignal::new(0),
            outdated: RwSignal::new(false),
            lost: RwSignal::new(None),
            #[cfg(feature = "hydrate")]
            cut: RwSignal::new(None),
            again: RwSignal::new(0),
            #[cfg(feature = "hydrate")]
            tries: RwSignal::new(0),
        }
    }

    /// Has everything asked for anew: after an act of one's own, without waiting for the server to tell.
    pub fn refresh(self) {
        for (_, counter) in self.counters() {
            counter.update(|version| *version = version.wrapping_add(1));
        }
    }

    /// Opens a new stream and asks for everything, without waiting until that is due.
    pub fn reconnect(self) {
        // The page may have gone meanwhile.
        if self.again.update(|again| *again = again.wrapping_add(1)) {
            self.refresh();
        }
    }

    /// Each counter, under the bit that stands for it where several are told at once.
    const fn counters(self) -> [(u8, RwSignal<u32>); 7] {
        [
            (1, self.volumes),
            (2, self.snapshots),
            (4, self.jobs),
            (8, self.activity),
            (16, self.instances),
            (32, self.points),
            (64, self.templates),
        ]
    }

    /// Listens from when the component that calls it has come to life until it goes; the page was made for `role`.
    pub fn listen(self, role: Role) {
        #[cfg(feature = "hydrate")]
        super::erased::effect(move || {
            _ = self.again.get();
            browser::listen(self, role);
        });
        #[cfg(not(feature = "hydrate"))]
        let _ = role;
    }
}

#[cfg(feature = "hydrate")]
mod browser {
    use super::{Live, clock};
    use crate::api::json;
    use crate::domain::role::Role;
    use crate::view::Change;
    use leptos::prelude::*;
    use std::cell::Cell;
    use std::rc::Rc;
    use std::time::Duration;
    use wasm_bindgen::JsCast;
    use wasm_bindgen::closure::Closure;
    use web_sys::{Event, EventSource, MessageEvent};

    /// Changes that come within this time are one refresh: a save reports its progress many times a second.
    const TOGETHER: Duration = Duration::from_millis(250);
    /// How long to wait before a new stream is opened where the browser does not do so by itself, at first; then twice as
    /// long each time, up to thirty times.
    const FIRST_WAIT: f64 = 1000.0;
    const LONGEST_WAIT: f64 = 30_000.0;
    /// A cut shorter than this is not worth a word: leaving the page cuts the stream too.
    const PATIENCE: Duration = Duration::from_secs(2);

    pub fn listen(live: Live, role: Role) {
        let address = format!("/live?role={}", role.code());
        let Ok(source) = EventSource::new(&address) else {
            return;
        };
        // A bit a kind; zero: no refresh is planned.
        let pending = Rc::new(Cell::new(0u8));
        let changed = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            let Some(text) = event.data().as_string() else {
                return;
            };
            let bit = match json::read(&text) {
                Ok(Change::Volumes) => 1,
                Ok(Change::Snapshots) => 2,
                Ok(Change::Jobs) => 4,
                Ok(Change::Activity) => 8,
                Ok(Change::Instances) => 16,
                Ok(Change::Points) => 32,
                Ok(Change::Templates) => 64,
                Ok(Change::Role) => {
                    live.outdated.set(true);
                    return;
                }
                Err(_) => return,
            };
            if pending.replace(pending.get() | bit) == 0 {
                let pending = Rc::clone(&pending);
                set_timeout(move || refresh(live, pending.take()), TOGETHER);
            }
        });
        let failed = Closure::<dyn FnMut(Event)>::new(move |event: Event| {
            let now = clock();
            if live.cut.still() == Some(None) {
                live.cut.set(Some(now));
                set_timeout(
                    move || {
                        if live.cut.still() == Some(Some(now)) {
                            live.lost.set(Some(now));
                        }
                    },
                    PATIENCE,
                );
            }
            // The browser tries again by itself after a cut, but never after an answer that is no stream: that of a proxy
            // whose server is gone for a moment, or of a session that has ended.
            let source = event.target().and_then(|it| it.dyn_into().ok());
            if source.is_some_and(|it: EventSource| it.ready_state() == EventSource::CLOSED) {
                let (Some(tries), Some(this)) = (live.tries.still(), live.again.still()) else {
                    return;
                };
                live.tries.set(tries + 1);
                let wait = (FIRST_WAIT * f64::from(1 << tries.min(5))).min(LONGEST_WAIT);
                // Not all browsers at once.
                let wait = wait * (0.75 + js_sys::Math::random() / 2.0);
                set_timeout(
                    move || {
                        if live.again.still() == Some(this) {
                            live.reconnect();
                        }
                    },
                    Duration::from_secs_f64(wait / 1000.0),
                );
            }
        });
        let opened = Closure::<dyn FnMut(Event)>::new(move |_| {
            live.cut.set(None);
            live.tries.set(0);
            if live.lost.still().flatten().is_some() {
                live.lost.set(None);
                // What was missed is told by the server, which knows where the stream was cut; but what was asked for in
                // vain meanwhile need not have changed.
                live.refresh();
            }
        });
        // A change that was told while nothing could be asked for: the stream need not have been cut by that.
        let online = window_event_listener(leptos::ev::online, move |_| live.refresh());
        _ = source.add_event_listener_with_callback("change", changed.as_ref().unchecked_ref());
        source.set_onerror(Some(failed.as_ref().unchecked_ref()));
        source.set_onopen(Some(opened.as_ref().unchecked_ref()));
        // The closures live as long as the stream does.
        let held = StoredValue::new_local((source, changed, failed, opened));
        on_cleanup(move || {
            online.remove();
            _ = held.try_with_value(|(source, ..)| source.close());
        });
    }

    fn refresh(live: Live, bits: u8) {
        for (bit, counter) in live.counters() {
            if bits & bit != 0 {
                // The page may have gone meanwhile.
                counter.update(|version| *version = version.wrapping_add(1));
            }
        }
    }
}
