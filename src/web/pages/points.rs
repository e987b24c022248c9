//! The recovery points of an instance: the tree, or the table by date, and beside it the details of one point. Each point has
//! an address; `compare` has a page of its own.

#[cfg(feature = "ssr")]
pub mod compare;
mod table;

use super::instance::use_instance;
use super::{configuration, viewer_note};
use crate::domain::fault::{Fault, Noun};
use crate::domain::id::{InstanceId, PointId};
use crate::domain::locale::Locale;
use crate::domain::moment::Moment;
use crate::domain::recovery::{PointKind, PointState};
use crate::domain::size::Bytes;
use crate::i18n::{fault, format, t, words};
use crate::view::{PointRow, PointView, PointsView};
use crate::web::ask::{Answer, Asked, Question, ask, once_there};
use crate::web::components::lists::{Phase, failed, loading};
use crate::web::components::menu::{Entry, Size, entries, menu};
use crate::web::components::status::{Tone, status};
use crate::web::components::tree::{HERE, Html, Shown, Tree, tree, twigs};
use crate::web::components::{icon, progress};
use crate::web::context::{Frame, use_frame, use_locale};
use crate::web::erased::{Memo, RwSignal, follow, maybe, memo, value};
use crate::web::links::{self, Dialog, PointsSort};
use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_navigate, use_params_map, use_query_map};

/// A tree of more rows than this offers a link to *Vous êtes ici*.
const FAR: usize = 20;

/// The tab.
pub fn page() -> AnyView {
    use_frame().map(tab).into_any()
}

fn tab(frame: Frame) -> AnyView {
    let params = use_params_map();
    let instance = use_instance();
    let asked_for: Memo<Option<PointId>> =
        memo(move |_| params.with(|params| params.get_str("point").and_then(|id| id.parse().ok())));
    let live = frame.live;
    let asked = ask(move || (Question::Points(instance), live.points.get()));
    // Without a point in the address, the one that the instance descends from is shown.
    let detail = ask(move || {
        (
            Question::Point(instance, asked_for.get()),
            live.points.get(),
        )
    });
    let may_change = frame.may_change();
    let inside = move || {
        // The newest answer that has points; a failed refresh leaves it as it was.
        let found: Memo<Option<PointsView>> = memo(move |before: Option<&Option<PointsView>>| {
            asked.with(|answer| match answer {
                Some(Ok(Answer::Points(found))) => Some((**found).clone()),
                _ => before.cloned().flatten(),
            })
        });
        let phase = Phase::of(asked);
        leave_what_has_gone(instance, asked_for, found);
        let frame = frame.clone();
        follow(move || match phase.get() {
            None => loading(),
            Some(Phase::Failed(reason)) => failed(&reason),
            Some(Phase::Empty) => {
                let zone =
                    found.with_untracked(|found| found.as_ref().map(|found| found.zone.clone()));
                empty(instance, may_change, &zone.unwrap_or_default())
            }
            Some(Phase::Rows) => rows(&frame, instance, asked_for, found, detail),
        })
    };
    view! {
        {maybe((!may_change).then(viewer_note))}
        <Transition fallback=loading>{once_there([asked, detail], inside)}</Transition>
    }
    .into_any()
}

/// From the address of a point that was there and is no more, to that of all points.
fn leave_what_has_gone(
    instance: InstanceId,
    asked_for: Memo<Option<PointId>>,
    found: Memo<Option<PointsView>>,
) {
    let navigate = use_navigate();
    Effect::new(move |seen: Option<Option<PointId>>| {
        let point = asked_for.get()?;
        let there = found.with(|found| {
            found
                .as_ref()
                .is_some_and(|found| found.points.iter().any(|row| row.id == point))
        });
        if there {
            return Some(point);
        }
        if seen.flatten() == Some(point) {
            let options = NavigateOptions {
                replace: true,
                scroll: false,
                ..NavigateOptions::default()
            };
            navigate(&links::points(instance, None), options);
        }
        None
    });
}

fn empty(instance: InstanceId, may_change: bool, zone: &str) -> AnyView {
    let locale = use_locale();
    let create = may_change.then(|| {
        view! {
            <p class="acts">
                <a class="button primary" href=Dialog::CreatePoint(instance).on(&links::points(instance, None)) data-noscroll="">
                    {t!(locale, "point-create")}
                </a>
            </p>
        }
        .into_any()
    });
    view! {
        <div class="card empty">
            {icon::point()}
            <h2>{t!(locale, "points-empty-title")}</h2>
            <p>{t!(locale, "points-empty")}</p>
            <p>{t!(locale, "points-empty-cost", zone = zone)}</p>
            {maybe(create)}
            <p><a href=links::HELP>{t!(locale, "help-title")}</a></p>
        </div>
    }
    .into_any()
}

