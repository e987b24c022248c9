//! Line icons on a grid of 24, drawn for this program. All are decoration: what they stand for is said in words.

use leptos::prelude::*;

fn drawn(path: &'static str) -> AnyView {
    view! {
        <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
            <path d=path></path>
        </svg>
    }
    .into_any()
}

/// A virtual machine: a screen.
pub fn instance() -> AnyView {
    drawn(
        "M3 5.5A1.5 1.5 0 0 1 4.5 4h15A1.5 1.5 0 0 1 21 5.5v9a1.5 1.5 0 0 1-1.5 1.5h-15A1.5 1.5 0 0 1 3 14.5zM8.5 20h7M12 16v4",
    )
}

/// Looking for something.
pub fn search() -> AnyView {
    drawn("M10.5 18a7.5 7.5 0 1 1 0-15 7.5 7.5 0 0 1 0 15zM21 21l-5.2-5.2")
}

/// The order of a column.
pub fn sort() -> AnyView {
    drawn("M8 9l4-4 4 4M8 15l4 4 4-4")
}

/// A virtual disk.
pub fn volume() -> AnyView {
    drawn(
        "M4 6c0-1.7 3.6-3 8-3s8 1.3 8 3-3.6 3-8 3-8-1.3-8-3zM4 6v12c0 1.7 3.6 3 8 3s8-1.3 8-3V6M4 12c0 1.7 3.6 3 8 3s8-1.3 8-3",
    )
}

/// What an installation stands on: two machines in a rack.
pub fn zones() -> AnyView {
    drawn("M4 4h16v6.5H4zM4 13.5h16V20H4zM7.5 7.2h.01M7.5 16.7h.01M12 7.2h4.5M12 16.7h4.5")
}

/// A volume snapshot.
pub fn snapshot() -> AnyView {
    drawn("M4 8h3l2-3h6l2 3h3v11H4zM15.4 13a3.4 3.4 0 1 1-6.8 0 3.4 3.4 0 0 1 6.8 0z")
}

/// A template.
pub fn template() -> AnyView {
    drawn("M12 4l8 4-8 4-8-4zM4 12l8 4 8-4M4 16l8 4 8-4")
}

/// A recovery point: a branch.
pub fn point() -> AnyView {
    drawn(
        "M9 5.5a2.5 2.5 0 1 1-5 0 2.5 2.5 0 0 1 5 0zM9 18.5a2.5 2.5 0 1 1-5 0 2.5 2.5 0 0 1 5 0zM20 9a2.5 2.5 0 1 1-5 0 2.5 2.5 0 0 1 5 0zM6.5 8v8M6.5 15c0-3.5 2.5-4 6-4.2 2-.1 3.5-.3 3.9-.9",
    )
}

/// The activity log.
pub fn activity() -> AnyView {
    drawn("M3 12h4l3-8 4 16 3-8h4")
}

/// Help.
pub fn help() -> AnyView {
    drawn(
        "M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0zM9.3 9.3a2.8 2.8 0 1 1 4.2 2.4c-1 .6-1.5 1.1-1.5 2.3M12 17.2v.1",
    )
}

/// A menu opens below.
pub fn chevron() -> AnyView {
    drawn("M7 10l5 5 5-5")
}

/// Close.
pub fn cross() -> AnyView {
    drawn("M6 6l12 12M18 6L6 18")
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
