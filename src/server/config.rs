//! Settings: flags, then `REPRISE_…` variables, then the configuration file, then the defaults.

use super::store::StoreSettings;
use crate::archive::StoreConfig;
use crate::control::First;
use serde::Deserialize;
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The commented configuration file that `reprise config` prints.
pub const EXAMPLE: &str = include_str!("../../docs/reprise.toml");

/// What every command can be told of where things are, on the command line or by variables.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Place {
    /// Configuration file (TOML); `reprise config` prints a commented one
    #[arg(long, env = "REPRISE_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Data folder: everything that is kept lies under it
    #[arg(long, env = "REPRISE_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Where the object store is
    #[command(flatten)]
    pub archive: StoreSettings,
}

/// What `reprise serve` can be told as well.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Flags {
    /// Where things are
    #[command(flatten)]
    pub place: Place,
    /// Address and port to listen on
    #[arg(long, env = "REPRISE_LISTEN", value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// Folder of the browser half (pkg/) and of the public files
    #[arg(long, env = "REPRISE_SITE", value_name = "DIR")]
    pub site: Option<PathBuf>,
    /// Fill an empty data folder with two sample organizations and their volumes
    #[arg(long, env = "REPRISE_DEMO")]
    pub demo: bool,
    /// End the instances when the server ends; else they run on and the next server finds them again
    #[arg(long, env = "REPRISE_STOP_GUESTS")]
    pub stop_guests: bool,
}

impl From<Place> for Flags {
    fn from(place: Place) -> Self {
        Self {
            place,
            ..Self::default()
        }
    }
}

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration file cannot be read.
    #[error("the configuration file {path} cannot be read")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's own error.
        #[source]
        source: std::io::Error,
    },
    /// The configuration file says something that is not a setting.
    #[error("the configuration file {path} is not right")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Line, column and what was expected.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// A setting has a value that cannot be used.
    #[error("{setting}: {problem}")]
    Unusable {
        /// The setting's name in the file.
        setting: &'static str,
        /// What is wrong with its value, and what would be right.
        problem: String,
    },
}

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For a person at a terminal.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// The configuration file. An unknown key is an error: a misspelt setting that silently does nothing is worse.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    data: Option<PathBuf>,
    listen: Option<SocketAddr>,
    site: Option<PathBuf>,
    public_url: Option<String>,
    log: LogFormat,
    workers: Option<usize>,
    verify_days: Option<u32>,
    fetch_wait_seconds: Option<u64>,
    archive: StoreSettings,
    organization: OrganizationSettings,
    region: RegionSettings,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct OrganizationSettings {
    name: Option<String>,
    owner: Option<String>,
    time_zone: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RegionSettings {
    name: Option<String>,
    zones: Vec<ZoneFile>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct ZoneFile {
    name: String,
    limit_gib: Option<u64>,
}

/// A zone, as set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    /// Its name.
    pub name: String,
    /// The most that its pool may hold, in bytes; none: what the file system has.
    pub limit: Option<u64>,
}

/// All settings, checked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Everything that is kept lies under it.
    pub data: PathBuf,
    /// The region's object store; none: a folder in the data folder.
    pub archive: Option<StoreConfig>,
    /// The most that is written into it, in bytes a second.
    pub archive_rate: Option<NonZeroU64>,
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where the browser half and the public files are.
    pub site: PathBuf,
    /// The scheme and host that readers see, when a proxy stands in front; otherwise the request's own.
    pub public_url: Option<String>,
    /// How log lines look.
    pub log: LogFormat,
    /// Threads for long work.
    pub workers: usize,
    /// How many days a saved snapshot may go without being read again; none: for ever.
    pub verify_days: Option<u32>,
    /// How long a guest waits for data that is in the object store only while that is out of reach, before it gets an error.
    pub fetch_wait: Duration,
    /// Whether to fill an empty data folder with sample data.
    pub demo: bool,
    /// Whether instances end when the server ends.
    pub stop_guests: bool,
    /// First start: the organization's name.
    pub organization: String,
    /// First start: the Owner's address.
    pub owner: String,
    /// First start: the organization's time zone, a name of the tz database.
    pub time_zone: String,
    /// The region's name; none: the one it has.
    pub region: Option<String>,
    /// Its zones; none: those it has.
    pub zones: Vec<Zone>,
    /// What an empty data folder gets where nothing is named.
    pub first: First,
}

