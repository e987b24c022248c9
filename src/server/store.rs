//! The region's object store, as the settings and the environment name it.
//!
//! Secrets come from the environment or from a file that only its owner may read; never from the command line, which
//! every process of the machine can see, and never from the configuration file, which is shown to others. They are not
//! logged.

use super::config::{Error, Settings, unusable};
use crate::archive::{self, Archive, ArchiveOptions, Credentials, S3Config, StoreConfig};
use crate::control::{LOCK_PAUSE, LOCK_TRIES};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde::Deserialize;
use std::num::NonZeroU64;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The object store in the configuration file, and by flags and variables.
#[derive(Debug, Clone, Default, Deserialize, clap::Args)]
#[serde(default, deny_unknown_fields)]
pub struct StoreSettings {
    /// Object store: a bucket, s3://BUCKET[/PREFIX], or a folder. Default: archive/ in the data folder
    #[arg(long = "archive", env = "REPRISE_ARCHIVE", value_name = "STORE")]
    pub store: Option<String>,
    /// Address of the S3 service, https://HOST[:PORT]. Default: that of AWS in the region
    #[arg(long = "s3-endpoint", env = "REPRISE_S3_ENDPOINT", value_name = "URL")]
    pub endpoint: Option<String>,
    /// Region that requests are signed for (AWS_REGION counts as well). Default: us-east-1
    #[arg(long = "s3-region", env = "REPRISE_S3_REGION", value_name = "NAME")]
    pub region: Option<String>,
    /// File with aws_access_key_id and aws_secret_access_key; without it, the variables AWS_ACCESS_KEY_ID and
    /// AWS_SECRET_ACCESS_KEY
    #[arg(
        long = "s3-credentials",
        env = "REPRISE_S3_CREDENTIALS",
        value_name = "FILE"
    )]
    pub credentials: Option<PathBuf>,
    /// Name the bucket in the host (BUCKET.HOST) and not in the path
    #[arg(long = "s3-virtual-hosted", env = "REPRISE_S3_VIRTUAL_HOSTED")]
    pub virtual_hosted: bool,
    /// File with the certificates (PEM) of the authority that the S3 service's own is signed by; they are trusted beside
    /// the system's
    #[arg(long = "s3-ca", env = "REPRISE_S3_CA", value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// The most that is written into the object store, in MiB a second
    #[arg(
        long = "archive-rate",
        env = "REPRISE_ARCHIVE_RATE",
        value_name = "MIB"
    )]
    pub rate_mib: Option<NonZeroU64>,
}

