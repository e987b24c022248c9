//! Starting a QEMU, and finding one that an earlier process started.

use super::{
    Error, Machine,
    folder::{self, Folder},
    machine::{self, describe, soon, until},
    process::Process,
};
use rustix::{
    event::{PollFd, PollFlags, Timespec},
    io::Errno,
    process::Pid,
};
use std::{
    ffi::OsStr,
    os::unix::{net::UnixStream, process::CommandExt},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

/// How long a QEMU may take to open its disks and answer.
pub(super) const START_DEADLINE: Duration = Duration::from_secs(60);
/// How long a QEMU found running may take to answer before it is handed over as it is.
const FIND_DEADLINE: Duration = Duration::from_secs(5);

/// What makes `setpriv(1)` have the kernel end a process with the one that started it.
pub(super) const LEASH: [&str; 3] = ["--pdeathsig", "KILL", "--"];

/// How a QEMU is started on this host.
#[derive(Debug, Clone)]
pub(super) struct Programs {
    /// QEMU itself, an absolute path.
    pub qemu: std::path::PathBuf,
    /// `setsid(1)`, which makes the session; without it QEMU has a process group of its own only.
    pub setsid: Option<std::path::PathBuf>,
    /// `setpriv(1)`, for a QEMU that ends with the thread that starts it.
    pub leash: Option<std::path::PathBuf>,
}

impl Programs {
    /// QEMU without its arguments. Who is named before it becomes it: the process is the same.
    fn command(&self) -> Command {
        let mut words: Vec<&OsStr> = Vec::new();
        words.extend(self.setsid.as_ref().map(|setsid| setsid.as_os_str()));
        if let Some(leash) = &self.leash {
            words.push(leash.as_os_str());
            words.extend(LEASH.map(OsStr::new));
        }
        words.push(self.qemu.as_os_str());
        let mut command = Command::new(words.remove(0));
        command.args(words);
        if self.setsid.is_none() {
            command.process_group(0);
        }
        command
    }
}

/// Starts QEMU in a folder; its guest does not run yet. It has so long to open its socket, and then to answer.
pub(super) fn launch(
    programs: &Programs,
    arguments: &[String],
    path: &Path,
    within: Duration,
) -> Result<Machine, Error> {
    let folder = Arc::new(Folder::create(path)?);
    let _turn = folder.turn();
    if look(&folder)?.is_some() {
        return Err(Error::AlreadyRunning {
            folder: path.to_owned(),
        });
    }
    let log = folder.new_log()?;
    let also = log.try_clone().map_err(Error::io("open", path))?;
    let mut command = programs.command();
    // Our environment may hold secrets, and QEMU needs none of it.
    let child = command
        .args(arguments)
        .env_clear()
        .env("LC_ALL", "C")
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(also)
        .spawn()
        .map_err(Error::io("start", &programs.qemu))?;
    let mut start = Start {
        folder: Arc::clone(&folder),
        child: Some(child),
    };
    let (process, stream) = start.connect(within)?;
    let machine = match start.child.take() {
        Some(child) => Machine::attach(folder, process, Some(child), stream)?,
        None => return Err(Error::Gone),
    };
    if let Err(error) = machine.ready(within) {
        return Err(undo(&machine, &error));
    }
    Ok(machine)
}

/// Ends a machine that did not come to run, and says why it did not.
pub(super) fn undo(machine: &Machine, error: &Error) -> Error {
    // An end of its own says more than that nobody answered; it may be seen a moment later.
    let own = machine.wait_exit(if matches!(error, Error::Gone) {
        Duration::from_secs(5)
    } else {
        Duration::ZERO
    });
    let how = match &own {
        Some(_) => "it ended by itself".to_owned(),
        None => error.to_string(),
    };
    let exit = own.or_else(|| machine.kill());
    machine.tidy();
    Error::NotStarted {
        how,
        words: exit.map_or_else(|| "it is still there".to_owned(), |exit| exit.reason),
    }
}

/// A QEMU that is coming up. Dropped before it is up, it is ended, and its sockets are removed.
struct Start {
    folder: Arc<Folder>,
    child: Option<Child>,
}

impl Start {
    /// Waits for the machine protocol's socket, or for the end of the process.
    fn connect(&mut self, within: Duration) -> Result<(Process, UnixStream), Error> {
        let Some(child) = self.child.as_mut() else {
            return Err(Error::Gone);
        };
        let folder = &self.folder;
        let id = child.id();
        let deadline = Instant::now() + within;
        let stream = soon(deadline, || {
            match child.try_wait() {
                Ok(None) => {}
                Ok(Some(status)) => {
                    return Some(Err(Error::NotStarted {
                        how: describe(status),
                        words: folder.last_words(),
                    }));
                }
                Err(error) => return Some(Err(Error::io("wait for", folder.path())(error))),
            }
            match folder.connect(folder::QMP) {
                Ok(stream) => Some(Ok(stream)),
                // Not there yet, or left by one that is dead.
                Err(Errno::NOENT | Errno::CONNREFUSED | Errno::AGAIN) => None,
                Err(error) => Some(Err(Error::io(
                    "connect to",
                    folder.path().join(folder::QMP),
                )(error.into()))),
            }
        })
        .unwrap_or_else(|| {
            Err(Error::NotStarted {
                how: "it did not open its socket in time".to_owned(),
                words: folder.last_words(),
            })
        })?;
        let peer = peer(folder, &stream)?;
        if u32::try_from(peer.as_raw_nonzero().get()) != Ok(id) {
            return Err(Error::AlreadyRunning {
                folder: folder.path().to_owned(),
            });
        }
        // A child that was not waited for keeps its number.
        let process = Process::hold_child(peer).map_err(|error| {
            Error::io("take hold of the process in", folder.path())(error.into())
        })?;
        Ok((process, stream))
    }
}

impl Drop for Start {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended: then it is only waited for.
            let _ = child.kill();
            if let Err(error) = child.wait() {
                tracing::error!(%error, pid = child.id(), "cannot wait for a QEMU that did not start");
            }
            self.folder.tidy();
        }
    }
}