/// What is known of the point that is shown: nothing yet, that it is not there, or all.
type Detail = Option<Option<Box<PointView>>>;

/// Which view the address names: none is the tree.
type View = Memo<Option<PointsSort>>;

fn rows(
    frame: &Frame,
    instance: InstanceId,
    asked_for: Memo<Option<PointId>>,
    found: Memo<Option<PointsView>>,
    detail: Asked,
) -> AnyView {
    let locale = use_locale();
    let may_change = frame.may_change();
    // A point that has gone meanwhile is not shown any longer, nor is the last one in the place of one that is not there.
    let detail: Memo<Detail> = memo(move |before: Option<&Detail>| {
        detail.with(|answer| match answer {
            Some(Ok(Answer::Point(point))) => Some(point.clone()),
            _ => before.cloned().flatten(),
        })
    });
    let chosen = memo(move |_| {
        let shown = || detail.with(|detail| detail.as_ref()?.as_ref().map(|point| point.id));
        asked_for.get().or_else(shown).unwrap_or(HERE)
    });
    let all = memo(move |_| found.with(|found| found.as_ref().map(twigs).unwrap_or_default()));
    let since = memo(move |_| found.with(|found| found.as_ref().and_then(|found| found.since)));
    let undo = memo(move |_| found.with(|found| found.as_ref().and_then(|found| found.undo)));
    let zone = memo(move |_| {
        found.with(|found| {
            found
                .as_ref()
                .map(|found| found.zone.clone())
                .unwrap_or_default()
        })
    });
    let shape = Tree {
        twigs: all,
        chosen,
        named: asked_for,
        folded: kept_folds(instance),
        alive: frame.alive,
    };
    let href = move |point| links::points(instance, Some(point));
    let query = use_query_map();
    let view: View = memo(move |_| {
        query.with(|query| {
            let by_time = query.get_str("view") == Some("time");
            by_time.then(|| PointsSort::of(query.get_str("sort").unwrap_or_default()))
        })
    });
    let by_time = memo(move |_| view.get().is_some());
    let the_tree = move || {
        let label = t!(locale, "points-tree");
        let cells = move |shown: &Shown| cells(locale, since, shown);
        view! {
            <div class="card">
                <div class="tree-head" aria-hidden="true">
                    <span>{t!(locale, "points-column-name")}</span>
                    <span>{t!(locale, "points-column-holds")}</span>
                    <span>{t!(locale, "points-column-created")}</span>
                    <span class="number">{t!(locale, "points-column-frees")}</span>
                </div>
                {tree(label, shape, href, cells)}
            </div>
        }
        .into_any()
    };
    let the_table = move || {
        let chosen = Some(chosen.get());
        let drawn = |found: &PointsView| table::table(instance, found, view.get()?, chosen).into();
        found.with(|found| maybe(found.as_ref().and_then(drawn)))
    };
    let frame = frame.clone();
    view! {
        {follow(move || maybe(undo.get().map(|(point, until)| undo_banner(locale, instance, point, until, may_change))))}
        {follow(move || {
            let far = !by_time.get() && all.with(Vec::len) > FAR;
            let here = far.then(|| view! { <a href="#here" rel="external">{t!(locale, "points-to-here")}</a> }.into_any());
            view! { <div class="points-above">{views(locale, instance, asked_for.get(), by_time.get())} {maybe(here)}</div> }.into_any()
        })}
        <div class=value(move || if asked_for.get().is_some() { "points one" } else { "points" }.to_owned())>
            <div>
                {follow(move || if by_time.get() { follow(the_table) } else { the_tree() })}
                <p class="below quiet">{follow(move || t!(locale, "points-where", zone = zone.get()).into_any())}</p>
            </div>
            {follow(move || {
                detail.with(|detail| match detail {
                    Some(Some(point)) => details(locale, &frame, instance, point),
                    Some(None) => gone(locale, instance),
                    None => ().into_any(),
                })
            })}
        </div>
    }
    .into_any()
}

