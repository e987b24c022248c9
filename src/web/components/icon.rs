//! Line icons on a grid of 24: Lucide’s (ISC; `public/LICENSE-Lucide.txt`), each as one path; the mark is our own. All are
//! decoration: what they stand for is said in words.

use leptos::prelude::*;

fn drawn(path: &'static str) -> AnyView {
    view! {
        <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
            <path d=path></path>
        </svg>
    }
    .into_any()
}

/// The first page.
pub fn home() -> AnyView {
    drawn(
        "M15 21v-8a1 1 0 0 0-1-1h-4a1 1 0 0 0-1 1v8M3 10a2 2 0 0 1 .709-1.528l7-6a2 2 0 0 1 2.582 0l7 6A2 2 0 0 1 21 10v9a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2z",
    )
}

/// A virtual machine: a screen.
pub fn instance() -> AnyView {
    drawn(
        "M4 3h16a2 2 0 0 1 2 2v10a2 2 0 0 1 -2 2h-16a2 2 0 0 1 -2 -2v-10a2 2 0 0 1 2 -2zM8 21L16 21M12 17L12 21",
    )
}

/// Looking for something.
pub fn search() -> AnyView {
    drawn("M21 21l-4.34-4.34M3 11a8 8 0 1 0 16 0a8 8 0 1 0 -16 0z")
}

/// The order of a column.
pub fn sort() -> AnyView {
    drawn("M7 15l5 5 5-5M7 9l5-5 5 5")
}

/// A virtual disk.
pub fn volume() -> AnyView {
    drawn("M3 5a9 3 0 1 0 18 0a9 3 0 1 0 -18 0zM3 5V19A9 3 0 0 0 21 19V5M3 12A9 3 0 0 0 21 12")
}

/// What an installation stands on: two machines in a rack.
pub fn zones() -> AnyView {
    drawn("M4 4h16v6.5H4zM4 13.5h16V20H4zM7.5 7.2h.01M7.5 16.7h.01M12 7.2h4.5M12 16.7h4.5")
}

/// A volume snapshot.
pub fn snapshot() -> AnyView {
    drawn(
        "M13.997 4a2 2 0 0 1 1.76 1.05l.486.9A2 2 0 0 0 18.003 7H20a2 2 0 0 1 2 2v9a2 2 0 0 1-2 2H4a2 2 0 0 1-2-2V9a2 2 0 0 1 2-2h1.997a2 2 0 0 0 1.759-1.048l.489-.904A2 2 0 0 1 10.004 4zM9 13a3 3 0 1 0 6 0a3 3 0 1 0 -6 0z",
    )
}

/// A template.
pub fn template() -> AnyView {
    drawn(
        "M12.83 2.18a2 2 0 0 0-1.66 0L2.6 6.08a1 1 0 0 0 0 1.83l8.58 3.91a2 2 0 0 0 1.66 0l8.58-3.9a1 1 0 0 0 0-1.83zM2 12a1 1 0 0 0 .58.91l8.6 3.91a2 2 0 0 0 1.65 0l8.58-3.9A1 1 0 0 0 22 12M2 17a1 1 0 0 0 .58.91l8.6 3.91a2 2 0 0 0 1.65 0l8.58-3.9A1 1 0 0 0 22 17",
    )
}

/// A recovery point: a branch.
pub fn point() -> AnyView {
    drawn(
        "M15 6a9 9 0 0 0-9 9V3M15 6a3 3 0 1 0 6 0a3 3 0 1 0 -6 0zM3 18a3 3 0 1 0 6 0a3 3 0 1 0 -6 0z",
    )
}

/// The activity log.
pub fn activity() -> AnyView {
    drawn(
        "M22 12h-2.48a2 2 0 0 0-1.93 1.46l-2.35 8.36a.25.25 0 0 1-.48 0L9.24 2.18a.25.25 0 0 0-.48 0l-2.35 8.36A2 2 0 0 1 4.49 12H2",
    )
}

/// Help.
pub fn help() -> AnyView {
    drawn("M2 12a10 10 0 1 0 20 0a10 10 0 1 0 -20 0zM9.09 9a3 3 0 0 1 5.83 1c0 2-3 3-3 3M12 17h.01")
}

/// A menu opens below.
pub fn chevron() -> AnyView {
    drawn("M6 9l6 6 6-6")
}

/// Close.
pub fn cross() -> AnyView {
    drawn("M18 6 6 18M6 6l12 12")
}

/// The menu of the pages, where there is no room for the rail.
pub fn menu() -> AnyView {
    drawn("M4 5h16M4 12h16M4 19h16")
}

/// The mark: the repeat sign of a score, which musicians call *reprise*.
pub fn mark() -> AnyView {
    view! {
        <svg class="mark" viewBox="0 0 28 28" aria-hidden="true" focusable="false">
            <rect class="here" x="4" y="3" width="5" height="22" rx="1"></rect>
            <rect x="12" y="3" width="2" height="22" rx="1"></rect>
            <circle cx="20" cy="10.5" r="2.4"></circle>
            <circle cx="20" cy="17.5" r="2.4"></circle>
        </svg>
    }
    .into_any()
}
