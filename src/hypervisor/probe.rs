//! What this host can do. It is tried, not read off: an empty machine is started with the very command line that
//! instances get, and ended again.

use super::{Error, Incoming, Machine, Sink, Spec, Way, command, launch};
use crate::domain::{id::InstanceId, size::Bytes};
use serde::{Deserialize, Serialize};
use std::{
    env, fs, io,
    ops::ControlFlow,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};
use uuid::Uuid;

const BINARY: &str = "qemu-system-x86_64";
/// The CPU that guests see, the same with and without hardware help, so that one may take the other's place: QEMU's own
/// 64-bit model in its first version, with what makes it x86-64-v2 and AES. No guest needs protection from flaws it does
/// not have (Meltdown). `enforce`: QEMU refuses to start rather than leave one of these out.
const CPU: &str = "qemu64-v1,svm=off,+ssse3,+sse4.1,+sse4.2,+popcnt,+cx16,+lahf-lm,+aes,enforce";

/// How long the memory of an empty machine may take to be saved.
const SAVE_DEADLINE: Duration = Duration::from_secs(20);

/// What makes guests run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Accelerator {
    /// The processor's own virtualization.
    Kvm,
    /// Translation: works anywhere, and is slow.
    Tcg,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// QEMU's version, such as `7.2.22`.
    pub version: String,
    /// The newest versioned machine type, such as `pc-i440fx-7.2`.
    pub machine: String,
    /// The CPU model for new instances, with its features.
    pub cpu: String,
    /// What makes guests run here.
    pub accelerator: Accelerator,
    /// Whether a guest's memory can be saved while it runs ([`Way::Background`](super::Way::Background)). It was tried.
    pub background_snapshot: bool,
    /// Why it cannot, in technical words.
    pub background_refused: Option<String>,
    /// Why guests do not run by KVM; none: they do.
    pub without_kvm: Option<NoKvm>,
    /// Whether QEMU runs in its sandbox.
    pub sandbox: bool,
}

/// Why there is no KVM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoKvm {
    /// The processor, or what this host itself runs on, does not offer virtualization.
    Processor,
    /// There is no `/dev/kvm`.
    Device,
    /// `/dev/kvm` may not be opened by the server's user.
    Permission,
    /// QEMU did not start with it.
    Refused,
}

/// The way to start machines on this host. Clones are the same.
#[derive(Clone)]
pub struct Hypervisor {
    found: Arc<Found>,
}

struct Found {
    capabilities: Capabilities,
    programs: launch::Programs,
    sandbox: bool,
}

impl Hypervisor {
    /// Looks for QEMU and tries what it can do here. Takes a second or so.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::Unusable`], [`Error::Io`] on the folder for temporary files.
    pub fn probe() -> Result<Self, Error> {
        let qemu = in_path(BINARY).ok_or(Error::Missing)?;
        let version = version(&ask(&qemu, &["--version"])?)
            .ok_or_else(|| unusable(&qemu, "it does not say its version"))?;
        let machine = newest_machine(&ask(&qemu, &["-machine", "help"])?)
            .ok_or_else(|| unusable(&qemu, "it has no versioned type of the machine \"pc\""))?;
        let programs = launch::Programs {
            qemu: qemu.clone(),
            setsid: in_path("setsid"),
            leash: None,
        };
        // There are others of that name, which cannot do it: it is tried.
        let leash = in_path("setpriv").filter(|setpriv| {
            let mut tried = Command::new(setpriv);
            tried.args(launch::LEASH).arg(&qemu).arg("--version");
            tried.output().is_ok_and(|output| output.status.success())
        });
        let mut tries = Vec::new();
        let no_kvm = no_kvm();
        if no_kvm.is_none() {
            tries.extend([(Accelerator::Kvm, true), (Accelerator::Kvm, false)]);
        }
        tries.extend([(Accelerator::Tcg, true), (Accelerator::Tcg, false)]);
        let mut words = String::new();
        for (accelerator, sandbox) in tries {
            let mut hypervisor = Self {
                found: Arc::new(Found {
                    capabilities: Capabilities {
                        version: version.clone(),
                        machine: machine.clone(),
                        cpu: CPU.to_owned(),
                        accelerator,
                        background_snapshot: false,
                        background_refused: None,
                        without_kvm: match accelerator {
                            Accelerator::Kvm => None,
                            Accelerator::Tcg => no_kvm.or(Some(NoKvm::Refused)),
                        },
                        sandbox,
                    },
                    programs: programs.clone(),
                    sandbox,
                }),
            };
            match hypervisor.rehearse(leash.as_deref()) {
                Ok(refused) => {
                    if !sandbox {
                        tracing::warn!("QEMU runs without its sandbox here");
                    }
                    if let Some(found) = Arc::get_mut(&mut hypervisor.found) {
                        found.capabilities.background_snapshot = refused.is_none();
                        found.capabilities.background_refused = refused;
                    }
                    return Ok(hypervisor);
                }
                Err(Error::NotStarted { how, words: last }) => {
                    tracing::warn!(?accelerator, sandbox, how, last, "QEMU does not run so");
                    words = last;
                }
                Err(error) => return Err(error),
            }
        }
        Err(unusable(&qemu, words))
    }

    /// What was found.
    #[must_use]
    pub fn capabilities(&self) -> &Capabilities {
        &self.found.capabilities
    }