/// Which points are folded: kept in the browser for as long as its tab is open. Without scripts nothing is ever folded.
fn kept_folds(instance: InstanceId) -> RwSignal<Vec<PointId>> {
    let folded = RwSignal::new(Vec::new());
    #[cfg(feature = "hydrate")]
    {
        let kept = move || window().session_storage().ok().flatten();
        let key = move || format!("folded.{instance}");
        Effect::new(move |before: Option<()>| {
            if before.is_none() {
                let told = kept().and_then(|kept| kept.get_item(&key()).ok().flatten());
                let told = told.unwrap_or_default();
                let ids: Vec<PointId> = told.split(' ').filter_map(|id| id.parse().ok()).collect();
                if !ids.is_empty() {
                    folded.set(ids);
                }
            }
            let ids: Vec<String> = folded.with(|ids| ids.iter().map(PointId::to_string).collect());
            if let Some(kept) = kept() {
                _ = kept.set_item(&key(), &ids.join(" "));
            }
        });
    }
    #[cfg(not(feature = "hydrate"))]
    let _ = instance;
    folded
}

/// The two views of the points, as links.
fn views(locale: Locale, instance: InstanceId, point: Option<PointId>, by_time: bool) -> AnyView {
    let tree = links::points(instance, point);
    let time = PointsSort::of("").on(&tree);
    let here = |chosen: bool| chosen.then_some("true");
    view! {
        <nav class="views" aria-label=t!(locale, "points-views")>
            <a href=tree data-noscroll="" aria-current=here(!by_time)>{t!(locale, "points-view-tree")}</a>
            <a href=time data-noscroll="" aria-current=here(by_time)>{t!(locale, "points-view-time")}</a>
        </nav>
    }
    .into_any()
}

fn undo_banner(
    locale: Locale,
    instance: InstanceId,
    point: PointId,
    until: Moment,
    may_change: bool,
) -> AnyView {
    let until = format::date_time_sentence(locale, until);
    let act = may_change.then(|| {
        view! {
            <a class="button small" href=Dialog::Undo(instance, point).on(&links::points(instance, None)) data-noscroll="">{t!(locale, "point-undo")}</a>
        }
        .into_any()
    });
    view! { <div class="note undo"><p>{t!(locale, "points-undo", until = until)}</p> {maybe(act)}</div> }
        .into_any()
}

/// The address names a point that is not there.
fn gone(locale: Locale, instance: InstanceId) -> AnyView {
    let words = fault::sentence(locale, &Fault::NotFound { what: Noun::Point });
    view! {
        <aside class="card details">
            <p>{words}</p>
            <a class="button" href=links::points(instance, None) data-noscroll="">{t!(locale, "points-all")}</a>
        </aside>
    }
    .into_any()
}

/// A safety point bears the name of the point that was gone back to; one made by an undo, where that led.
fn name(locale: Locale, kind: PointKind, name: &str) -> String {
    match kind {
        PointKind::Made => name.to_owned(),
        PointKind::Safety => t!(locale, "points-safety-name", name = name),
    }
}

/// The work that is done on a point itself.
fn passing(locale: Locale, state: PointState) -> Option<String> {
    match state {
        PointState::Creating => Some(t!(locale, "point-creating")),
        PointState::Deleting => Some(t!(locale, "point-deleting")),
        PointState::Ready => None,
    }
}

fn bytes_or_unknown(locale: Locale, bytes: Option<Bytes>) -> String {
    bytes.map_or_else(
        || t!(locale, "points-unknown"),
        |bytes| format::bytes(locale, bytes),
    )
}

/// What a point holds, and whether it is a safety point.
fn holds(locale: Locale, row: &PointRow) -> AnyView {
    let safety = row.kind == PointKind::Safety;
    view! {
        <span class="chip">{holds_words(locale, row)}</span>
        " "
        {maybe(safety.then(|| view! { <span class="chip safety">{t!(locale, "points-safety")}</span> }.into_any()))}
    }
    .into_any()
}

fn holds_words(locale: Locale, row: &PointRow) -> String {
    if row.memory {
        t!(locale, "points-holds-memory")
    } else {
        t!(locale, "points-holds-disks")
    }
}

