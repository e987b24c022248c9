//! Where the archive is: what the settings say.

use super::s3::S3Config;
use std::path::PathBuf;

/// An object store, as set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreConfig {
    /// A folder of this machine, for one process at a time.
    Folder(PathBuf),
    /// A bucket, for any number of processes.
    S3(S3Config),
}
