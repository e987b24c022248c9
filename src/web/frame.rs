//! What surrounds every page of one who is signed in: the rail, the bar above, notices.

use super::ask::{self, Act, Answer, Asked, Question, acting, once_there};
use super::components::{icon, lists, progress};
use super::context::{Frame, MustChoosePassword, Visitor, use_locale};
use super::dialogs;
use super::erased::{RwSignal, each, effect, follow, mark, maybe, memo, text, value};
use super::links;
use super::live::{Live, clock};
use super::toasts::{ToastRegion, Toasts, tell_ends};
use crate::api::json::Json;
use crate::domain::fault::Fault;
use crate::domain::locale::Locale;
use crate::domain::role::Permission;
use crate::domain::theme::Theme;
use crate::i18n::{format, t, words};
use crate::view::SessionView;
use leptos::prelude::*;
use leptos::server::SharedValue;
use leptos_meta::Title;
use leptos_router::components::{Outlet, Redirect};
use leptos_router::hooks::use_location;
use std::sync::Arc;

/// Who is signed in stands in the page; nobody is led to the door, and back to this page afterwards.
#[component]
pub fn Surroundings() -> impl IntoView {
    let must_choose = use_context::<MustChoosePassword>().is_some_and(|must| must.0);
    // Not a resource: under its `Suspense` the server would make the whole page more than once, each time with resources
    // of its own, and the browser would take the first's answers for the last one's page.
    let session = SharedValue::<_, Json>::new_with_encoding(|| {
        let visitor = use_context::<Visitor>();
        visitor.map_or(Err(Fault::Unreachable), |visitor| (visitor.0)())
    });
    match session.into_inner() {
        _ if must_choose => view! { <Redirect path=links::PASSWORD/> }.into_any(),
        Ok(session) => surround(session),
        Err(fault) => {
            view! { <main id="main" class="alone">{lists::failed(&fault)}</main> }.into_any()
        }
    }
}

fn surround(session: SessionView) -> AnyView {
    let locale = use_locale();
    let live = Live::new();
    let toasts = Toasts::new();
    let (alive, set_alive) = signal(false);
    let jobs = ask::ask(move || (Question::Jobs(toasts.waited_for()), live.jobs.get()));
    let kit_due = RwSignal::new(session.kit_due);
    let frame = Frame {
        session: Arc::new(session),
        kit_due,
        live,
        toasts,
        interrupt: acting(Act::Interrupt),
        retry: acting(Act::Retry),
        alive,
        born: clock(),
    };
    provide_context(frame.clone());
    live.listen(frame.session.role);
    toasts.recall();
    tell_ends(toasts, jobs);
    told(&frame);
    effect(move || set_alive.set(true));
    #[cfg(feature = "hydrate")]
    {
        let path = use_location().pathname;
        effect(move || {
            path.track();
            close_menu();
        });
    }
    let done = dialogs::done_words(locale);
    let kept = frame.clone();
    view! {
        <a class="skip" href="#main" rel="external">{t!(locale, "frame-skip")}</a>
        <div class="frame">
            {rail(&frame.session)}
            <div class="page">
                <header class="top">
                    {tasks(frame.clone(), jobs)}
                    {seek(locale)}
                    {languages(locale)}
                    {account(&frame.session)}
                </header>
                <div role="status" class="banner-place">
                    {follow(move || {
                        maybe(live.lost.get().map(|since| {
                            let since = format::time(locale, kept.moment(since));
                            let again = view! {
                                <button type="button" class="button small" on:click=move |_| live.reconnect()>
                                    {t!(locale, "live-again")}
                                </button>
                            };
                            banner(t!(locale, "live-lost", time = since), again.into_any())
                        }))
                    })}
                    {follow(move || {
                        maybe(live.outdated.get().then(|| {
                            let here = here_and_now();
                            let again = view! { <a class="button small" rel="external" href=here()>{t!(locale, "live-role-again")}</a> };
                            banner(t!(locale, "live-role"), again.into_any())
                        }))
                    })}
                </div>
                {reminder(locale, frame.kit_due)}
                <main id="main" tabindex="-1">
                    {maybe(done.map(|words| view! { <p class="note good" role="status">{words}</p> }.into_any()))}
                    <Outlet/>
                    {dialogs::host()}
                </main>
            </div>
        </div>
        <Title formatter=move |title: String| format!("{}{title}", toasts.mark())/>
        <ToastRegion toasts/>
    }
    .into_any()
}

