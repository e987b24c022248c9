//! Real guests of one sector, on disks that `qemu-nbd` serves. Skipped, loudly, where QEMU is not installed.

use super::{
    super::{DiskSpec, Error, Hypervisor, Incoming, Machine, RunState, Serial, Spec, folder},
    LONG, boot, wait_until,
};
use crate::domain::{id::InstanceId, size::Bytes};
use std::{
    env, fs,
    os::unix::{
        fs::PermissionsExt,
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, OnceLock, PoisonError, mpsc},
    time::Duration,
};
use uuid::Uuid;

/// In the environment of the process that starts a machine and ends before it.
const FOLDER: &str = "REPRISE_TEST_HYPERVISOR_FOLDER";

/// What this host has; probed once for all tests.
pub(super) fn hypervisor() -> Option<&'static Hypervisor> {
    static FOUND: OnceLock<Option<Hypervisor>> = OnceLock::new();
    let found = FOUND.get_or_init(|| match Hypervisor::probe() {
        Ok(found) => Some(found),
        Err(Error::Missing) => None,
        Err(error) => panic!("{error}"),
    });
    let nbd = Command::new("qemu-nbd").arg("--version").output().is_ok();
    if found.is_none() || !nbd {
        eprintln!(
            "SKIPPED: no qemu-system-x86_64 or no qemu-nbd: nothing was tried with a real guest"
        );
        return None;
    }
    found.as_ref()
}

/// A disk in a file, the server that shows it, and a folder for one machine; all of it goes with the test.
pub(super) struct Stage {
    place: tempfile::TempDir,
    server: Mutex<Option<Child>>,
}

impl Stage {
    fn new(disk: &[u8]) -> Self {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("disk.raw"), disk).unwrap();
        Self {
            place,
            server: Mutex::new(None),
        }
    }

    pub fn serving(disk: &[u8]) -> Self {
        let stage = Self::new(disk);
        stage.serve(&["-f", "raw", stage.disk().to_str().unwrap()]);
        stage
    }

    pub fn disk(&self) -> PathBuf {
        self.place.path().join("disk.raw")
    }

    fn socket(&self) -> PathBuf {
        self.place.path().join("nbd.sock")
    }

    /// Beyond what a socket's name may hold.
    pub fn folder(&self) -> PathBuf {
        self.place.path().join("i".repeat(120))
    }

    fn serve(&self, image: &[&str]) {
        self.cut();
        let _ = fs::remove_file(self.socket());
        let child = Command::new("qemu-nbd")
            .args([
                "--persistent",
                "--shared=4",
                "--export-name=disk",
                "--socket",
            ])
            .arg(self.socket())
            .args(image)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        *self.server.lock().unwrap_or_else(PoisonError::into_inner) = Some(child);
        wait_until("the disk is served", || {
            UnixStream::connect(self.socket()).is_ok()
        });
    }

    /// Kills the server of the disk.
    fn cut(&self) {
        let server = self
            .server
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(mut server) = server {
            let _ = server.kill();
            let _ = server.wait();
        }
    }

    pub fn spec(&self, hypervisor: &Hypervisor) -> Spec {
        spec(hypervisor, &self.folder(), &self.socket())
    }

    pub fn serial(&self) -> Vec<u8> {
        let read = Serial::open(&self.folder()).read(None, 1 << 20);
        read.unwrap().bytes
    }

    pub fn ticks(&self) -> usize {
        boot::ticks(&self.serial()).0.len()
    }

    pub fn wait_for_more_ticks(&self) {
        let before = self.ticks();
        wait_until("the guest counts", || self.ticks() > before + 2);
    }

    /// The number that the guest wrote last to its disk.
    pub fn written(&self) -> u16 {
        let disk = fs::read(self.disk()).unwrap();
        u16::from_le_bytes([disk[512], disk[513]])
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Ok(Some(machine)) = Hypervisor::find(&self.folder()) {
            machine.kill();
        }
        self.cut();
    }
}

