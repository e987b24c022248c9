//! The server: settings, routes, cookies, headers, start and stop.
//!
//! Order of a start: settings, the data folder's lock, the port, the use cases (which open the pools and the archive and
//! take up what was under way), the zones' NBD sockets, the instances that an earlier server left running, then HTTP.
//! Order of a stop, on SIGTERM or Ctrl-C: HTTP takes no more requests and finishes those it has, long work pauses at its
//! last persisted step, instances are ended where that was asked for (else they run on, their disks waiting for the next
//! server), NBD drains, the pools close. A server that is killed instead loses nothing that it acknowledged; the next
//! start takes its work up again.

mod bucket;
pub mod command;
pub mod config;
mod csv;
pub mod data;
mod doors;
mod first;
mod health;
mod image;
mod kept;
mod keys;
mod kit;
mod live;
mod operators;
mod organization;
mod pages;
mod profile;
mod security;
mod session;
mod state;
mod store;
mod telemetry;
mod upload;

use crate::control::{self, Control};
use config::Settings;
use data::DataFolder;
use leptos::config::LeptosOptions;
use state::AppState;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long a stop waits for answers under way.
const STOP_WAITS: Duration = Duration::from_secs(20);

/// Why the server could not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting cannot be used.
    #[error(transparent)]
    Settings(#[from] config::Error),
    /// The data folder cannot be used.
    #[error(transparent)]
    Data(#[from] data::Error),
    /// What is kept cannot be opened.
    #[error("what is kept in the data folder cannot be opened")]
    Control(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The first organization could not be made.
    #[error("the first organization could not be made")]
    First(#[source] crate::domain::fault::Fault),
    /// The port cannot be listened on.
    #[error(
        "cannot listen on {address}; another program may use the port: name another one with --listen"
    )]
    Listen {
        /// What was asked for.
        address: SocketAddr,
        /// The system's own error.
        #[source]
        source: std::io::Error,
    },
    /// The system gave no threads or signals, or serving ended by itself.
    #[error("the server ended")]
    Io(#[from] std::io::Error),
}

/// Threads for work that blocks: more than there are connections to the catalog, for some wait for the object store. Each
/// leaves memory behind, so that the 512 of the runtime's own accord are too many.
const THREADS: usize = 64;

/// Serves until it is told to stop.
///
/// # Errors
/// [`Error`], before the first request is answered.
pub fn serve(flags: config::Flags) -> Result<(), Error> {
    let settings = Settings::load(flags)?;
    telemetry::start(settings.log);
    let folder = DataFolder::open(&settings.data)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("reprise-http")
        .max_blocking_threads(THREADS)
        .build()?;
    // Before anything is made: a first start that cannot serve must not have told its one-time password.
    let address = settings.listen;
    let listener = std::net::TcpListener::bind(address)
        .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
        .map_err(|source| Error::Listen { address, source })?;
    let control = Control::open(region(&settings, folder.path()))
        .map_err(|error| Error::Control(Box::new(error)))?;
    // First the disks, then what may start guests on them.
    let doors = doors::open(&control, folder.path());
    first::fill(&control, &settings).map_err(Error::First)?;
    let stop_guests = settings.stop_guests;
    let served = runtime.block_on(listen(listener, settings, control.clone()));
    tracing::info!("stopping");
    if stop_guests {
        control.stop_guests();
    }
    control.stop();
    drop(doors);
    runtime.shutdown_timeout(Duration::from_secs(5));
    tracing::info!("stopped");
    served
}

/// What the settings say of the region.
fn region(settings: &Settings, data: &Path) -> control::Settings {
    let zones = settings.zones.iter();
    control::Settings {
        data: data.to_owned(),
        archive: settings.archive.clone(),
        archive_rate: settings.archive_rate,
        region: settings.region.clone(),
        zones: zones
            .map(|zone| control::ZoneSettings {
                name: zone.name.clone(),
                limit: zone.limit,
            })
            .collect(),
        first: settings.first.clone(),
        workers: settings.workers,
        verify_days: settings.verify_days,
        fetch_wait: settings.fetch_wait,
    }
}

async fn listen(
    listener: std::net::TcpListener,
    settings: Settings,
    control: Control,
) -> Result<(), Error> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let address = listener.local_addr()?;
    if !settings.site.join("pkg").join("reprise.js").exists() {
        tracing::warn!(site = %settings.site.display(), "the browser half is not there: pages work, but without scripts");
    }
    let leptos = LeptosOptions::builder()
        .output_name("reprise")
        .site_root(settings.site.to_string_lossy().into_owned())
        .site_pkg_dir("pkg")
        .site_addr(address)
        .build();
    let stopping = CancellationToken::new();
    let state = AppState {
        control,
        settings: Arc::new(settings),
        leptos,
        stopping: stopping.clone(),
        kept: Arc::default(),
    };
    let router = pages::router(&state);
    let told = stopping.clone();
    tokio::spawn(async move {
        told_to_stop().await;
        told.cancel();
    });
    tracing::info!(%address, "listening");
    // The one line on standard output: scripts wait for it.
    println!("http://{address}");
    std::io::stdout().flush()?;
    // The router itself would be taken apart and put together again for each connection: half a megabyte each, and kept.
    let service = router.into_make_service();
    let serving =
        axum::serve(listener, service).with_graceful_shutdown(stopping.clone().cancelled_owned());
    tokio::select! {
        ended = serving.into_future() => ended?,
        () = async { stopping.cancelled().await; tokio::time::sleep(STOP_WAITS).await } => {
            tracing::warn!("some requests were still under way and were cut off");
        }
    }
    Ok(())
}

async fn told_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        tracing::error!("SIGTERM cannot be waited for; only Ctrl-C stops the server cleanly");
        let _ = tokio::signal::ctrl_c().await;
        return;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

#[cfg(test)]
mod tests;