/// Something about this very page, and what to do about it.
fn banner(words: String, act: AnyView) -> AnyView {
    view! { <div class="banner lost"><p>{words}</p> {act}</div> }.into_any()
}

/// Says when an interruption or a retry was refused, and refreshes when it was not.
fn told(frame: &Frame) {
    let (toasts, live) = (frame.toasts, frame.live);
    for value in [frame.interrupt.value(), frame.retry.value()] {
        effect(move || match value.get() {
            Some(Err(fault)) => toasts.refused(&fault),
            Some(Ok(_)) => live.refresh(),
            None => {}
        });
    }
}

/// Another page has come: the menu it was chosen from closes.
#[cfg(feature = "hydrate")]
fn close_menu() {
    use wasm_bindgen::JsCast;

    let open = document().query_selector(":popover-open").ok().flatten();
    if let Some(menu) = open.and_then(|menu| menu.dyn_into::<web_sys::HtmlElement>().ok()) {
        _ = menu.hide_popover();
    }
}

fn rail(session: &SessionView) -> AnyView {
    let locale = use_locale();
    let path = use_location().pathname;
    let link = move |href: &'static str, icon: AnyView, words: String| {
        view! {
            <li>
                <a href=href aria-current=mark(move || here(&path.get(), href))>
                    {icon}
                    {words}
                </a>
            </li>
        }
    };
    let zones = u32::try_from(session.zones.len()).unwrap_or(u32::MAX);
    let region = t!(
        locale,
        "frame-region",
        region = session.region.as_str(),
        count = zones,
        count_text = format::count(locale, u64::from(zones))
    );
    view! {
        <nav class="rail" aria-label=t!(locale, "frame-nav")>
            <a class="brand" href=links::HOME>
                {icon::mark()}
                <span>"Reprise"</span>
            </a>
            // Where there is room it is always open; the browser opens and closes it elsewhere, without scripts, too.
            <button type="button" class="pages" popovertarget="pages" aria-haspopup="true">
                {icon::menu()}
                <span>{t!(locale, "frame-pages")}</span>
            </button>
            <ul id="pages" popover="auto">
                {link(links::HOME, icon::home(), t!(locale, "nav-home"))}
                {link(links::INSTANCES, icon::instance(), t!(locale, "nav-instances"))}
                {link(links::VOLUMES, icon::volume(), t!(locale, "nav-volumes"))}
                {link(links::SNAPSHOTS, icon::snapshot(), t!(locale, "nav-snapshots"))}
                {link(links::TEMPLATES, icon::template(), t!(locale, "nav-templates"))}
                {link(links::ACTIVITY, icon::activity(), t!(locale, "nav-activity"))}
                {maybe(session.operator.then(|| link(links::ZONES, icon::zones(), t!(locale, "zones-title")).into_any()))}
                {link(links::HELP, icon::help(), t!(locale, "nav-help"))}
            </ul>
            <p class="foot">
                <bdi>{session.organization.clone()}</bdi>
                <span>{region}</span>
            </p>
        </nav>
    }
    .into_any()
}

/// An Owner who has not saved the recovery kit is reminded on every page but its own and the first, which says it among
/// what needs attention. Putting it off is a plain form: it holds for the session, and the page stays the same.
fn reminder(locale: Locale, due: RwSignal<bool>) -> AnyView {
    let location = use_location();
    let elsewhere = memo(move |_| {
        location
            .pathname
            .with(|path| path != links::KIT && path != links::HOME)
    });
    follow(move || {
        maybe((due.get() && elsewhere.get()).then(|| {
            view! {
                <section class="banner kit" aria-label=t!(locale, "kit-title")>
                    <p>{t!(locale, "kit-reminder")}</p>
                    <form class="acts" method="post" action="/kit/later">
                        <input type="hidden" name="back" value=value(here_and_now())/>
                        <a class="button small" href=links::KIT>{t!(locale, "kit-reminder-save")}</a>
                        <button type="submit" class="button small plain">{t!(locale, "kit-reminder-later")}</button>
                    </form>
                </section>
            }
            .into_any()
        }))
    })
}