impl Settings {
    /// Reads the file that the flags name, if any, and checks everything.
    ///
    /// # Errors
    /// [`Error`], with the file and the setting that is wrong.
    pub fn load(flags: impl Into<Flags>) -> Result<Self, Error> {
        let flags = flags.into();
        let file = match &flags.place.config {
            Some(path) => read(path)?,
            None => File::default(),
        };
        let zones: Vec<Zone> = file
            .region
            .zones
            .into_iter()
            .map(checked_zone)
            .collect::<Result<_, _>>()?;
        let mut names: Vec<_> = zones.iter().map(|zone| zone.name.to_lowercase()).collect();
        names.sort();
        if names.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(unusable("region.zones", "two zones have the same name"));
        }
        let public_url = file
            .public_url
            .map(|url| url.trim_end_matches('/').to_owned());
        if let Some(url) = &public_url
            && !(url.starts_with("http://") || url.starts_with("https://"))
        {
            return Err(unusable(
                "public_url",
                "it must begin with http:// or https://",
            ));
        }
        let time_zone = file
            .organization
            .time_zone
            .unwrap_or_else(|| "America/Montreal".to_owned());
        if jiff::tz::TimeZone::get(&time_zone).is_err() {
            return Err(unusable(
                "organization.time_zone",
                "it must be a name such as America/Montreal or Europe/Paris",
            ));
        }
        let archive = flags.place.archive.or(file.archive);
        // In the demo the names are those of the sample region.
        let (region, names) = if flags.demo {
            ("Québec", ["Montréal", "Lévis"])
        } else {
            ("region-1", ["zone-1", "zone-2"])
        };
        Ok(Self {
            data: flags
                .place
                .data
                .or(file.data)
                .unwrap_or_else(|| PathBuf::from("reprise-data")),
            archive: archive.checked(&|name| std::env::var(name).ok())?,
            archive_rate: archive.rate(),
            listen: flags
                .listen
                .or(file.listen)
                .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 3000))),
            site: flags
                .site
                .or(file.site)
                .unwrap_or_else(|| PathBuf::from("target/site")),
            public_url,
            log: file.log,
            workers: file.workers.unwrap_or(3).clamp(1, 64),
            verify_days: Some(file.verify_days.unwrap_or(30)).filter(|days| *days > 0),
            fetch_wait: match file.fetch_wait_seconds.unwrap_or(300) {
                0 => Duration::MAX,
                seconds => Duration::from_secs(seconds),
            },
            demo: flags.demo,
            stop_guests: flags.stop_guests,
            organization: file
                .organization
                .name
                .unwrap_or_else(|| "Reprise".to_owned()),
            owner: file
                .organization
                .owner
                .unwrap_or_else(|| "owner@localhost".to_owned())
                .to_lowercase(),
            time_zone,
            region: file.region.name,
            zones,
            first: First {
                region: region.to_owned(),
                zones: names.map(str::to_owned).to_vec(),
            },
        })
    }
}

fn read(path: &Path) -> Result<File, Error> {
    let text = std::fs::read_to_string(path).map_err(|source| Error::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    toml::from_str(&text).map_err(|source| Error::Malformed {
        path: path.to_owned(),
        source: Box::new(source),
    })
}

fn checked_zone(zone: ZoneFile) -> Result<Zone, Error> {
    let name = crate::domain::name::checked_name(&zone.name)
        .map_err(|fault| unusable("region.zones.name", &fault.to_string()))?;
    let limit = match zone.limit_gib {
        None => None,
        Some(gib) => {
            let bytes = crate::domain::size::Bytes::from_gib(gib).filter(|bytes| bytes.0 > 0);
            Some(
                bytes
                    .ok_or_else(|| unusable("region.zones.limit_gib", "it must be at least 1"))?
                    .0,
            )
        }
    };
    Ok(Zone { name, limit })
}

pub(super) fn unusable(setting: &'static str, problem: &str) -> Error {
    Error::Unusable {
        setting,
        problem: problem.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str, mut flags: Flags) -> Result<Settings, Error> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("reprise.toml");
        std::fs::write(&path, text).expect("a file");
        flags.place.config = Some(path);
        Settings::load(flags)
    }

    #[test]
    fn the_commented_example_says_the_defaults() {
        let example = load(EXAMPLE, Flags::default()).expect("the example is a valid file");
        let nothing = Settings::load(Flags::default()).expect("no file is needed");
        assert_eq!(format!("{example:?}"), format!("{nothing:?}"));
        // The same with every setting uncommented.
        let uncommented: String = EXAMPLE
            .lines()
            .map(|line| format!("{}\n", line.strip_prefix("#: ").unwrap_or(line)))
            .collect();
        assert_ne!(uncommented, EXAMPLE);
        load(&uncommented, Flags::default()).expect("every setting that is shown exists");
    }

    #[test]
    fn flags_win_over_the_file_and_the_file_over_the_defaults() {
        let flags = Flags::from(Place {
            data: Some("from-flag".into()),
            ..Place::default()
        });
        let settings =
            load("data = 'from-file'\nlisten = '127.0.0.1:4000'", flags).expect("settings");
        assert_eq!(settings.data, PathBuf::from("from-flag"));
        assert_eq!(settings.listen.port(), 4000);
        assert_eq!(settings.first.zones.len(), 2);
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        for (text, named) in [
            ("lisen = '127.0.0.1:1'", "lisen"),
            (
                "[organization]\ntime_zone = 'Montreal'",
                "organization.time_zone",
            ),
            (
                "[[region.zones]]\nname = 'a'\n[[region.zones]]\nname = 'A'",
                "same name",
            ),
            ("[[region.zones]]\nname = 'a'\nlimit_gib = 0", "limit_gib"),
            ("public_url = 'reprise.example'", "public_url"),
        ] {
            let error = load(text, Flags::default()).expect_err(text);
            let chain = format!(
                "{error}: {}",
                std::error::Error::source(&error)
                    .map(ToString::to_string)
                    .unwrap_or_default()
            );
            assert!(chain.contains(named), "{chain}");
        }
    }
}