fn spec(hypervisor: &Hypervisor, folder: &Path, socket: &Path) -> Spec {
    let found = hypervisor.capabilities();
    Spec {
        instance: InstanceId::from_bytes([7; 16]),
        name: "essai, é".to_owned(),
        vcpus: 2,
        memory: Bytes(64 << 20),
        machine: found.machine.clone(),
        cpu: found.cpu.clone(),
        generation: Uuid::from_bytes([9; 16]),
        mac: [0x52, 0x54, 0, 1, 2, 3],
        disks: vec![DiskSpec {
            socket: socket.to_owned(),
            export: "disk".to_owned(),
            serial: "root".to_owned(),
        }],
        fence: None,
        rest: Incoming::None,
        folder: folder.to_owned(),
    }
}

/// Numbers of the processes that run in this folder.
pub(super) fn processes_in(folder: &Path) -> Vec<u32> {
    let Ok(folder) = fs::canonicalize(folder) else {
        return Vec::new();
    };
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok())
        .filter(|pid| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|found| found == folder))
        .collect()
}

#[test]
fn the_host_is_probed_by_trying() {
    let Some(hypervisor) = hypervisor() else {
        return;
    };
    let found = hypervisor.capabilities();
    assert!(found.version.contains('.'), "{found:?}");
    assert!(found.machine.starts_with("pc-"), "{found:?}");
    assert!(found.cpu.contains("enforce"), "{found:?}");
}

#[test]
fn a_guest_runs_pauses_goes_on_and_is_killed() {
    let Some(hypervisor) = hypervisor() else {
        return;
    };
    let stage = Stage::serving(&boot::counter());
    let machine = hypervisor.start(&stage.spec(hypervisor)).unwrap();
    assert_eq!(machine.run_state().unwrap(), RunState::Running);
    stage.wait_for_more_ticks();
    assert!(stage.written() > 0, "the guest writes to its disk");
    let mode = fs::metadata(stage.folder()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    assert_eq!(processes_in(&stage.folder()), [machine.pid()]);

    // The session is its own: what ends ours does not end it.
    let stat = fs::read_to_string(format!("/proc/{}/stat", machine.pid())).unwrap();
    let fields: Vec<_> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    assert_eq!(fields[3], machine.pid().to_string(), "session in {stat}");
    let environment = fs::read(format!("/proc/{}/environ", machine.pid())).unwrap();
    assert_eq!(environment, b"LC_ALL=C\0");

    assert!(matches!(
        hypervisor.start(&stage.spec(hypervisor)),
        Err(Error::AlreadyRunning { .. })
    ));

    machine.pause().unwrap();
    machine.pause().unwrap();
    assert_eq!(machine.run_state().unwrap(), RunState::Paused);
    let still = stage.serial();
    assert_eq!(machine.run_state().unwrap(), RunState::Paused);
    assert_eq!(stage.serial(), still, "a paused guest prints nothing");
    machine.resume().unwrap();
    machine.resume().unwrap();
    assert_eq!(machine.run_state().unwrap(), RunState::Running);
    stage.wait_for_more_ticks();

    assert!(!machine.agent().ping(Duration::from_millis(300)));
    assert!(!machine.agent().ping(Duration::from_millis(300)));
    let exit = machine.kill().unwrap();
    assert!(!exit.guest_asked, "{exit:?}");
    assert!(exit.reason.contains("signal 9"), "{exit:?}");
    assert!(processes_in(&stage.folder()).is_empty());
    assert_eq!(machine.kill(), Some(exit));
    assert!(Hypervisor::find(&stage.folder()).unwrap().is_none());

    // The log goes on over a restart.
    let before = Serial::open(&stage.folder()).read(None, 0).unwrap().end;
    let again = hypervisor.start(&stage.spec(hypervisor)).unwrap();
    stage.wait_for_more_ticks();
    assert!(Serial::open(&stage.folder()).read(None, 0).unwrap().end > before);
    again.kill();
}

/// Not a test of its own: the process that `a_guest_outlives_the_process_that_started_it` starts.
#[test]
#[ignore = "started by another test, in a process of its own"]
fn starter() {
    let Some(folder) = env::var_os(FOLDER).map(PathBuf::from) else {
        return;
    };
    let socket = folder.parent().unwrap().join("nbd.sock");
    let hypervisor = Hypervisor::probe().unwrap();
    let machine = hypervisor
        .start(&spec(&hypervisor, &folder, &socket))
        .unwrap();
    assert_eq!(machine.run_state().unwrap(), RunState::Running);
    // As a crash would: no destructor runs.
    std::process::exit(0);
}

#[test]
fn a_guest_outlives_the_process_that_started_it() {
    if hypervisor().is_none() {
        return;
    }
    let stage = Stage::serving(&boot::counter());
    let name = concat!(module_path!(), "::starter");
    let name = name.split_once("::").unwrap().1;
    let temporary = stage.place.path().join("tmp");
    fs::create_dir(&temporary).unwrap();
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", name, "--ignored", "--nocapture"])
        .env(FOLDER, stage.folder())
        .env("TMPDIR", &temporary)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        fs::read_dir(&temporary).unwrap().count(),
        0,
        "the probe left something behind"
    );
    assert_eq!(processes_in(&stage.folder()).len(), 1, "{output:?}");

    let machine = Hypervisor::find(&stage.folder()).unwrap().unwrap();
    assert_eq!(processes_in(&stage.folder()), [machine.pid()]);
    assert_eq!(machine.run_state().unwrap(), RunState::Running);
    stage.wait_for_more_ticks();
    // A second handle shares the one connection that QEMU gives.
    let second = Hypervisor::find(&stage.folder()).unwrap().unwrap();
    second.pause().unwrap();
    assert_eq!(machine.run_state().unwrap(), RunState::Paused);
    drop((machine, second));

    // Dropped handles leave it as it is, and there is a way back.
    let machine = Hypervisor::find(&stage.folder()).unwrap().unwrap();
    assert_eq!(machine.run_state().unwrap(), RunState::Paused);
    machine.resume().unwrap();
    stage.wait_for_more_ticks();
    let (tell, told) = mpsc::channel();
    machine.on_exit(Box::new(move |exit| tell.send(exit).unwrap()));
    // Killed from outside, and not a child of ours.
    let killed = Command::new("kill")
        .args(["-9", &machine.pid().to_string()])
        .status();
    assert!(killed.unwrap().success());
    let exit = told.recv_timeout(LONG).unwrap();
    assert!(!exit.guest_asked, "{exit:?}");
    assert!(told.recv().is_err(), "told twice");
    assert!(matches!(machine.run_state(), Err(Error::Gone)));
}