/// The address of this page.
fn here_and_now() -> impl Fn() -> String + Send + 'static {
    let location = use_location();
    move || {
        let (path, search) = (location.pathname.get(), location.search.get());
        if search.is_empty() {
            path
        } else {
            format!("{path}?{search}")
        }
    }
}

/// How the link to a list says that one is there, or on a page below it.
fn here(path: &str, href: &str) -> Option<&'static str> {
    match path.strip_prefix(href)? {
        "" => Some("page"),
        below if below.starts_with('/') => Some("true"),
        _ => None,
    }
}

/// The field that searches everything: a plain form, which with scripts stays in the frame. Control and K lead to it (a key
/// alone would be in the way of those who speak to their browser: WCAG 2.2, 2.1.4). On a phone it is a link.
fn seek(locale: Locale) -> AnyView {
    let field = NodeRef::<leptos::html::Input>::new();
    #[cfg(feature = "hydrate")]
    let go = leptos_router::hooks::use_navigate();
    #[cfg(feature = "hydrate")]
    {
        let listener = window_event_listener(leptos::ev::keydown, move |event| {
            if (event.ctrl_key() || event.meta_key())
                && event.key() == "k"
                && let Some(field) = field.get_untracked()
            {
                event.prevent_default();
                _ = field.focus();
                field.select();
            }
        });
        on_cleanup(move || listener.remove());
    }
    let on_submit = move |event: leptos::ev::SubmitEvent| {
        #[cfg(feature = "hydrate")]
        if let Some(field) = field.get_untracked() {
            event.prevent_default();
            let address = format!("{}?q={}", links::SEARCH, links::escaped(&field.value()));
            go(&address, leptos_router::NavigateOptions::default());
        }
        #[cfg(not(feature = "hydrate"))]
        let _ = &event;
    };
    view! {
        <search class="seek">
            <form method="get" action=links::SEARCH on:submit=on_submit>
                <input
                    type="search"
                    name="q"
                    maxlength="200"
                    dir="auto"
                    placeholder=t!(locale, "search-title")
                    aria-label=t!(locale, "search-label")
                    aria-keyshortcuts="Control+K Meta+K"
                    node_ref=field
                />
            </form>
        </search>
        <a class="seek-link" href=links::SEARCH aria-label=t!(locale, "search-label")>{icon::search()}</a>
    }
    .into_any()
}

/// How many tasks go on; the panel lists them.
fn tasks(frame: Frame, jobs: Asked) -> AnyView {
    let locale = use_locale();
    let panel = move || {
        let list = lists::rows(jobs, |answer| match answer {
            Answer::Jobs(jobs) => Some(jobs),
            _ => None,
        });
        let count = memo(move |_| {
            list.with(|jobs| jobs.iter().filter(|job| job.state.is_live()).count() as u64)
        });
        let none = memo(move |_| list.with(Vec::is_empty));
        let frame = frame.clone();
        view! {
            <button type="button" class="tasks" popovertarget="tasks" aria-haspopup="true">
                {follow(move || {
                    maybe((count.get() > 0).then(|| view! { <span class="spinner" aria-hidden="true"></span> }.into_any()))
                })}
                <span>
                    {text(move || {
                        t!(locale, "tasks-count", count = count.get(), count_text = format::count(locale, count.get()))
                    })}
                </span>
            </button>
            <div class="popover panel" popover="auto" id="tasks" role="region" aria-labelledby="tasks-title">
                <h2 id="tasks-title">{t!(locale, "tasks-title")}</h2>
                {follow(move || {
                    maybe(none.get().then(|| {
                        view! {
                            <p class="quiet">
                                {t!(locale, "tasks-empty")} " "
                                <a href=links::ACTIVITY>{t!(locale, "nav-activity")}</a>
                            </p>
                        }
                        .into_any()
                    }))
                })}
                <ul class="jobs">
                    {each(
                        move || list.with(|jobs| jobs.iter().map(|job| job.id).collect()),
                        move |id| {
                            let frame = frame.clone();
                            let job = memo(move |_| {
                                list.with(|jobs| jobs.iter().find(|job| job.id == id).cloned())
                            });
                            view! {
                                <li>
                                    {follow(move || job.with(|job| maybe(job.as_ref().map(|job| progress::task(locale, &frame, job)))))}
                                </li>
                            }
                            .into_any()
                        },
                    )}
                </ul>
                <p><a href=links::TASKS>{t!(locale, "tasks-all")}</a></p>
            </div>
        }
        .into_any()
    };
    view! { <div class="tasks-place"><Transition fallback=|| ()>{once_there([jobs], panel)}</Transition></div> }
        .into_any()
}