/// What stands beside the lanes. It is written as text, for there may be hundreds of rows: no element of it needs a hand
/// when the page comes to life.
fn cells(locale: Locale, since: Memo<Option<Bytes>>, shown: &Shown) -> String {
    let mut html = Html::default();
    let Some(row) = &shown.twig.point else {
        html.tag("span", "what", |html| {
            html.tag("b", "badge", |html| html.text(&t!(locale, "points-here")));
        });
        html.tag("span", "when", |html| html.text(&t!(locale, "points-now")));
        html.tag("span", "frees number", |html| {
            if let Some(bytes) = since.get() {
                let bytes = format::bytes(locale, bytes);
                html.text(&t!(locale, "points-since", bytes = bytes));
            }
        });
        return html.0;
    };
    html.tag("span", "what", |html| {
        html.tag("bdi", "name", |html| {
            html.text(&name(locale, row.kind, &row.name))
        });
        if let Some(words) = passing(locale, row.state) {
            html.text(" ");
            html.tag("span", "state busy", |html| html.text(&words));
        }
        if shown.under > 0 || shown.here_under {
            html.text(" ");
            html.tag("small", "under", |html| {
                let (count, text) = (shown.under, format::count(locale, u64::from(shown.under)));
                if count > 0 {
                    html.text(&t!(
                        locale,
                        "points-folded",
                        count = count,
                        count_text = text
                    ));
                    html.text(" ");
                }
                if shown.here_under {
                    html.tag("b", "badge", |html| html.text(&t!(locale, "points-here")));
                }
            });
        }
    });
    html.tag("span", "holds", |html| {
        html.tag("span", "chip", |html| html.text(&holds_words(locale, row)));
        if row.kind == PointKind::Safety {
            html.tag("span", "chip safety", |html| {
                html.text(&t!(locale, "points-safety"))
            });
        }
    });
    html.tag("span", "when", |html| {
        html.text(&format::date_time(locale, row.taken))
    });
    html.tag("span", "frees number", |html| {
        if row.state == PointState::Ready {
            html.tag("span", "unseen", |html| {
                html.text(&t!(locale, "points-column-frees"));
                html.text(" ");
            });
            html.text(&bytes_or_unknown(locale, row.frees));
        }
    });
    html.0
}

/// Everything about one point, and what can be done with it.
fn details(locale: Locale, frame: &Frame, instance: InstanceId, row: &PointView) -> AnyView {
    let description = (!row.description.is_empty()).then(|| {
        view! { <p class="quiet description" dir="auto">{row.description.clone()}</p> }.into_any()
    });
    let chips = view! {
        {maybe(row.current.then(|| view! { <span class="chip">{t!(locale, "points-current")}</span> }.into_any()))}
        {maybe((row.kind == PointKind::Safety).then(|| {
            view! { <span class="chip safety">{t!(locale, "points-safety")}</span> }.into_any()
        }))}
    };
    let state = passing(locale, row.state).map(|words| {
        let live = row.job.as_ref().filter(|job| job.state.is_live());
        let detail = live.map(|job| {
            view! { {progress::detail(locale, job)} {progress::acts(locale, frame, job)} }
                .into_any()
        });
        view! { <div class="state-cell">{status(Tone::Busy, words)} {maybe(detail)}</div> }
            .into_any()
    });
    let refused = row.refused.as_ref().map(|reason| {
        view! { <p class="note bad">{fault::sentence(locale, reason)}</p> }.into_any()
    });
    let acts =
        (frame.may_change() && row.state == PointState::Ready).then(|| acts(locale, instance, row));
    let more = others(locale, frame, instance, row);
    view! {
        <aside class="card details" aria-labelledby="point-name">
            <h2 id="point-name"><bdi>{name(locale, row.kind, &row.name)}</bdi></h2>
            <p class="chips">{chips.into_any()}</p>
            {maybe(state)}
            {maybe(description)}
            {facts(locale, row)}
            {maybe(refused)}
            {maybe(acts)}
            {more}
        </aside>
    }
    .into_any()
}

