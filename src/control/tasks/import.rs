//! Filling a volume from an uploaded disk image: `qemu-img convert` writes it over NBD, to a socket that only this job's
//! child is told of and that ends with it.

use super::super::core::Core;
use super::super::error::{About, Error, explain};
use super::super::image;
use super::super::uploads::ImportArgs;
use super::super::zones::Zone;
use crate::catalog::jobs::Job;
use crate::domain::fault::Fault;
use crate::domain::id::VolumeId;
use crate::engine::Lease;
use crate::engine::block::{BlockDevice, DeviceError, Extent, ZeroOptions};
use crate::jobs::{Failure, Watch};
use crate::nbd;
use crate::nbd::{Export, Exports, OpenError};
use std::io::Read;
use std::process::Child;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How often the job is asked whether it should stop while the tool says nothing.
const LOOK: Duration = Duration::from_millis(100);
const EXPORT: &str = "import";

/// Where an image's content goes.
pub(super) struct Target<'a> {
    pub zone: &'a Zone,
    /// A volume of the zone's pool that nobody else has open.
    pub volume: VolumeId,
    /// The name of what it becomes.
    pub name: &'a str,
    /// Bytes of the disk in the image.
    pub total: u64,
}

impl Core {
    fn import_args(&self, job: &Job) -> Result<ImportArgs, Failure> {
        serde_json::from_str(&job.args).map_err(|source| {
            explain(
                "read an import's arguments",
                Error::Json {
                    what: "an import's arguments",
                    source,
                },
                About::default(),
            )
        })
    }

    /// Damage inside the image is found before a volume is made of it. (QEMU reads zeros beyond the end of a file that
    /// was cut off; its check finds what points there.)
    pub(super) fn check_image(&self, job: &Job, watch: &mut dyn Watch) -> Result<(), Failure> {
        let (args, path) = (self.import_args(job)?, self.folders.upload_of(job.id));
        if !path.exists() {
            return Err(Failure::Final(Fault::UploadMissing));
        }
        if !args.format.can_be_checked() {
            return Ok(());
        }
        let mut command = image::importer();
        command
            .args(["check", "-q", "-f", args.format.driver()])
            .arg(&path);
        let mut child = Running::start(command)?;
        let said = child.wait(watch, |_| None)?;
        match said.code {
            // 0: whole. 3: room is wasted in it, nothing else. 63: the format cannot be checked.
            Some(0 | 3 | 63) => Ok(()),
            _ => {
                tracing::info!(code = ?said.code, said = said.stderr.trim(), "an uploaded image is damaged");
                Err(Failure::Final(Fault::NotADiskImage))
            }
        }
    }

    /// The image's content goes into the new volume, and is synced. Done again, it is written again.
    pub(super) fn convert(&self, job: &Job, watch: &mut dyn Watch) -> Result<(), Failure> {
        let volume = self.subject_volume(job)?;
        let target = Target {
            zone: self.zones.get(volume.zone).map_err(Failure::Final)?,
            volume: volume.id,
            name: &volume.name,
            total: job.total.map_or(volume.size.0, |total| total.0),
        };
        self.pour(job, &target, watch)
    }