/// Not a test of its own: the process that `a_probe_ends_with_the_process_that_probes` starts and kills.
#[test]
#[ignore = "started by another test, in a process of its own"]
fn prober() {
    while env::var_os(FOLDER).is_some() {
        Hypervisor::probe().unwrap();
    }
}

#[test]
fn a_probe_ends_with_the_process_that_probes() {
    if hypervisor().is_none() {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let name = concat!(module_path!(), "::prober");
    let mut probing = Command::new(env::current_exe().unwrap())
        .args(["--exact", name.split_once("::").unwrap().1, "--ignored"])
        .env(FOLDER, place.path())
        .env("TMPDIR", place.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let machines = || -> Vec<u32> {
        let folders = fs::read_dir(place.path()).unwrap();
        folders
            .flat_map(|folder| processes_in(&folder.unwrap().path()))
            .collect()
    };
    let mut seen = Vec::new();
    wait_until("a probe is on its way", || {
        seen = machines();
        // The leash is there once QEMU has taken the place of the programs before it.
        seen.retain(|pid| {
            fs::read_to_string(format!("/proc/{pid}/comm"))
                .is_ok_and(|name| name.starts_with("qemu"))
        });
        !seen.is_empty()
    });
    probing.kill().unwrap();
    probing.wait().unwrap();
    wait_until("nothing of it is left", || machines().is_empty());
}

#[test]
fn an_end_from_outside_is_told_once_with_its_reason() {
    let Some(hypervisor) = hypervisor() else {
        return;
    };
    let stage = Stage::serving(&boot::counter());
    let machine = hypervisor.start(&stage.spec(hypervisor)).unwrap();
    let (tell, told) = mpsc::channel();
    machine.on_exit(Box::new(move |exit| tell.send(exit).unwrap()));
    let killed = Command::new("kill")
        .args(["-9", &machine.pid().to_string()])
        .status();
    assert!(killed.unwrap().success());
    let exit = told.recv_timeout(LONG).unwrap();
    assert!(exit.reason.contains("killed by signal 9"), "{exit:?}");
    assert!(!exit.guest_asked, "{exit:?}");
    assert!(told.recv().is_err(), "told twice");
    assert_eq!(machine.exit(), Some(exit));
}

#[test]
fn a_power_button_may_be_ignored_and_a_guest_may_switch_itself_off() {
    let Some(hypervisor) = hypervisor() else {
        return;
    };
    let stage = Stage::serving(&boot::counter());
    let machine = hypervisor.start(&stage.spec(hypervisor)).unwrap();
    stage.wait_for_more_ticks();
    machine.power_down().unwrap();
    stage.wait_for_more_ticks();
    assert_eq!(machine.wait_exit(Duration::from_millis(500)), None);
    assert_eq!(machine.run_state().unwrap(), RunState::Running);
    machine.kill();

    let stage = Stage::serving(&boot::off());
    let machine = hypervisor.start(&stage.spec(hypervisor)).unwrap();
    let exit = machine.wait_exit(LONG).expect("it switches itself off");
    assert!(exit.guest_asked, "{exit:?}");
    assert!(exit.reason.contains("guest-shutdown"), "{exit:?}");
}

#[test]
fn a_start_that_fails_leaves_nothing_and_says_why() {
    let Some(hypervisor) = hypervisor() else {
        return;
    };
    let nothing_left = |stage: &Stage| {
        assert!(processes_in(&stage.folder()).is_empty());
        for name in [folder::QMP, folder::AGENT, folder::PID] {
            assert!(!stage.folder().join(name).exists(), "{name}");
        }
        assert!(Hypervisor::find(&stage.folder()).unwrap().is_none());
    };
    // Nobody serves the disk.
    let stage = Stage::new(&boot::counter());
    match hypervisor.start(&stage.spec(hypervisor)) {
        Err(Error::NotStarted { words, .. }) => {
            assert!(words.contains("Failed to connect"), "{words}");
        }
        other => panic!("{:?}", other.map(|machine| machine.pid())),
    }
    nothing_left(&stage);
    // Somebody does, under another name.
    stage.serve(&["-f", "raw", stage.disk().to_str().unwrap()]);
    let mut spec = stage.spec(hypervisor);
    spec.disks[0].export = "another".to_owned();
    match hypervisor.start(&spec) {
        Err(Error::NotStarted { words, .. }) => assert!(words.contains("another"), "{words}"),
        other => panic!("{:?}", other.map(|machine| machine.pid())),
    }
    nothing_left(&stage);
    // A processor that this host cannot be.
    let mut spec = stage.spec(hypervisor);
    spec.cpu = "no-such-model".to_owned();
    assert!(matches!(
        hypervisor.start(&spec),
        Err(Error::NotStarted { .. })
    ));
    nothing_left(&stage);
    // And then it is well.
    let machine = hypervisor.start(&stage.spec(hypervisor)).unwrap();
    stage.wait_for_more_ticks();
    machine.kill();
}

#[test]
fn a_disk_server_that_says_nothing_is_given_up() {
    let Some(hypervisor) = hypervisor() else {
        return;
    };
    let stage = Stage::new(&[]);
    let _mute = UnixListener::bind(stage.socket()).unwrap();
    let started = hypervisor.launch(&stage.spec(hypervisor), Duration::from_secs(2));
    match started {
        Err(Error::NotStarted { how, .. }) => assert!(how.contains("greeting"), "{how}"),
        other => panic!("{:?}", other.map(|machine| machine.pid())),
    }
    assert!(processes_in(&stage.folder()).is_empty());
    // Given up on before there is so much as a socket.
    let started = hypervisor.launch(&stage.spec(hypervisor), Duration::ZERO);
    assert!(matches!(started, Err(Error::NotStarted { .. })));
    assert!(processes_in(&stage.folder()).is_empty());
    assert!(!stage.folder().join(folder::QMP).exists());
}

#[test]
fn a_machine_that_does_not_answer_is_found_and_can_be_killed() {
    let Some(hypervisor) = hypervisor() else {
        return;
    };
    let stage = Stage::serving(&boot::counter());
    let machine = hypervisor.start(&stage.spec(hypervisor)).unwrap();
    let pid = machine.pid();
    drop(machine);
    let stopped = Command::new("kill")
        .args(["-STOP", &pid.to_string()])
        .status();
    assert!(stopped.unwrap().success());
    let found = Hypervisor::find(&stage.folder()).unwrap().unwrap();
    assert_eq!(found.pid(), pid);
    assert!(found.kill().is_some());
    assert!(processes_in(&stage.folder()).is_empty());
}

#[test]
fn a_disk_that_goes_away_and_comes_back_is_waited_for() {
    let Some(hypervisor) = hypervisor() else {
        return;
    };
    let stage = Stage::serving(&boot::counter());
    let machine = hypervisor.start(&stage.spec(hypervisor)).unwrap();
    stage.wait_for_more_ticks();
    stage.cut();
    // Its next write does not come back.
    wait_until("the guest waits for its disk", || {
        let before = stage.ticks();
        std::thread::sleep(Duration::from_millis(500));
        stage.ticks() == before
    });
    assert_eq!(machine.run_state().unwrap(), RunState::Running);
    stage.serve(&["-f", "raw", stage.disk().to_str().unwrap()]);
    stage.wait_for_more_ticks();
    let (seen, failed) = boot::ticks(&stage.serial());
    assert_eq!(failed, 0, "the guest saw no error");
    assert!(
        seen.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "{seen:?}"
    );
    machine.kill();
}

#[test]
fn a_full_disk_stops_the_guest_and_is_tried_again() {
    let Some(hypervisor) = hypervisor() else {
        return;
    };
    let stage = Stage::new(&boot::counter());
    stage.serve(&[
        "--image-opts",
        &format!(
            "driver=raw,file.driver=blkdebug,file.image.driver=file,file.image.filename={},\
             file.inject-error.0.event=write_aio,file.inject-error.0.iotype=write,file.inject-error.0.errno=28",
            stage.disk().display()
        ),
    ]);
    let machine = hypervisor.start(&stage.spec(hypervisor)).unwrap();
    let (tell, told) = mpsc::channel();
    machine.on_block_error(Box::new(move || tell.send(()).unwrap_or_default()));
    told.recv_timeout(LONG).unwrap();
    assert_eq!(machine.run_state().unwrap(), RunState::IoError);
    // There is room again.
    stage.serve(&["-f", "raw", stage.disk().to_str().unwrap()]);
    machine.resume().unwrap();
    stage.wait_for_more_ticks();
    assert_eq!(machine.run_state().unwrap(), RunState::Running);
    assert_eq!(boot::ticks(&stage.serial()).1, 0, "the guest saw no error");
    machine.kill();
}

#[test]
fn a_folder_without_a_machine_has_none() {
    let place = tempfile::tempdir().unwrap();
    let find =
        |path: &Path| Hypervisor::find(path).map(|found| found.map(|one: Machine| one.pid()));
    assert_eq!(find(&place.path().join("none")).unwrap(), None);
    assert_eq!(find(place.path()).unwrap(), None);
    // A socket that a dead one left.
    let socket = place.path().join(folder::QMP);
    drop(UnixListener::bind(&socket).unwrap());
    assert!(socket.exists());
    fs::write(place.path().join(folder::PID), "1\n").unwrap();
    assert_eq!(find(place.path()).unwrap(), None);
    // A file where the folder should be.
    assert!(find(&socket).is_err());
}