fn facts(locale: Locale, row: &PointView) -> AnyView {
    let fact = |label: String, value: AnyView| {
        view! { <div><dt>{label}</dt><dd>{value}</dd></div> }.into_any()
    };
    let when = |moment: Moment| {
        view! { <time datetime=format::machine(moment)>{format::date_time_sentence(locale, moment)}</time> }
            .into_any()
    };
    let count = row.disks.len() as u64;
    let disks: Vec<AnyView> = row
        .disks
        .iter()
        .map(|disk| {
            let size = format::bytes(locale, disk.size);
            view! { <small>{t!(locale, "point-disk", name = disk.name.as_str(), size = size)}</small> }
                .into_any()
        })
        .collect();
    let holds = view! {
        {t!(locale, "point-disks", count = count, count_text = format::count(locale, count))}
        {disks}
    };
    let by = row
        .by
        .clone()
        .unwrap_or_else(|| t!(locale, "activity-system"));
    // That it was stopped is said by the state of its disks.
    let running = row.running.then(|| {
        fact(
            t!(locale, "point-instance"),
            t!(locale, "point-running").into_any(),
        )
    });
    let coherence = row.consistency.map(|state| {
        fact(
            t!(locale, "point-coherence"),
            words::consistency(locale, state).into_any(),
        )
    });
    let stood_still = row.stood_still.map(|microseconds| {
        fact(
            t!(locale, "point-stood-still"),
            format::milliseconds(locale, microseconds).into_any(),
        )
    });
    let memory = row.memory.map(|size| {
        fact(
            t!(locale, "point-memory"),
            format::bytes(locale, size).into_any(),
        )
    });
    let hardware = configuration(locale, row.hardware.vcpus, row.hardware.memory);
    let machine = (!row.hardware.machine.is_empty()).then(|| {
        // The model is named; the features that are taken from it or added to it are for QEMU.
        let cpu = row.hardware.cpu.split(',').next().unwrap_or_default();
        let machine = format!("{}, {cpu}", row.hardware.machine);
        view! { <small>{machine}</small> }.into_any()
    });
    let expires = row
        .expires
        .map(|at| fact(t!(locale, "point-expires"), when(at)));
    let frees = bytes_or_unknown(locale, row.frees);
    view! {
        <dl>
            {fact(t!(locale, "point-created"), when(row.taken))}
            {fact(t!(locale, "point-by"), view! { <bdi>{by}</bdi> }.into_any())}
            {maybe(expires)}
            {fact(t!(locale, "point-holds"), holds.into_any())}
            {maybe(running)}
            {maybe(coherence)}
            {maybe(stood_still)}
            {maybe(memory)}
            {fact(t!(locale, "point-hardware"), view! { {hardware} {maybe(machine)} }.into_any())}
            {fact(t!(locale, "point-frees"), frees.into_any())}
        </dl>
    }
    .into_any()
}

fn acts(locale: Locale, instance: InstanceId, row: &PointView) -> AnyView {
    let here = links::points(instance, Some(row.id));
    let link = |class: &'static str, dialog: Dialog, words: String| {
        view! { <a class=class href=dialog.on(&here) data-noscroll="">{words}</a> }.into_any()
    };
    let safety = row.kind == PointKind::Safety;
    // Why not is said above.
    let back = if row.refused.is_some() {
        ().into_any()
    } else if safety {
        link(
            "button",
            Dialog::Undo(instance, row.id),
            t!(locale, "point-undo"),
        )
    } else {
        link(
            "button",
            Dialog::Rollback(instance, row.id),
            t!(locale, "point-restore"),
        )
    };
    let rename = (!safety).then(|| {
        link(
            "button small",
            Dialog::RenamePoint(instance, row.id),
            t!(locale, "point-rename"),
        )
    });
    let delete = link(
        "button small remove",
        Dialog::DeletePoint(instance, row.id),
        t!(locale, "act-delete"),
    );
    view! { <div class="point-acts">{back} <div class="acts">{maybe(rename)} {delete}</div></div> }
        .into_any()
}

/// What else can be done from the point; an act that is not possible says why.
fn others(locale: Locale, frame: &Frame, instance: InstanceId, row: &PointView) -> AnyView {
    let here = links::points(instance, Some(row.id));
    let reason = if !frame.may_change() {
        Some(Fault::NotAllowed)
    } else if row.state != PointState::Ready {
        Some(Fault::InUse {
            name: name(locale, row.kind, &row.name),
        })
    } else {
        None
    };
    let reason = reason.map(|reason| fault::sentence(locale, &reason));
    let act = |words: String, dialog: Dialog| {
        let here = here.clone();
        Entry::new(words, reason.clone(), move || dialog.on(&here))
    };
    let with = |words: String, other: Option<PointId>| {
        Entry::link(words, links::comparison(instance, other, Some(row.id)))
    };
    let mut items = vec![Entry::link(
        t!(locale, "point-compare-here"),
        links::comparison(instance, Some(row.id), None),
    )];
    if row.parent.is_some() {
        items.push(with(t!(locale, "point-compare-before"), row.parent));
    }
    items.push(
        act(
            t!(locale, "act-restore"),
            Dialog::VolumeFromPoint(instance, row.id),
        )
        .apart(),
    );
    items.push(act(
        t!(locale, "act-create-template"),
        Dialog::TemplateFromPoint(instance, row.id),
    ));
    items.push(
        act(
            t!(locale, "point-delete-branch"),
            Dialog::DeleteBranch(instance, row.id),
        )
        .danger()
        .apart(),
    );
    let label = t!(
        locale,
        "point-others-named",
        name = name(locale, row.kind, &row.name)
    );
    menu(
        "point-others".to_owned(),
        t!(locale, "point-others"),
        label,
        Size::Normal,
        entries(items),
    )
}