    /// As [`Core::convert`], into any empty volume.
    pub(super) fn pour(
        &self,
        job: &Job,
        target: &Target<'_>,
        watch: &mut dyn Watch,
    ) -> Result<(), Failure> {
        let (args, path) = (self.import_args(job)?, self.folders.upload_of(job.id));
        if !path.exists() {
            return Err(Failure::Final(Fault::UploadMissing));
        }
        let &Target {
            zone,
            volume,
            name,
            total,
        } = target;
        let pool = zone.pool(name).map_err(Failure::Passing)?;
        let failed = |error| explain("import an image", error, zone.about(name));
        let lease = pool.lease(volume).map_err(|error| failed(error.into()))?;
        let disk = Arc::new(Noting {
            lease,
            refused: AtomicU8::new(0),
        });
        let socket = self.folders.import_socket(job.id);
        let exports = Arc::new(One(Mutex::new(Some(Arc::clone(&disk)))));
        let server = nbd::Server::listen(&socket, exports).map_err(|source| {
            failed(Error::Io {
                operation: "listen on",
                path: socket.clone(),
                source,
            })
        })?;
        let mut options = std::ffi::OsString::from(format!(
            "driver=nbd,export={EXPORT},server.type=unix,server.path="
        ));
        // A comma is doubled in these options.
        options.push(socket.to_string_lossy().replace(',', ",,"));
        let mut command = image::importer();
        command
            .args([
                "convert",
                "-p",
                "-n",
                "--target-is-zero",
                "-f",
                args.format.driver(),
                "--target-image-opts",
            ])
            .arg(&path)
            .arg(options);
        watch.total(total);
        let mut child = Running::start(command)?;
        let ended = child.wait(watch, |text| progress(text, total));
        // Everything that the child sent has been executed, or never will be.
        server.shutdown();
        drop(server);
        let ended = ended?;
        if ended.code != Some(0) {
            if let Some(failure) = disk.refusal() {
                return Err(failed(failure.into()));
            }
            tracing::warn!(code = ?ended.code, said = ended.stderr.trim(), "an image could not be converted");
            // The volume took everything: what could not be read is the image.
            return Err(Failure::Final(Fault::NotADiskImage));
        }
        disk.lease.flush().map_err(|error| failed(error.into()))
    }

    /// The upload is not needed any more.
    pub(super) fn remove_upload(&self, job: &Job) -> Result<(), Failure> {
        let path = self.folders.upload_of(job.id);
        match std::fs::remove_file(&path) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(source) => Err(explain(
                "remove an upload",
                Error::Io {
                    operation: "remove",
                    path,
                    source,
                },
                About::default(),
            )),
        }
    }
}

/// The bytes that a line such as `    (12.34/100%)` stands for.
fn progress(text: &str, total: u64) -> Option<u64> {
    let percent: f64 = text
        .rsplit_once('(')?
        .1
        .split_once('/')?
        .0
        .trim()
        .parse()
        .ok()?;
    let hundredths = (percent.clamp(0.0, 100.0) * 100.0) as u128;
    u64::try_from(u128::from(total) * hundredths / 10_000).ok()
}

/// A tool at work; ended when this is dropped.
struct Running {
    child: Child,
    said: Receiver<String>,
    stderr: Option<std::thread::JoinHandle<String>>,
}

struct Said {
    code: Option<i32>,
    stderr: String,
}

impl Running {
    fn start(command: std::process::Command) -> Result<Self, Failure> {
        let mut child = image::start(command)?;
        let (sender, said) = channel();
        if let Some(mut stdout) = child.stdout.take() {
            std::thread::spawn(move || {
                let mut buffer = [0; 4096];
                while let Ok(read @ 1..) = stdout.read(&mut buffer) {
                    // Once nobody listens there is still to be read, or the tool would wait for us.
                    let _ = sender.send(String::from_utf8_lossy(&buffer[..read]).into_owned());
                }
            });
        }
        let stderr = child.stderr.take().map(|mut stderr| {
            std::thread::spawn(move || {
                let mut text = Vec::new();
                let _ = stderr.by_ref().take(1 << 16).read_to_end(&mut text);
                let _ = std::io::copy(&mut stderr, &mut std::io::sink());
                String::from_utf8_lossy(&text).into_owned()
            })
        });
        Ok(Self {
            child,
            said,
            stderr,
        })
    }

