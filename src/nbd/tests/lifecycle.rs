//! Sockets, connections, and their ends.

use super::{
    Shelf, Stage,
    client::{Answer, Client, FLAGS},
    device::{Call, Log, MemoryDevice},
};
use crate::nbd::{
    Export, Exports, OpenError, Server, ServerOptions,
    error::ListenError,
    wire::{command, option},
};
use std::{
    fs,
    io::{ErrorKind, Write},
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        net::{UnixListener, UnixStream},
    },
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

const SIZE: u64 = 1 << 20;

fn nothing() -> Arc<Shelf<impl Fn(&str) -> Option<Export> + Send + Sync>> {
    Arc::new(Shelf {
        names: vec![],
        open: |_: &str| None,
    })
}

/// A server whose device is made at each opening, gate closed; the test sees the newest one, without holding it.
fn gated() -> (
    Stage,
    Arc<Mutex<Option<std::sync::Weak<MemoryDevice>>>>,
    Log,
) {
    let (newest, log) = (Arc::new(Mutex::new(None)), Log::default());
    let (shown, shared) = (Arc::clone(&newest), Arc::clone(&log));
    let stage = Stage::with(&[], move |_| {
        let mut device = MemoryDevice::new(SIZE);
        device.log = Arc::clone(&shared);
        device.close_gate();
        let device = Arc::new(device);
        *shown.lock().unwrap() = Some(Arc::downgrade(&device));
        Some(Export::new(device))
    });
    (stage, newest, log)
}

#[test]
fn the_socket_is_its_owners_alone() {
    let stage = Stage::with(&[], |_| None);
    let made = fs::symlink_metadata(&stage.socket).unwrap();
    assert_eq!(made.permissions().mode() & 0o777, 0o600);
    stage.server.shutdown();
    assert!(!stage.socket.exists());
    assert!(UnixStream::connect(&stage.socket).is_err());
    // A second time is harmless.
    stage.server.shutdown();
}

#[test]
fn a_live_socket_is_refused_and_a_dead_one_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("nbd.sock");
    drop(UnixListener::bind(&socket).unwrap());
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o777)).unwrap();
    let server = Server::listen(&socket, nothing()).unwrap();
    assert_eq!(fs::metadata(&socket).unwrap().mode() & 0o777, 0o600);

    let error = Server::listen(&socket, nothing()).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    let inner = error
        .get_ref()
        .unwrap()
        .downcast_ref::<ListenError>()
        .unwrap();
    assert!(matches!(inner, ListenError::Live { socket: named } if *named == socket));
    assert!(
        Client::connect(&socket, FLAGS)
            .option(option::LIST, &[])
            .len()
            == 1,
        "the first one is unharmed"
    );
    drop(server);
    assert!(!socket.exists());
}

#[test]
fn what_is_not_our_socket_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("nbd.sock");
    fs::write(&socket, "a letter").unwrap();
    assert_eq!(
        Server::listen(&socket, nothing()).err().unwrap().kind(),
        ErrorKind::AlreadyExists
    );
    assert_eq!(fs::read_to_string(&socket).unwrap(), "a letter");
    fs::remove_file(&socket).unwrap();

    // Somebody put something else in its place meanwhile.
    let server = Server::listen(&socket, nothing()).unwrap();
    fs::remove_file(&socket).unwrap();
    fs::write(&socket, "another letter").unwrap();
    drop(server);
    assert!(socket.exists());

    assert!(Server::listen(&folder.path().join("no such folder/nbd.sock"), nothing()).is_err());
    assert!(Server::listen(&folder.path().join("x".repeat(120)), nothing()).is_err());
}

#[test]
fn of_servers_that_start_together_one_listens() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("nbd.sock");
    drop(UnixListener::bind(&socket).unwrap());
    let start = |socket: &Path| Server::listen(socket, nothing()).ok();
    let servers: Vec<Option<Server>> = std::thread::scope(|scope| {
        let starting: Vec<_> = (0..8).map(|_| scope.spawn(|| start(&socket))).collect();
        starting
            .into_iter()
            .map(|server| server.join().unwrap())
            .collect()
    });
    assert_eq!(servers.iter().flatten().count(), 1);
    assert!(
        Client::connect(&socket, FLAGS)
            .option(option::LIST, &[])
            .len()
            == 1
    );
}

#[test]
fn a_dead_clients_writes_end_before_its_device_is_dropped() {
    let (stage, newest, log) = gated();
    let mut client = Client::simple(&stage.socket);
    for i in 0..6 {
        client.send_write(i * 4096, b"late");
    }
    client.request(command::FLUSH, 0, 0, 0, &[]);
    let device = newest.lock().unwrap().clone().unwrap();
    device.upgrade().unwrap().wait_for_waiting(7);
    drop(client);
    // Dead as it is, its connection holds the device as long as one request runs.
    assert_eq!(stage.server.connections(), 1);
    let held = device
        .upgrade()
        .expect("the device was dropped under its requests");
    held.open_gate();
    drop(held);
    stage.server.shutdown();
    let calls = log.lock().unwrap();
    assert_eq!(calls.len(), 8);
    assert_eq!(calls.last(), Some(&Call::Dropped), "{calls:?}");
}

