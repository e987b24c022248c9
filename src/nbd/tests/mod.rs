//! The room's tests: the codec with any bytes, a scripted client for the protocol's corners, the life of connections,
//! and the real peers where they are installed.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod client;
mod device;
mod fence;
mod lifecycle;
mod negotiation;
mod peers;
mod requests;
mod speed;
mod wire;

use super::{Export, Exports, OpenError, Server, ServerOptions};
use crate::engine::block::BlockDevice;
use std::{path::PathBuf, sync::Arc, time::Duration};

/// Exports by a function of the name; `names` is what a list shows.
struct Shelf<F> {
    names: Vec<String>,
    open: F,
}

impl<F: Fn(&str) -> Option<Export> + Send + Sync> Exports for Shelf<F> {
    fn list(&self) -> Vec<String> {
        self.names.clone()
    }

    fn open(&self, name: &str) -> Result<Export, OpenError> {
        (self.open)(name).ok_or(OpenError::NotFound)
    }
}

/// A server on a socket in a folder of its own.
struct Stage {
    server: Server,
    socket: PathBuf,
    folder: tempfile::TempDir,
}

impl Stage {
    /// Serves the exports that `open` gives.
    fn with(names: &[&str], open: impl Fn(&str) -> Option<Export> + Send + Sync + 'static) -> Self {
        let options = ServerOptions {
            handshake: Duration::from_secs(60),
            farewell: Duration::from_millis(300),
            ..ServerOptions::default()
        };
        Self::tuned(options, names, open)
    }

    fn tuned(
        options: ServerOptions,
        names: &[&str],
        open: impl Fn(&str) -> Option<Export> + Send + Sync + 'static,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("nbd.sock");
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let server =
            Server::listen_with(&socket, Arc::new(Shelf { names, open }), options).unwrap();
        Self {
            server,
            socket,
            folder,
        }
    }

    /// Serves one disk under the name "disk".
    fn of(device: Arc<dyn BlockDevice>) -> Self {
        Self::with(&["disk"], move |name| {
            (name == "disk").then(|| Export {
                multi_conn: true,
                ..Export::new(Arc::clone(&device))
            })
        })
    }

    fn uri(&self, name: &str) -> String {
        format!("nbd+unix:///{name}?socket={}", self.socket.display())
    }
}