    /// Waits for its end, telling how far it is; ends it when the job is to stop.
    fn wait(
        &mut self,
        watch: &mut dyn Watch,
        read: impl Fn(&str) -> Option<u64>,
    ) -> Result<Said, Failure> {
        let mut done = 0;
        loop {
            let open = match self.said.recv_timeout(LOOK) {
                Ok(text) => {
                    done = read(&text).unwrap_or(done).max(done);
                    true
                }
                Err(RecvTimeoutError::Timeout) => true,
                Err(RecvTimeoutError::Disconnected) => false,
            };
            if watch.done(done).is_break() {
                return Err(Failure::Stopped);
            }
            if !open {
                break;
            }
        }
        let status = self.child.wait().map_err(|source| {
            explain(
                "wait for qemu-img",
                Error::Io {
                    operation: "wait for",
                    path: "qemu-img".into(),
                    source,
                },
                About::default(),
            )
        })?;
        let stderr = self
            .stderr
            .take()
            .and_then(|thread| thread.join().ok())
            .unwrap_or_default();
        Ok(Said {
            code: status.code(),
            stderr,
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The one export of an import.
struct One(Mutex<Option<Arc<Noting>>>);

impl Exports for One {
    fn list(&self) -> Vec<String> {
        vec![EXPORT.to_owned()]
    }

    fn open(&self, name: &str) -> Result<Export, OpenError> {
        let disk = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        match disk {
            Some(disk) if name == EXPORT => Ok(Export {
                multi_conn: true,
                ..Export::new(disk)
            }),
            _ => Err(OpenError::NotFound),
        }
    }
}

/// The volume, with a memory of why it refused a request: a tool at the other end of a socket is told no more than a
/// number.
struct Noting {
    lease: Arc<Lease>,
    refused: AtomicU8,
}

const NO_SPACE: u8 = 1;
const OTHER: u8 = 2;

impl Noting {
    fn note<T>(&self, result: Result<T, DeviceError>) -> Result<T, DeviceError> {
        match &result {
            Ok(_) | Err(DeviceError::NotFast | DeviceError::OutOfRange { .. }) => {}
            Err(DeviceError::NoSpace) => self.refused.store(NO_SPACE, Ordering::SeqCst),
            Err(error) => {
                tracing::warn!(%error, "the new volume refused a request of its import");
                // "No space" stands: what follows it is its consequence.
                let _ = self
                    .refused
                    .compare_exchange(0, OTHER, Ordering::SeqCst, Ordering::SeqCst);
            }
        }
        result
    }

    fn refusal(&self) -> Option<DeviceError> {
        match self.refused.load(Ordering::SeqCst) {
            0 => None,
            NO_SPACE => Some(DeviceError::NoSpace),
            _ => Some(DeviceError::Io {
                context: "the new volume refused a request of its import".to_owned(),
                source: None,
            }),
        }
    }
}

impl BlockDevice for Noting {
    fn size(&self) -> u64 {
        self.lease.size()
    }

    fn read_only(&self) -> bool {
        self.lease.read_only()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), DeviceError> {
        self.note(self.lease.read_at(offset, buffer))
    }

    fn write_at(&self, offset: u64, data: &[u8], fua: bool) -> Result<(), DeviceError> {
        self.note(self.lease.write_at(offset, data, fua))
    }

    fn flush(&self) -> Result<(), DeviceError> {
        self.note(self.lease.flush())
    }

    fn trim(&self, offset: u64, length: u64, fua: bool) -> Result<(), DeviceError> {
        self.note(self.lease.trim(offset, length, fua))
    }

    fn write_zeroes(
        &self,
        offset: u64,
        length: u64,
        options: ZeroOptions,
    ) -> Result<(), DeviceError> {
        self.note(self.lease.write_zeroes(offset, length, options))
    }

    fn extents(&self, offset: u64, length: u64) -> Result<Vec<Extent>, DeviceError> {
        self.note(self.lease.extents(offset, length))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn progress_is_read_from_what_qemu_img_prints() {
        let progress = |text| super::progress(text, 1000);
        assert_eq!(progress("    (0.00/100%)\r"), Some(0));
        assert_eq!(progress("    (12.34/100%)\r    (50.00/100%)\r"), Some(500));
        assert_eq!(progress("    (100.00/100%)\r\n"), Some(1000));
        assert_eq!(progress("rubbish ("), None);
        assert_eq!(progress("(inf/100%)"), Some(1000));
    }
}
