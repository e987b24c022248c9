//! The router: which address shows which page.

use super::frame::Surroundings;
use super::pages::{
    activity, instance, instances, missing, overview, points, serial, snapshot, snapshots,
    templates, volume, volumes,
};
#[cfg(feature = "ssr")]
use super::pages::{
    help, home, join, kit, member, organization, password, profile, search, sign_in, tasks, zones,
};
use super::written::written;
use leptos::prelude::*;
use leptos_meta::provide_meta_context;
use leptos_router::components::{ParentRoute, Route, Router, Routes};
use leptos_router::{SsrMode, path};

/// A page by its address in the program: routes to functions of one type are compiled once.
const fn by(page: fn() -> AnyView) -> fn() -> AnyView {
    page
}

/// Every page.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    view! {
        <Router>
            <Routes fallback=missing::page>
                <Route path=path!("/sign-in") view=written!(sign_in::page) ssr=SsrMode::Async/>
                <Route path=path!("/password") view=written!(password::page) ssr=SsrMode::Async/>
                <Route path=path!("/join/:token") view=written!(join::page) ssr=SsrMode::Async/>
                <ParentRoute path=path!("") view=Surroundings ssr=SsrMode::Async>
                    <Route path=path!("/") view=written!(home::page) ssr=SsrMode::Async/>
                    <Route path=path!("/instances") view=by(instances::page) ssr=SsrMode::Async/>
                    <ParentRoute path=path!("/instances/:id") view=by(instance::surroundings) ssr=SsrMode::Async>
                        <Route path=path!("") view=by(overview::page) ssr=SsrMode::Async/>
                        <Route path=path!("/volumes") view=by(instance::volumes) ssr=SsrMode::Async/>
                        <Route path=path!("/points/compare") view=written!(points::compare::page) ssr=SsrMode::Async/>
                        <Route path=path!("/points/:point?") view=by(points::page) ssr=SsrMode::Async/>
                        <Route path=path!("/activity") view=by(instance::activity) ssr=SsrMode::Async/>
                        <Route path=path!("/serial") view=by(serial::page) ssr=SsrMode::Async/>
                    </ParentRoute>
                    <Route path=path!("/volumes") view=by(volumes::page) ssr=SsrMode::Async/>
                    <Route path=path!("/volumes/:id") view=by(volume::page) ssr=SsrMode::Async/>
                    <Route path=path!("/snapshots") view=by(snapshots::page) ssr=SsrMode::Async/>
                    <Route path=path!("/snapshots/:id") view=by(snapshot::page) ssr=SsrMode::Async/>
                    <Route path=path!("/templates") view=by(templates::page) ssr=SsrMode::Async/>
                    <Route path=path!("/activity") view=by(activity::page) ssr=SsrMode::Async/>
                    <Route path=path!("/search") view=written!(search::page) ssr=SsrMode::Async/>
                    <Route path=path!("/tasks") view=written!(tasks::page) ssr=SsrMode::Async/>
                    <Route path=path!("/zones") view=written!(zones::page) ssr=SsrMode::Async/>
                    <Route path=path!("/profile") view=written!(profile::page) ssr=SsrMode::Async/>
                    <Route path=path!("/organization") view=written!(organization::page) ssr=SsrMode::Async/>
                    <Route path=path!("/organization/members/:member") view=written!(member::page) ssr=SsrMode::Async/>
                    <Route path=path!("/kit") view=written!(kit::page) ssr=SsrMode::Async/>
                    <Route path=path!("/help/snapshot-or-recovery-point") view=written!(help::page) ssr=SsrMode::Async/>
                </ParentRoute>
            </Routes>
        </Router>
    }
}
