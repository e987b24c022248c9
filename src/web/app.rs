//! The router: which address shows which page.

use super::frame::Surroundings;
use super::links;
use super::pages::{
    activity, help, instance, instances, missing, password, points, serial, sign_in, snapshots,
    templates, volumes,
};
use leptos::prelude::*;
use leptos_meta::provide_meta_context;
use leptos_router::components::{ParentRoute, Redirect, Route, Router, Routes};
use leptos_router::{SsrMode, path};

/// The first address leads to the first thing one comes for.
fn home() -> AnyView {
    view! { <Redirect path=links::INSTANCES/> }.into_any()
}

/// Every page.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    view! {
        <Router>
            <Routes fallback=missing::page>
                <Route path=path!("/") view=home ssr=SsrMode::Async/>
                <Route path=path!("/sign-in") view=sign_in::page ssr=SsrMode::Async/>
                <Route path=path!("/password") view=password::page ssr=SsrMode::Async/>
                <ParentRoute path=path!("") view=Surroundings ssr=SsrMode::Async>
                    <Route path=path!("/instances") view=instances::page ssr=SsrMode::Async/>
                    <ParentRoute path=path!("/instances/:id") view=instance::surroundings ssr=SsrMode::Async>
                        <Route path=path!("") view=instance::overview ssr=SsrMode::Async/>
                        <Route path=path!("/volumes") view=instance::volumes ssr=SsrMode::Async/>
                        <Route path=path!("/points/:point?") view=points::page ssr=SsrMode::Async/>
                        <Route path=path!("/serial") view=serial::page ssr=SsrMode::Async/>
                    </ParentRoute>
                    <Route path=path!("/volumes") view=volumes::page ssr=SsrMode::Async/>
                    <Route path=path!("/snapshots") view=snapshots::page ssr=SsrMode::Async/>
                    <Route path=path!("/templates") view=templates::page ssr=SsrMode::Async/>
                    <Route path=path!("/activity") view=activity::page ssr=SsrMode::Async/>
                    <Route path=path!("/help/snapshot-or-recovery-point") view=help::page ssr=SsrMode::Async/>
                </ParentRoute>
            </Routes>
        </Router>
    }
}
