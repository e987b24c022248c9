//! *Copie instantanée ou point de reprise ?*

use super::head;
use crate::i18n::t;
use crate::web::context::use_locale;
use leptos::prelude::*;

/// The page.
pub fn page() -> AnyView {
    let locale = use_locale();
    let compared = [
        (
            t!(locale, "help-compare-of"),
            t!(locale, "help-compare-of-snapshot"),
            t!(locale, "help-compare-of-point"),
        ),
        (
            t!(locale, "help-compare-memory"),
            t!(locale, "help-compare-memory-snapshot"),
            t!(locale, "help-compare-memory-point"),
        ),
        (
            t!(locale, "help-compare-where"),
            t!(locale, "help-compare-where-snapshot"),
            t!(locale, "help-compare-where-point"),
        ),
        (
            t!(locale, "help-compare-use"),
            t!(locale, "help-compare-use-snapshot"),
            t!(locale, "help-compare-use-point"),
        ),
    ];
    let compared: Vec<_> = compared
        .into_iter()
        .map(|(question, snapshot, point)| {
            view! {
                <tr>
                    <th scope="row">{question}</th>
                    <td>{snapshot}</td>
                    <td>{point}</td>
                </tr>
            }
        })
        .collect();
    view! {
        <article class="prose">
            {head(t!(locale, "help-title"), None, ().into_any())}
            <p class="lead">{t!(locale, "help-lead")}</p>
            <h2>{t!(locale, "help-compare-title")}</h2>
            <div class="card">
                <table class="in-short">
                    <caption class="unseen">{t!(locale, "help-compare-caption")}</caption>
                    <thead>
                        <tr>
                            <th scope="col"><span class="unseen">{t!(locale, "help-compare-question")}</span></th>
                            <th scope="col">{t!(locale, "help-compare-snapshot")}</th>
                            <th scope="col">{t!(locale, "help-compare-point")}</th>
                        </tr>
                    </thead>
                    <tbody>{compared}</tbody>
                </table>
            </div>
            <h2>{t!(locale, "help-snapshot-title")}</h2>
            <p>{t!(locale, "help-snapshot-what")}</p>
            <p>{t!(locale, "help-snapshot-when")}</p>
            <ul>
                <li>{t!(locale, "help-snapshot-when-1")}</li>
                <li>{t!(locale, "help-snapshot-when-2")}</li>
                <li>{t!(locale, "help-snapshot-when-3")}</li>
            </ul>
            <h3>{t!(locale, "help-snapshot-cost-title")}</h3>
            <p>{t!(locale, "help-snapshot-cost")}</p>
            <h3>{t!(locale, "help-not-title")}</h3>
            <ul>
                <li>{t!(locale, "help-not-memory")}</li>
                <li>{t!(locale, "help-not-disks")}</li>
                <li>{t!(locale, "help-not-settings")}</li>
                <li>{t!(locale, "help-not-backup")}</li>
            </ul>
            <h2>{t!(locale, "help-point-title")}</h2>
            <p>{t!(locale, "help-point-what")}</p>
            <p>{t!(locale, "help-point-when")}</p>
            <p class="note">{t!(locale, "help-point-memory")}</p>
            <p class="quiet">{t!(locale, "help-words")}</p>
        </article>
    }
    .into_any()
}