#[test]
fn the_device_is_dropped_before_the_client_sees_the_end() {
    let (stage, _, log) = gated();
    for round in 1..50 {
        let mut client = Client::simple(&stage.socket);
        client.request(command::DISC, 0, 0, 0, &[]);
        assert!(client.closed());
        assert_eq!(log.lock().unwrap().len(), round);
    }
}

#[test]
fn shutdown_answers_what_runs_and_drops_what_waits() {
    let (stage, newest, log) = gated();
    let mut client = Client::simple(&stage.socket);
    let write = client.send_write(0, b"in progress");
    let device = newest.lock().unwrap().clone().unwrap().upgrade().unwrap();
    device.wait_for_waiting(1);
    let Stage {
        server,
        socket,
        folder,
    } = stage;
    std::thread::scope(|scope| {
        let stopping = scope.spawn(|| server.shutdown());
        // The name goes before the connections do.
        while socket.exists() {
            std::thread::yield_now();
        }
        assert!(!stopping.is_finished(), "it waits for the write");
        device.open_gate();
        drop(device);
        assert_eq!(
            client.answer(),
            Answer::Simple {
                cookie: write,
                error: 0
            }
        );
        assert!(client.closed());
        stopping.join().unwrap();
    });
    assert_eq!(
        *log.lock().unwrap(),
        [Call::Write(0..11, false), Call::Dropped]
    );
    drop(folder);
}

/// Requests that would end long after the stop: the device lets them go, with a failure, and no client hears of that.
#[test]
fn a_stop_does_not_wait_for_what_is_far_away_and_tells_no_failure() {
    struct Far {
        device: Arc<MemoryDevice>,
        unheard: AtomicBool,
    }
    impl Exports for Far {
        fn list(&self) -> Vec<String> {
            Vec::new()
        }

        fn open(&self, _: &str) -> Result<Export, OpenError> {
            Ok(Export::new(Arc::clone(&self.device) as _))
        }

        fn unheard(&self) {
            self.unheard.store(true, Ordering::SeqCst);
            self.device.open_gate();
        }
    }
    let mut device = MemoryDevice::new(SIZE);
    device.broken_at = Some(0);
    device.close_gate();
    let far = Arc::new(Far {
        device: Arc::new(device),
        unheard: AtomicBool::new(false),
    });
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("nbd.sock");
    let options = ServerOptions {
        farewell: Duration::from_millis(50),
        ..ServerOptions::default()
    };
    let server = Server::listen_with(&socket, Arc::clone(&far) as _, options).unwrap();
    let mut client = Client::simple(&socket);
    client.send_write(0, b"far away");
    far.device.wait_for_waiting(1);
    server.shutdown();
    assert!(far.unheard.load(Ordering::SeqCst));
    assert!(client.closed(), "without an answer");
}

#[test]
fn a_client_that_takes_no_answers_does_not_hold_up_the_stop() {
    let (stage, _, log) = gated();
    let client = Client::simple(&stage.socket);
    client.socket.set_nonblocking(true).unwrap();
    let request = crate::nbd::wire::Request {
        flags: 0,
        kind: command::READ,
        cookie: 1,
        offset: 0,
        length: 1 << 20,
    };
    // Until the server has stopped reading for want of room to answer.
    let mut full = 0;
    while full < 20 {
        match (&client.socket).write(&super::client::encode(&request)) {
            // Whole requests or nothing: they are smaller than the least the kernel takes.
            Ok(sent) => {
                assert_eq!(sent, crate::nbd::wire::Request::SIZE);
                full = 0;
            }
            Err(_) => {
                full += 1;
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }
    stage.server.shutdown();
    assert_eq!(log.lock().unwrap().last(), Some(&Call::Dropped));
}

#[test]
fn silence_in_the_handshake_has_an_end() {
    let options = ServerOptions {
        handshake: Duration::from_secs(3),
        ..ServerOptions::default()
    };
    let stage = Stage::tuned(options, &[], |_| {
        Some(Export::new(Arc::new(MemoryDevice::new(SIZE))))
    });
    let mut idle = Client::simple(&stage.socket);
    let mut silent = Client::connect(&stage.socket, FLAGS);
    assert!(silent.closed());
    // It came first, so its handshake's deadline is over too: in transmission nobody is hurried.
    assert_eq!(idle.act(command::WRITE, 0, 0, 1, b"x"), 0);
}

#[test]
fn connections_are_counted_and_capped() {
    let options = ServerOptions {
        max_connections: 2,
        ..ServerOptions::default()
    };
    let device = Arc::new(MemoryDevice::new(SIZE));
    let stage = Stage::tuned(options, &[], move |_| {
        Some(Export::new(Arc::clone(&device) as _))
    });
    let mut first = Client::simple(&stage.socket);
    let _second = Client::simple(&stage.socket);
    assert_eq!(stage.server.connections(), 2);
    let mut third = UnixStream::connect(&stage.socket).unwrap();
    assert_eq!(std::io::Read::read(&mut third, &mut [0]).unwrap(), 0);
    first.request(command::DISC, 0, 0, 0, &[]);
    assert!(first.closed());
    while stage.server.connections() == 2 {
        std::thread::yield_now();
    }
    Client::simple(&stage.socket).assert_in_step();
}
