//! A test can end the process right after a step was written down, or right after its effect.

/// The process ends here if `REPRISE_STOP_AFTER` names this place: `<kind>:<step>` before the effect,
/// `<kind>:<step>:done` after it. No destructor runs and nothing is flushed, as if it had been killed.
#[cfg(test)]
pub(super) fn reach(kind: crate::domain::job::JobKind, step: &str, done: bool) {
    let Ok(wanted) = std::env::var("REPRISE_STOP_AFTER") else {
        return;
    };
    let kind = serde_json::to_value(kind).ok();
    let kind = kind
        .as_ref()
        .and_then(serde_json::Value::as_str)
        .unwrap_or_default();
    let place = format!("{kind}:{step}{}", if done { ":done" } else { "" });
    if place == wanted {
        use std::io::Write;
        let _ = writeln!(std::io::stderr(), "stopped after {place}");
        std::process::abort();
    }
}

/// Nothing, in every other build.
#[cfg(not(test))]
pub(super) const fn reach(_: crate::domain::job::JobKind, _: &str, _: bool) {}