impl StoreSettings {
    /// These, and what they do not say from `other`.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            store: self.store.or(other.store),
            endpoint: self.endpoint.or(other.endpoint),
            region: self.region.or(other.region),
            credentials: self.credentials.or(other.credentials),
            virtual_hosted: self.virtual_hosted || other.virtual_hosted,
            ca: self.ca.or(other.ca),
            rate_mib: self.rate_mib.or(other.rate_mib),
        }
    }

    /// The most that is written, in bytes a second.
    #[must_use]
    pub fn rate(&self) -> Option<NonZeroU64> {
        self.rate_mib
            .map(|mib| mib.saturating_mul(NonZeroU64::MIN.saturating_add((1 << 20) - 1)))
    }

    /// The store they name; none: the folder in the data folder. `variable` reads the environment.
    ///
    /// # Errors
    /// [`Error::Unusable`] with the setting, [`Error::Unreadable`] for the credentials.
    pub fn checked(
        &self,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Option<StoreConfig>, Error> {
        let Some(store) = &self.store else {
            if self.endpoint.is_some() || self.credentials.is_some() || self.ca.is_some() {
                return Err(unusable(
                    "archive.store",
                    "an S3 service is named, and no bucket: say s3://BUCKET or s3://BUCKET/PREFIX",
                ));
            }
            return Ok(None);
        };
        let Some(place) = store.strip_prefix("s3://") else {
            if store.contains("://") || store.is_empty() {
                return Err(unusable(
                    "archive.store",
                    "it must be s3://BUCKET, s3://BUCKET/PREFIX, or a folder",
                ));
            }
            return Ok(Some(StoreConfig::Folder(store.into())));
        };
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        if bucket.is_empty() || bucket.contains(|c: char| c.is_whitespace() || c == '@') {
            return Err(unusable("archive.store", "it names no bucket"));
        }
        let endpoint = self
            .endpoint
            .as_deref()
            .map(|url| url.trim_end_matches('/'));
        if let Some(url) = endpoint
            && !(url.starts_with("http://") || url.starts_with("https://"))
        {
            return Err(unusable(
                "archive.endpoint",
                "it must begin with http:// or https://",
            ));
        }
        let credentials = match &self.credentials {
            Some(file) => read_credentials(file)?,
            None => credentials(
                &|name| variable(&name.to_uppercase()),
                "name a file with archive.credentials, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            )?,
        };
        let region = self.region.clone();
        Ok(Some(StoreConfig::S3(S3Config {
            endpoint: endpoint.map(str::to_owned),
            bucket: bucket.to_owned(),
            prefix: prefix.trim_matches('/').to_owned(),
            region: region
                .or_else(|| variable("AWS_REGION"))
                .unwrap_or_else(|| "us-east-1".to_owned()),
            credentials,
            // Who writes http:// means it; what goes over it is encrypted all the same.
            allow_http: endpoint.is_some_and(|url| url.starts_with("http://")),
            virtual_hosted: self.virtual_hosted,
            authorities: match &self.ca {
                Some(file) => read_authorities(file)?,
                None => Vec::new(),
            },
        })))
    }
}

fn credentials(
    value: &dyn Fn(&str) -> Option<String>,
    otherwise: &str,
) -> Result<Credentials, Error> {
    let text = |name: &str| value(name).filter(|value| !value.is_empty());
    match (text("aws_access_key_id"), text("aws_secret_access_key")) {
        (Some(access_key), Some(secret_key)) => Ok(Credentials {
            access_key,
            secret_key,
            token: text("aws_session_token"),
        }),
        _ => Err(unusable("archive.credentials", otherwise)),
    }
}

/// Reads a file as the tools of AWS have it: `name = value` lines, of the section `[default]` if there are sections.
fn read_credentials(file: &Path) -> Result<Credentials, Error> {
    let unreadable = |source| Error::Unreadable {
        path: file.to_owned(),
        source,
    };
    let mode = std::fs::metadata(file)
        .map_err(unreadable)?
        .permissions()
        .mode();
    if mode & 0o077 != 0 {
        return Err(unusable(
            "archive.credentials",
            &format!("others may read {}: chmod 600 it", file.display()),
        ));
    }
    let text = std::fs::read_to_string(file).map_err(unreadable)?;
    let mut here = true;
    let mut found = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            here = section.trim_end_matches(']').trim() == "default";
        } else if let (true, Some((name, value))) = (here, line.split_once('=')) {
            found.push((name.trim().to_lowercase(), value.trim().to_owned()));
        }
    }
    let value = |name: &str| {
        let found = found.iter().find(|(found, _)| found == name);
        found.map(|(_, value)| value.clone())
    };
    credentials(
        &value,
        "the file must have aws_access_key_id and aws_secret_access_key",
    )
}

/// Reads the certificates to trust, and makes sure that they are some.
fn read_authorities(file: &Path) -> Result<Vec<u8>, Error> {
    let wrong = |problem: &str| unusable("archive.ca", &format!("{} {problem}", file.display()));
    let bytes = std::fs::read(file).map_err(|error| wrong(&format!("cannot be read: {error}")))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&bytes) {
        let certificate =
            certificate.map_err(|error| wrong(&format!("is not PEM as it should be: {error}")))?;
        roots
            .add(certificate)
            .map_err(|error| wrong(&format!("has something that is no certificate: {error}")))?;
    }
    if roots.is_empty() {
        return Err(wrong(
            "has no certificate: it must have some between BEGIN CERTIFICATE and END CERTIFICATE",
        ));
    }
    Ok(bytes)
}

/// Opens the store that the settings name, with the data folder's master key.
///
/// # Errors
/// What cannot be opened, and why.
pub fn open(settings: &Settings) -> Result<Archive, Box<dyn std::error::Error + Send + Sync>> {
    let store = match &settings.archive {
        Some(StoreConfig::Folder(folder)) if !folder.exists() => {
            return Err(format!("there is no {}", folder.display()).into());
        }
        Some(store) => store.clone(),
        None => StoreConfig::Folder(super::command::existing(settings, "archive")?),
    };
    let options = ArchiveOptions {
        upload_rate: settings.archive_rate,
        ..ArchiveOptions::of_keys(&settings.data.join("keys"))?
    };
    let mut tries = LOCK_TRIES;
    loop {
        match Archive::connect(&store, options.clone()) {
            Err(archive::Error::Locked { .. }) if tries > 0 => std::thread::sleep(LOCK_PAUSE),
            Err(error @ archive::Error::Locked { .. }) => {
                return Err(format!("{error}: stop the server first, then try again").into());
            }
            done => return Ok(done?),
        }
        tries -= 1;
    }
}

#[cfg(test)]
mod tests;
