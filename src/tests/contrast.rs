//! The colours of `style/00-tokens.css`, paired as the pages pair them, in light and in dark (WCAG 2.2, 1.4.3 and 1.4.11).

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Text, and the grounds it stands on: at least 4.5:1.
const TEXT: &[(&str, &[&str])] = &[
    (
        "ink",
        &[
            "ground",
            "surface",
            "sunk",
            "hover",
            "accent-soft",
            "warn-soft",
        ],
    ),
    (
        "muted",
        &["ground", "surface", "sunk", "hover", "accent-soft"],
    ),
    (
        "accent",
        &["ground", "surface", "sunk", "hover", "accent-soft"],
    ),
    (
        "accent-strong",
        &["ground", "surface", "sunk", "hover", "accent-soft"],
    ),
    ("accent-ink", &["accent", "accent-strong"]),
    ("good", &["surface", "good-soft"]),
    (
        "bad",
        &["surface", "hover", "sunk", "bad-soft", "accent-soft"],
    ),
    ("bad-ink", &["bad", "bad-strong"]),
    ("warn", &["surface", "warn-soft"]),
    ("here-ink", &["here"]),
    ("rail-ink", &["rail", "rail-active"]),
    ("rail-strong", &["rail", "rail-active"]),
    ("rail-muted", &["rail"]),
];

/// Edges of controls, lanes, states, focus, and what they stand on: at least 3:1.
const EDGES: &[(&str, &[&str])] = &[
    (
        "edge",
        &["ground", "surface", "sunk", "hover", "accent-soft"],
    ),
    (
        "accent",
        &[
            "ground",
            "surface",
            "sunk",
            "hover",
            "accent-soft",
            "warn-soft",
            "bad-soft",
        ],
    ),
    ("ink", &["surface"]),
    ("good", &["ground", "surface", "hover", "accent-soft"]),
    ("bad", &["ground", "surface", "hover", "accent-soft"]),
    ("warn", &["ground", "surface", "hover"]),
    ("here", &["rail", "rail-active"]),
    ("rail-muted", &["rail"]),
];

type Colour = [f64; 3];

/// What a token's value is in the light (0) and in the dark (1), if it is an opaque colour.
fn value(text: &str, theme: usize) -> Option<Colour> {
    let one = match text.strip_prefix("light-dark(") {
        Some(both) => both.strip_suffix(')')?.split(", ").nth(theme)?,
        None => text,
    };
    let hex = one.strip_prefix('#')?;
    let digits: Vec<u32> = hex
        .chars()
        .map(|digit| digit.to_digit(16))
        .collect::<Option<_>>()?;
    let [r, g, b] = match digits[..] {
        [r, g, b] => [r * 17, g * 17, b * 17],
        [r1, r0, g1, g0, b1, b0] => [r1 * 16 + r0, g1 * 16 + g0, b1 * 16 + b0],
        _ => return None,
    };
    Some([r, g, b].map(|part| f64::from(part) / 255.0))
}

fn tokens(theme: usize) -> BTreeMap<String, Colour> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("style/00-tokens.css");
    let style = fs::read_to_string(path).expect("the tokens");
    let pairs = style.lines().filter_map(|line| {
        let (name, rest) = line.trim().strip_prefix("--")?.split_once(": ")?;
        Some((name.to_owned(), value(rest.strip_suffix(';')?, theme)?))
    });
    pairs.collect()
}

fn luminance(colour: Colour) -> f64 {
    let [r, g, b] = colour.map(|part| {
        if part <= 0.040_45 {
            part / 12.92
        } else {
            ((part + 0.055) / 1.055).powf(2.4)
        }
    });
    0.2126 * r + 0.7152 * g + 0.0722 * b
}

fn contrast(one: Colour, other: Colour) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[test]
fn text_and_edges_stand_out_in_light_and_in_dark() {
    let mut faint = Vec::new();
    for (theme, name) in ["light", "dark"].into_iter().enumerate() {
        let tokens = tokens(theme);
        let colour = |name: &str| {
            *tokens
                .get(name)
                .unwrap_or_else(|| panic!("no colour --{name}"))
        };
        for (pairs, least) in [(TEXT, 4.5), (EDGES, 3.0)] {
            for (above, grounds) in pairs {
                for ground in *grounds {
                    let found = contrast(colour(above), colour(ground));
                    if found < least {
                        faint.push(format!(
                            "{name}: {above} on {ground}: {found:.2} of {least}"
                        ));
                    }
                }
            }
        }
    }
    assert!(faint.is_empty(), "{faint:#?}");
}

#[test]
fn the_contrast_is_that_of_the_standard() {
    let colour = |text| value(text, 0).expect("a colour");
    assert!((contrast(colour("#fff"), colour("#000000")) - 21.0).abs() < 0.001);
    assert!((contrast(colour("#777"), colour("#fff")) - 4.48).abs() < 0.005);
    assert_eq!(value("light-dark(#fff, #000)", 1), value("#000", 0));
}

/// A colour that is written anywhere else would have one value for both themes, and would be in none of the pairs above.
#[test]
fn every_colour_is_a_token() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("style");
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the style") {
        let path = entry.expect("a file").path();
        if path.ends_with("00-tokens.css") {
            continue;
        }
        let style = fs::read_to_string(&path).expect("a style");
        let hex = |line: &str| {
            let mut parts = line.split('#').skip(1);
            parts.any(|part| {
                part.chars().take_while(char::is_ascii_hexdigit).count() >= 3 && line.contains(": ")
            })
        };
        let own = |line: &&str| {
            ["rgb(", "hsl(", "oklch("]
                .iter()
                .any(|way| line.contains(way))
                || hex(line)
        };
        let lines = style
            .lines()
            .filter(own)
            .map(|line| format!("{}: {line}", path.display()));
        found.extend(lines);
    }
    assert!(found.is_empty(), "{found:#?}");
}
