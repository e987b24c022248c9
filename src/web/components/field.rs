//! A field of a form: label, hint and refusal belong to it for screen readers too.

use crate::domain::fault::Fault;
use crate::domain::locale::Locale;
use crate::domain::size::MAX_VOLUME_GIB;
use crate::i18n::{fault, format, t};
use crate::view::ZoneView;
use crate::web::context::{typed, was_chosen};
use crate::web::erased::{Mark, Memo, follow, mark, maybe, text as live_text};
use leptos::prelude::*;

/// The fields that a refusal can concern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// The name.
    Name,
    /// The zone.
    Zone,
    /// The size.
    Size,
    /// The file.
    File,
    /// The new password.
    Password,
    /// The passphrase of a recovery kit.
    Passphrase,
    /// The new password, or the passphrase, once more.
    Again,
    /// What its maker says about it.
    Description,
    /// The password that the member has.
    Current,
    /// The address of one who is invited.
    Email,
    /// What a member may do.
    Role,
    /// The time zone.
    TimeZone,
    /// The language.
    #[cfg(feature = "ssr")]
    Locale,
    /// The colours.
    #[cfg(feature = "ssr")]
    Theme,
    /// That one is sure.
    Sure,
}

impl Field {
    /// The field that the refusal concerns; none: the whole form.
    pub const fn of(fault: &Fault) -> Option<Self> {
        match fault {
            Fault::NameEmpty
            | Fault::NameTooLong { .. }
            | Fault::NameUnreadable
            | Fault::NameTaken { .. } => Some(Self::Name),
            Fault::PoolFull { .. } => Some(Self::Zone),
            Fault::SizeOutOfRange { .. } => Some(Self::Size),
            Fault::UploadCutOff
            | Fault::UploadMissing
            | Fault::NotADiskImage
            | Fault::ImageNotSelfContained
            | Fault::ImageTooLarge { .. } => Some(Self::File),
            Fault::PasswordTooShort { .. } => Some(Self::Password),
            Fault::PassphraseTooShort { .. } => Some(Self::Passphrase),
            Fault::PasswordsDiffer | Fault::PassphrasesDiffer => Some(Self::Again),
            Fault::TextTooLong { .. } => Some(Self::Description),
            Fault::WrongPassword => Some(Self::Current),
            Fault::AddressUnreadable | Fault::AddressNotFree => Some(Self::Email),
            Fault::OwnRole => Some(Self::Role),
            Fault::TimeZoneUnknown => Some(Self::TimeZone),
            Fault::NotConfirmed => Some(Self::Sure),
            _ => None,
        }
    }

    /// The name of the control, which is what the form sends.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Zone => "zone",
            Self::Size => "size_gib",
            Self::File => "file",
            Self::Password => "password",
            Self::Passphrase => "passphrase",
            Self::Again => "again",
            Self::Description => "description",
            Self::Current => "current",
            Self::Email => "email",
            Self::Role => "role",
            Self::TimeZone => "time_zone",
            #[cfg(feature = "ssr")]
            Self::Locale => "locale",
            #[cfg(feature = "ssr")]
            Self::Theme => "theme",
            Self::Sure => "sure",
        }
    }

    /// The ids of what describes the control: its hint, its refusal.
    fn notes(self) -> [String; 2] {
        ["hint", "error"].map(|kind| format!("{kind}-{}", self.name()))
    }

    /// The same as one value.
    pub fn described_by(self) -> String {
        self.notes().join(" ")
    }
}

/// The refusal of a form's last try, if any.
pub type Refusal = Memo<Option<Fault>>;

/// `aria-invalid` of a control.
pub fn invalid(field: Field, refusal: Refusal) -> Mark {
    mark(move || {
        refusal.with(|fault| (fault.as_ref().and_then(Field::of) == Some(field)).then_some("true"))
    })
}

/// Hint and refusal under a control. Both are always in the page, so that what is described stays described.
pub fn notes(locale: Locale, field: Field, hint: Option<String>, refusal: Refusal) -> AnyView {
    let [hint_id, error_id] = field.notes();
    view! {
        <small class="hint" id=hint_id>{hint.unwrap_or_default()}</small>
        <small class="refusal" id=error_id>
            {live_text(move || {
                refusal.with(|fault| {
                    let own = fault.as_ref().filter(|fault| Field::of(fault) == Some(field));
                    own.map(|fault| fault::sentence(locale, fault)).unwrap_or_default()
                })
            })}
        </small>
    }
    .into_any()
}

/// A refusal that concerns the whole form.
pub fn form_refusal(locale: Locale, refusal: Refusal) -> AnyView {
    view! {
        <div class="refusals" role="alert">
            {follow(move || {
                refusal.with(|fault| {
                    let whole = fault.as_ref().filter(|fault| Field::of(fault).is_none());
                    maybe(whole.map(|fault| view! { <p class="note bad">{fault::sentence(locale, fault)}</p> }.into_any()))
                })
            })}
        </div>
    }
    .into_any()
}