/// The QEMU that listens at the other end.
fn peer(folder: &Folder, stream: &UnixStream) -> Result<Pid, Error> {
    rustix::net::sockopt::socket_peercred(stream)
        .map(|credentials| credentials.pid)
        .map_err(|error| Error::io("see who listens in", folder.path())(error.into()))
}

/// A running QEMU by its folder; `None` when there is no folder, no socket, or nobody listens.
pub(super) fn find(path: &Path) -> Result<Option<Machine>, Error> {
    let folder = match Folder::open(path) {
        Ok(folder) => Arc::new(folder),
        Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let _turn = folder.turn();
    look(&folder)
}

/// As [`find`]; the caller has the folder's turn.
fn look(folder: &Arc<Folder>) -> Result<Option<Machine>, Error> {
    if let Some(machine) = machine::known(folder.key()) {
        return Ok(Some(machine));
    }
    // A handle dropped a moment ago may still be leaving the one place QEMU has.
    let stream = until(Instant::now() + FIND_DEADLINE, || {
        match folder.connect(folder::QMP) {
            Ok(stream) => Some(Ok(Some(stream))),
            Err(Errno::NOENT | Errno::CONNREFUSED) => Some(Ok(None)),
            Err(Errno::AGAIN) => None,
            Err(error) => Some(Err(error)),
        }
    })
    .unwrap_or(Err(Errno::AGAIN))
    .map_err(|error| Error::io("connect to", folder.path().join(folder::QMP))(error.into()))?;
    let Some(stream) = stream else {
        return Ok(None);
    };
    let process = match Process::hold(peer(folder, &stream)?) {
        Ok(process) => process,
        Err(Errno::SRCH) => return Ok(None),
        Err(error) => {
            return Err(Error::io("take hold of the process in", folder.path())(
                error.into(),
            ));
        }
    };
    // The socket is open still: so its listener is alive, and was when we took hold of its number.
    if hung_up(&stream) {
        return Ok(None);
    }
    let machine = Machine::attach(Arc::clone(folder), process, None, stream)?;
    match machine.ready(FIND_DEADLINE) {
        Err(Error::Gone) => Ok(None),
        // Mute: it can still be killed.
        Ok(()) | Err(_) => Ok(Some(machine)),
    }
}

fn hung_up(stream: &UnixStream) -> bool {
    let mut polled = [PollFd::new(stream, PollFlags::empty())];
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    match rustix::event::poll(&mut polled, Some(&now)) {
        Ok(0) | Err(_) => false,
        Ok(_) => polled[0]
            .revents()
            .intersects(PollFlags::HUP | PollFlags::ERR),
    }
}
