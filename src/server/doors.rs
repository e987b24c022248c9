//! The zones' NBD sockets, under `run/` in the data folder.

use crate::control::Control;
use crate::nbd;
use std::path::Path;

/// The open sockets. Dropping them drains what is under way and closes them.
pub struct Doors {
    _servers: Vec<nbd::Server>,
}

/// Opens a socket for each zone whose pool is open, and writes `run/zones.json`: which socket is whose.
///
/// A socket that cannot be opened is said in the log and does not keep the console from serving. When all are open, the
/// guests that an earlier server left running are found again: their disks are behind these doors.
pub fn open(control: &Control, data: &Path) -> Doors {
    let run = data.join("run");
    let mut servers = Vec::new();
    let mut list = Vec::new();
    let mut open = Vec::new();
    for zone in control.zone_doors() {
        let id = zone.id.to_string();
        // The end of an id is random, its beginning is a time that zones made together share.
        let socket = run.join(format!("nbd-{}.sock", &id[id.len() - 8..]));
        match nbd::Server::listen(&socket, zone.exports) {
            Ok(server) => {
                servers.push(server);
                open.push((zone.id, socket.clone()));
                list.push(serde_json::json!({ "zone": id, "name": zone.name, "socket": socket }));
            }
            Err(error) => {
                tracing::error!(%error, zone = %zone.name, "the zone's NBD socket could not be opened")
            }
        }
    }
    if let Err(error) = std::fs::write(
        run.join("zones.json"),
        serde_json::Value::from(list).to_string(),
    ) {
        tracing::warn!(%error, "run/zones.json could not be written");
    }
    control.doors_open(open);
    Doors { _servers: servers }
}