    /// Starts a machine. When this returns its guest runs, in a process that outlives this one.
    ///
    /// # Errors
    /// [`Error::Spec`]; [`Error::AlreadyRunning`]; [`Error::NotStarted`] with QEMU's own last words, and nothing left
    /// but its log; [`Error::Io`].
    pub fn start(&self, spec: &Spec) -> Result<Machine, Error> {
        let machine = self.launch(spec, launch::START_DEADLINE)?;
        match machine.resume() {
            Ok(()) => Ok(machine),
            Err(error) => Err(launch::undo(&machine, &error)),
        }
    }

    /// The machine that runs in a folder, whoever started it. Needs no QEMU installed. One that does not answer is
    /// handed over all the same, to be killed. Its run state may be any: a start that was cut off leaves it in
    /// [`RunState::Prelaunch`](super::RunState::Prelaunch).
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn find(folder: &Path) -> Result<Option<Machine>, Error> {
        launch::find(folder)
    }

    /// As [`start`](Self::start), and the guest does not run yet.
    pub(super) fn launch(&self, spec: &Spec, within: Duration) -> Result<Machine, Error> {
        self.launch_with(&self.found.programs, spec, within)
    }

    fn launch_with(
        &self,
        programs: &launch::Programs,
        spec: &Spec,
        within: Duration,
    ) -> Result<Machine, Error> {
        let accelerator = self.found.capabilities.accelerator;
        let arguments = command::arguments(spec, accelerator, self.found.sandbox)?;
        launch::launch(programs, &arguments, &spec.folder, within)
    }

    /// Starts an empty machine, tries to save its memory while it runs, and ends it; why that could not be done,
    /// if it could not. On its leash it also ends with us, should we end before.
    fn rehearse(&self, leash: Option<&Path>) -> Result<Option<String>, Error> {
        let folder = env::temp_dir().join(format!("reprise-probe-{}", Uuid::new_v4()));
        let empty = Spec {
            instance: InstanceId::from_bytes([0; 16]),
            name: "probe".to_owned(),
            vcpus: 1,
            memory: Bytes(64 << 20),
            machine: self.found.capabilities.machine.clone(),
            cpu: self.found.capabilities.cpu.clone(),
            generation: Uuid::nil(),
            mac: [0x52, 0x54, 0, 0, 0, 0],
            disks: Vec::new(),
            fence: None,
            rest: Incoming::None,
            folder: folder.clone(),
        };
        let programs = launch::Programs {
            leash: leash.map(Path::to_owned),
            ..self.found.programs.clone()
        };
        let tried = self
            .launch_with(&programs, &empty, launch::START_DEADLINE)
            .map(|machine| {
                let saved = save_in_background(&machine, &folder);
                if let Err(error) = &saved {
                    tracing::warn!(
                        error = error as &dyn std::error::Error,
                        "the memory of a running guest cannot be saved here"
                    );
                }
                machine.kill();
                saved.err().map(|error| error.to_string())
            });
        if let Err(error) = fs::remove_dir_all(&folder) {
            tracing::warn!(%error, folder = %folder.display(), "a temporary folder remains");
        }
        tried
    }
}

fn save_in_background(machine: &Machine, folder: &Path) -> Result<(), Error> {
    machine.resume()?;
    let sink = Sink {
        path: folder.join("memory"),
        limit: 256 << 20,
    };
    let save = machine.save(&sink, Way::Background)?;
    save.finish(SAVE_DEADLINE, &mut |_| ControlFlow::Continue(()))
        .map(drop)
}

fn unusable(binary: &Path, words: impl Into<String>) -> Error {
    Error::Unusable {
        binary: binary.to_owned(),
        words: words.into(),
    }
}

/// An executable of this name.
fn in_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(name))
        .find(|file| {
            fs::metadata(file)
                .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
        })
}

fn ask(qemu: &Path, arguments: &[&str]) -> Result<String, Error> {
    let output = Command::new(qemu)
        .args(arguments)
        .env("LC_ALL", "C")
        .output()
        .map_err(Error::io("run", qemu))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(unusable(qemu, String::from_utf8_lossy(&output.stderr)))
    }
}

/// `QEMU emulator version 7.2.22 (…)`.
pub(super) fn version(text: &str) -> Option<String> {
    let (_, rest) = text.lines().next()?.split_once(" version ")?;
    rest.split_whitespace().next().map(str::to_owned)
}

/// What `pc` stands for: `pc   Standard PC (…) (alias of pc-i440fx-7.2)`.
pub(super) fn newest_machine(help: &str) -> Option<String> {
    help.lines().find_map(|line| {
        let (name, rest) = line.split_once(' ')?;
        if name != "pc" {
            return None;
        }
        let (_, alias) = rest.split_once("(alias of ")?;
        alias.split_once(')').map(|(alias, _)| alias.to_owned())
    })
}

/// Why KVM can run no guest here. That `/dev/kvm` opens is not enough: there are kernels that offer it without the
/// processor's help, and do not get through a guest's boot.
fn no_kvm() -> Option<NoKvm> {
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    if !has_virtualization(&processor) {
        return Some(NoKvm::Processor);
    }
    let mut options = fs::File::options();
    match options.read(true).write(true).open("/dev/kvm") {
        Ok(_) => None,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Some(NoKvm::Permission),
        Err(_) => Some(NoKvm::Device),
    }
}

/// Whether `/proc/cpuinfo` names Intel's or AMD's extension.
pub(super) fn has_virtualization(cpuinfo: &str) -> bool {
    cpuinfo
        .lines()
        .filter(|line| line.starts_with("flags"))
        .any(|line| {
            line.split_whitespace()
                .any(|flag| flag == "vmx" || flag == "svm")
        })
}
