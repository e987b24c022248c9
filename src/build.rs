//! Run before the compiler: which languages there are. A folder of `locales/` is one; the first line of its messages says
//! its tag and its own name: `### fr-CA Français`. Nothing else has to know of a new one.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

/// What a reader gets who asks for none of them. It is also the first one to choose from.
const DEFAULT: &str = "fr";

fn main() {
    println!("cargo::rerun-if-changed=locales");
    println!("cargo::rerun-if-changed=src/build.rs");
    let mut languages = Vec::new();
    for entry in fs::read_dir("locales").expect("locales") {
        let folder = entry.expect("a language").path();
        let messages = fs::read_to_string(folder.join("reprise.ftl")).expect("messages");
        let first = messages.lines().next().unwrap_or_default();
        let named = first
            .strip_prefix("### ")
            .and_then(|line| line.split_once(' '));
        let (tag, name) = named.expect("a first line with the tag and the name of the language");
        let code = folder
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        languages.push((code, tag.to_owned(), name.to_owned()));
    }
    languages.sort_by_key(|(code, ..)| (code != DEFAULT, code.clone()));
    let mut variants = String::new();
    let mut rows = String::new();
    let mut all = String::new();
    for (code, tag, name) in &languages {
        let (head, rest) = code.split_at(1);
        let variant = format!("{}{}", head.to_uppercase(), rest.replace('-', "_"));
        let default = if code == DEFAULT { "#[default]\n" } else { "" };
        writeln!(variants, "/// {name}.\n{default}{variant},").expect("text");
        writeln!(rows, "Self::{variant} => ({code:?}, {tag:?}, {name:?}),").expect("text");
        write!(all, "Self::{variant}, ").expect("text");
    }
    // Every `match` on a language stands here, so that a new one is new here alone.
    let source = format!(
        "/// A language that Reprise speaks: a folder under `locales/`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = \"kebab-case\")]
pub enum Locale {{
{variants}/// English with other letters, longer: no one’s language. What a page shows in plain letters is in no messages.
#[cfg(test)]
Qps,
}}

impl Locale {{
/// Every language, in the order of the switch.
pub const ALL: &'static [Self] = &[{all}];

/// The folder, the tag, the language’s own name.
const fn known(self) -> (&'static str, &'static str, &'static str) {{
match self {{
{rows}#[cfg(test)]
Self::Qps => (\"qps\", \"qps-ploc\", \"[Þš]\"),
}}
}}
}}
"
    );
    let out = env::var_os("OUT_DIR").expect("cargo says where");
    fs::write(Path::new(&out).join("languages.rs"), source).expect("written");
}
