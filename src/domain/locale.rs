//! The language of a page. Which ones there are is read from `locales/` when Reprise is built (`src/build.rs`).

use serde::{Deserialize, Serialize};

include!(concat!(env!("OUT_DIR"), "/languages.rs"));

impl Locale {
    /// The tag for `lang` attributes and `Content-Language`.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        self.known().1
    }

    /// The short code: the folder under `locales/`, the value of the cookie.
    #[must_use]
    pub const fn code(self) -> &'static str {
        self.known().0
    }

    /// What the language is called in itself.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.known().2
    }

    /// The language that a tag such as `fr`, `fr-CA` or `en_US` names.
    #[must_use]
    pub fn from_tag(tag: &str) -> Option<Self> {
        let primary = tag.split(['-', '_']).next().unwrap_or_default();
        #[cfg(test)]
        if primary == Self::Qps.code() {
            return Some(Self::Qps);
        }
        let mut all = Self::ALL.iter().copied();
        all.find(|locale| primary.eq_ignore_ascii_case(locale.code()))
    }

    /// The language for a request: the reader's own choice (cookie), then the browser's (`Accept-Language`, by its
    /// weights, RFC 9110 section 12.5.4), then French.
    #[must_use]
    pub fn negotiate(cookie: Option<&str>, accept_language: Option<&str>) -> Self {
        if let Some(chosen) = cookie.and_then(Self::from_tag) {
            return chosen;
        }
        let mut best: Option<(f32, Self)> = None;
        for item in accept_language.unwrap_or_default().split(',') {
            let mut parts = item.trim().split(';');
            let Some(locale) = parts.next().map(str::trim).and_then(Self::from_tag) else {
                continue;
            };
            let weight = parts
                .find_map(|part| part.trim().strip_prefix("q="))
                .map_or(1.0, |q| q.trim().parse::<f32>().unwrap_or(0.0));
            // Of equal weights the first stands, so only a greater one replaces it.
            if weight > 0.0 && best.is_none_or(|(found, _)| weight > found) {
                best = Some((weight, locale));
            }
        }
        best.map_or_else(Self::default, |(_, locale)| locale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookie_then_browser_then_french() {
        let negotiate = Locale::negotiate;
        assert_eq!(negotiate(Some("en"), Some("fr")), Locale::En);
        assert_eq!(negotiate(Some("xx"), Some("en-GB,fr;q=0.9")), Locale::En);
        assert_eq!(
            negotiate(None, Some("de, en;q=0.3, fr-FR;q=0.8")),
            Locale::Fr
        );
        assert_eq!(negotiate(None, Some("en;q=0, de")), Locale::Fr);
        assert_eq!(negotiate(None, Some("en;q=rubbish, ,;;")), Locale::Fr);
        assert_eq!(negotiate(None, None), Locale::Fr);
    }
}