/// A plain form: the language is a cookie, and the page stays the same.
pub fn languages(locale: Locale) -> AnyView {
    // Each language bears its own name, whatever the page speaks.
    let button = |choice: &Locale| Choice {
        value: choice.code(),
        lang: Some(choice.tag()),
        words: choice.name().to_owned(),
        chosen: *choice == locale,
    };
    switch(
        "/language",
        "locale",
        t!(locale, "frame-language"),
        Locale::ALL.iter().map(button).collect(),
    )
}

/// Light, dark, or as the system has it: a plain form, too.
pub fn themes(locale: Locale, theme: Option<Theme>) -> AnyView {
    let button = |value: &'static str, choice: Option<Theme>, words: String| Choice {
        value,
        lang: None,
        words,
        chosen: choice == theme,
    };
    switch(
        "/theme",
        "theme",
        t!(locale, "frame-theme"),
        vec![
            button("system", None, t!(locale, "theme-system")),
            button(
                Theme::Light.code(),
                Some(Theme::Light),
                t!(locale, "theme-light"),
            ),
            button(
                Theme::Dark.code(),
                Some(Theme::Dark),
                t!(locale, "theme-dark"),
            ),
        ],
    )
}

/// One of several, of which one holds.
struct Choice {
    value: &'static str,
    lang: Option<&'static str>,
    words: String,
    chosen: bool,
}

fn switch(path: &'static str, field: &'static str, label: String, choices: Vec<Choice>) -> AnyView {
    let buttons = choices.into_iter().map(|choice| {
        let pressed = if choice.chosen { "true" } else { "false" };
        view! {
            <button type="submit" name=field value=choice.value lang=choice.lang aria-pressed=pressed>
                {choice.words}
            </button>
        }
        .into_any()
    });
    view! {
        <form class="switch" method="post" action=path aria-label=label>
            <input type="hidden" name="back" value=value(here_and_now())/>
            {buttons.collect::<Vec<_>>()}
        </form>
    }
    .into_any()
}

fn account(session: &SessionView) -> AnyView {
    let locale = use_locale();
    let initials: String = session
        .name
        .split_whitespace()
        .filter_map(|word| word.chars().next())
        .take(2)
        .flat_map(char::to_uppercase)
        .collect();
    let kit = session
        .role
        .may(Permission::HoldKit)
        .then(|| view! { <p><a href=links::KIT>{t!(locale, "kit-title")}</a></p> }.into_any());
    view! {
        <div class="menu">
            <button
                type="button"
                class="avatar"
                popovertarget="account"
                aria-haspopup="true"
            >
                <span aria-hidden="true">{initials}</span>
                <span class="unseen">{t!(locale, "frame-account", name = session.name.as_str())}</span>
            </button>
            <div class="popover account" popover="auto" id="account">
                <p><b><bdi>{session.name.clone()}</bdi></b></p>
                <p class="quiet"><bdi>{session.email.clone()}</bdi></p>
                <p class="quiet"><bdi>{session.organization.clone()}</bdi> ", " {words::role(locale, session.role)}</p>
                <p><a href=links::PROFILE>{t!(locale, "profile-title")}</a></p>
                <p><a href=links::ORGANIZATION>{t!(locale, "organization-title")}</a></p>
                {maybe(kit)}
                <p class="quiet">{t!(locale, "frame-theme")}</p>
                {themes(locale, session.theme)}
                <form method="post" action="/sign-out">
                    <button type="submit" class="button">{t!(locale, "sign-out")}</button>
                </form>
            </div>
        </div>
    }
    .into_any()
}