/// A line of text.
pub fn text(
    locale: Locale,
    label: String,
    hint: Option<String>,
    value: String,
    required: bool,
    refusal: Refusal,
) -> AnyView {
    let field = Field::Name;
    let value = typed(field.name(), value);
    let optional = maybe(
        (!required)
            .then(|| view! { <i>{format!("({})", t!(locale, "dialog-optional"))}</i> }.into_any()),
    );
    view! {
        <div class="field">
            <label for="field-name">{label} " " {optional}</label>
            <input
                type="text"
                id="field-name"
                name=field.name()
                value=value
                required=required
                maxlength="100"
                autocomplete="off"
                dir="auto"
                aria-describedby=field.described_by()
                aria-invalid=invalid(field, refusal)
            />
            {notes(locale, field, hint, refusal)}
        </div>
    }
    .into_any()
}

/// Some lines on what something is for.
pub fn description(locale: Locale, value: String, refusal: Refusal) -> AnyView {
    let field = Field::Description;
    let value = typed(field.name(), value);
    // As a child it would be written as it is, for the framework escapes nothing in this element.
    let written = markup(&value);
    view! {
        <div class="field">
            <label for="field-description">
                {t!(locale, "field-description")} " " <i>{format!("({})", t!(locale, "dialog-optional"))}</i>
            </label>
            <textarea
                id="field-description"
                name=field.name()
                rows="2"
                maxlength="500"
                dir="auto"
                aria-describedby=field.described_by()
                aria-invalid=invalid(field, refusal)
                inner_html=written
            ></textarea>
            {notes(locale, field, None, refusal)}
        </div>
    }
    .into_any()
}

/// A tick that is off, with what it means.
pub fn tick(name: &'static str, possible: bool, label: String, hint: String) -> AnyView {
    view! {
        <label class="tick safety">
            <input type="checkbox" name=name value="true" disabled=!possible checked=was_chosen(name, "true", false)/>
            <span>{label} <small>{hint}</small></span>
        </label>
    }
    .into_any()
}

/// One of a field's choices.
pub fn option(field: &'static str, value: String, words: String) -> AnyView {
    let chosen = was_chosen(field, &value, false);
    view! { <option value=value selected=chosen>{words}</option> }.into_any()
}

/// Text as it stands in markup.
pub fn markup(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// The choice of a zone, with what is free in each.
pub fn zone(locale: Locale, zones: &[ZoneView], refusal: Refusal) -> AnyView {
    let field = Field::Zone;
    let options: Vec<_> = zones
        .iter()
        .map(|zone| {
            let free = format::bytes(locale, zone.free);
            let words = t!(
                locale,
                "field-zone-option",
                zone = zone.name.as_str(),
                free = free
            );
            option(field.name(), zone.id.to_string(), words)
        })
        .collect();
    view! {
        <div class="field">
            <label for="field-zone">{t!(locale, "field-zone")}</label>
            <select
                id="field-zone"
                name=field.name()
                required
                aria-describedby=field.described_by()
                aria-invalid=invalid(field, refusal)
            >
                {options}
            </select>
            {notes(locale, field, None, refusal)}
        </div>
    }
    .into_any()
}

/// A size in GiB.
pub fn size(locale: Locale, refusal: Refusal) -> AnyView {
    let field = Field::Size;
    let (min, max) = (crate::domain::size::MIN_VOLUME_GIB, MAX_VOLUME_GIB);
    let hint = t!(
        locale,
        "create-volume-size-hint",
        min = format::count(locale, min),
        max = format::count(locale, max)
    );
    view! {
        <div class="field">
            <label for="field-size">{t!(locale, "create-volume-size")}</label>
            <input
                type="number"
                id="field-size"
                name=field.name()
                min=min.to_string()
                max=max.to_string()
                step="1"
                value=typed(field.name(), "10".to_owned())
                required
                inputmode="numeric"
                aria-describedby=field.described_by()
                aria-invalid=invalid(field, refusal)
            />
            {notes(locale, field, Some(hint), refusal)}
        </div>
    }
    .into_any()
}

/// A file.
pub fn file(locale: Locale, label: String, refusal: Refusal) -> AnyView {
    let field = Field::File;
    view! {
        <div class="field">
            <label for="field-file">{label}</label>
            <input
                type="file"
                id="field-file"
                name=field.name()
                required
                aria-describedby=field.described_by()
                aria-invalid=invalid(field, refusal)
            />
            {notes(locale, field, None, refusal)}
        </div>
    }
    .into_any()
}
